"""``wayline grant`` and ``wayline revoke``: what roles may read, of some data views only certain events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import typer
import yaml
from pydantic import ValidationError

from engine.catalog import access
from engine.catalog.access import EVERY, Grant, Kind, RoleLimits, Roll
from engine.definitions.model import Definitions, SegmentDefinition
from engine.definitions.project import explained
from engine.definitions.values import write_duration
from engine.errors import InputError, UnknownNameError, did_you_mean
from engine.governance.access import check_rule
from sqlfront.system import RELATIONS
from wayline.options import HERE, HomeOption, JsonOption, open_home, say
from wayline.output import console, print_json, print_table

_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_FORMS: Final = "view:NAME, dataset:NAME, system:NAME, or * for all names of a kind"

RoleArgument = Annotated[str, typer.Argument(help="The role.")]
ObjectArgument = Annotated[str, typer.Argument(metavar="OBJECT", help=_FORMS)]


def grant(
    role: RoleArgument,
    thing: ObjectArgument,
    only: Annotated[
        str | None, typer.Option(help="Of a data view, only events for which this condition holds.")
    ] = None,
    rule: Annotated[
        Path | None, typer.Option(help="YAML file with a segment: only its events. For rules on persons.")
    ] = None,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Let a role read a data view, dataset or relation of schema system; of a view, only certain events.

    A rule replaces the one before. Users with several roles may read what any of them allows.

    Example: wayline grant germany view:shop --only "country = 'DE'"

    Example: wayline grant analysts "dataset:*"
    """
    opened, (kind, name) = open_home(home), parse_object(thing)
    definitions = opened.current().definitions
    segment = _rule(only, rule, kind, name)
    _check_known(kind, name, definitions)
    if segment is not None:
        check_rule(definitions, name, segment)
    with access.changing(opened.catalog) as connection:
        roll = access.roll_in(connection)
        roll.role(role)
        kept = None if segment is None else segment.model_dump(exclude_defaults=True, mode="json")
        given = Grant(role, kind, name, datetime.now(UTC), kept)
        access.save_grant(connection, given)
        after = access.roll_in(connection)
    warnings = list(_warnings(role, after, definitions))
    if json:
        print_json(described(given) | {"warnings": warnings})
        return
    under = "" if segment is None else " under its rule"
    console.print(f"Role {role} may read {kind}:{name}{under}.", markup=False)
    for warning in warnings:
        say(f"Warning: {warning}")


def revoke(
    role: RoleArgument, thing: ObjectArgument, home: HomeOption = HERE, json: JsonOption = False
) -> None:
    """Take from a role what was granted; servers follow within a second.

    Example: wayline revoke analysts "dataset:*"
    """
    kind, name = parse_object(thing)
    with access.changing(open_home(home).catalog) as connection:
        access.roll_in(connection).role(role)
        if not access.drop_grant(connection, role, kind, name):
            raise InputError(
                f"role {role} was not granted {kind}:{name}",
                hint=f"wayline role show {role} lists its grants.",
            )
    if json:
        print_json({"role": role, "revoked": f"{kind}:{name}"})
    else:
        console.print(f"Role {role} may no longer read {kind}:{name} by this grant.", markup=False)


def parse_object(text: str) -> tuple[Kind, str]:
    """Return kind and name of what is granted, from ``view:shop`` or ``views:*``.

    Raises:
        InputError: it is in another form.
    """
    word, _, name = text.partition(":")
    for kind in _KINDS:
        if name and word in (kind, f"{kind}s"):
            return kind, name
    raise InputError(f'"{text}" cannot be granted', hint=f"Write {_FORMS}.")


def _check_known(kind: Kind, name: str, definitions: Definitions) -> None:
    known: Mapping[Kind, Collection[str]] = {
        "view": definitions.data_views,
        "dataset": definitions.datasets,
        "system": RELATIONS,
    }
    if name != EVERY and name not in known[kind]:
        what = f'{kind} "{name}"' if kind != "system" else f'relation "{name}" in schema system'
        raise UnknownNameError(f"there is no {what}", hint=did_you_mean(name, known[kind]))


def _rule(only: str | None, file: Path | None, kind: Kind, name: str) -> SegmentDefinition | None:
    """Return the rule that two options give, None if neither does."""
    if only is None and file is None:
        return None
    if only is not None and file is not None:
        raise InputError("--only and --rule exclude each other", hint="Put all of it into the file.")
    if kind != "view" or name == EVERY:
        raise InputError(f"a rule is of one data view, not of {kind}:{name}", hint="Grant view:NAME.")
    try:
        written = only if file is None else yaml.safe_load(file.read_text())
        return SegmentDefinition.model_validate(written)
    except ValidationError as error:
        details = error.errors()[0]
        path = ("data_views", name, "segments", "0", *map(str, details["loc"]))
        where, message, hint = explained(path, details)
        raise InputError(f"{'.'.join(('rule', *where[4:]))}: {message}", hint=hint) from None
    except yaml.YAMLError as error:
        raise InputError(f"{file}: {str(error).partition(chr(10))[0]}", hint="Write YAML.") from None


def _warnings(role: str, roll: Roll, definitions: Definitions) -> list[str]:
    """Say where a role's rule on a view is of no use, as it reads the view's events otherwise."""
    grants = roll.grants_of((role,))
    every_view = any(grant.kind == "view" and grant.object == EVERY for grant in grants)
    datasets = {grant.object for grant in grants if grant.kind == "dataset"}
    found = []
    for one in grants:
        if one.rule is None or one.object not in definitions.data_views:
            continue
        if every_view:
            found.append(f"the rule on {one.object} has no effect: {role} was also granted view:*.")
        under = definitions.connections[definitions.data_views[one.object].connection].datasets
        raw = sorted(under) if EVERY in datasets else sorted(datasets & under.keys())
        if raw:
            found.append(
                f"{role} also reads dataset {', '.join(raw)} without the rule on {one.object}, "
                f"by a grant of dataset:{EVERY if EVERY in datasets else raw[0]}."
            )
    return found


def described(grant: Grant) -> dict[str, Any]:
    """Return a grant as it is shown."""
    rule = None if grant.rule is None else dict(grant.rule)
    return {"role": grant.role, "object": f"{grant.kind}:{grant.object}", "rule": rule}


def grants_table(grants: Sequence[Mapping[str, Any]]) -> None:
    """Print grants as a table."""
    rows = [(entry["role"], entry["object"], _short(entry["rule"])) for entry in grants]
    print_table(["role", "may read", "only"], rows)


def _short(rule: Mapping[str, Any] | None) -> str:
    if rule is None:
        return ""
    return str(rule["where"]) if set(rule) == {"where"} else str(dict(rule))


_LIMITS: Final[Mapping[str, Callable[[int], str]]] = {
    "statements": lambda count: f"{count} statement{'' if count == 1 else 's'} at once",
    "memory_percent": lambda percent: f"{percent} % of the memory",
    "timeout_ms": lambda time: f"{_time(time) if time else 'any time'} for a statement",
    "queue_ms": lambda time: f"{_time(time)} of waiting",
    "connections": lambda count: f"{count} session{'' if count == 1 else 's'}",
}


def limits_text(limits: RoleLimits) -> str:
    """Return limits as a person reads them, such as ``2 statements at once``; empty if none is set."""
    found = asdict(limits)
    return ", ".join(text(found[name]) for name, text in _LIMITS.items() if found[name] is not None)


def _time(milliseconds: int) -> str:
    if milliseconds % 1000:
        return f"{milliseconds} ms"
    return write_duration(timedelta(milliseconds=milliseconds))
