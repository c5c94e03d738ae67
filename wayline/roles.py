"""``wayline role``: what users have in common, grants and limits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from typing import Annotated, Any, Final

import typer

from engine.catalog import access
from engine.catalog.access import LIMITS, Role, RoleLimits
from engine.errors import InputError
from engine.governance.access import access_of_roles, closed_views
from sqlfront.users import check_name
from wayline.grants import described, grants_table, limits_text
from wayline.options import HERE, HomeOption, JsonOption, duration, is_none, open_home
from wayline.output import console, print_json, print_table

role_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Roles: what their users may read (wayline grant), and how much of the server they may take.

    Example: wayline role add germany --statements 4 --memory 25%
    """,
)


def _percent(text: str) -> int:
    number = text.removesuffix("%").strip()
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 100:
        raise InputError(f"{text!r} is not a share of the memory", hint="For example: --memory 25%")
    return int(number)


def _milliseconds(option: str) -> Callable[[str], int]:
    return lambda text: duration(text, option) // timedelta(milliseconds=1)


def _timeout(text: str) -> int:
    return 0 if is_none(text) else _milliseconds("--timeout")(text)


RoleArgument = Annotated[str, typer.Argument(help="The role's name.")]
UsersArgument = Annotated[list[str], typer.Argument(help="Names of users.")]
_OPTIONS: Final[Mapping[str, Any]] = {
    "description": Annotated[str | None, typer.Option(help="What the role is for.")],
    "statements": Annotated[int | None, typer.Option(help="Statements at once.", min=1)],
    "memory_percent": Annotated[
        int | None,
        typer.Option(
            "--memory", parser=_percent, metavar="PERCENT", help="Share of the memory, such as 25%."
        ),
    ],
    "timeout_ms": Annotated[
        int | None,
        typer.Option(
            "--timeout",
            parser=_timeout,
            metavar="DURATION",
            help="Longest time of a statement, such as 10m; none: any time. Counts instead of the server's.",
        ),
    ],
    "queue_ms": Annotated[
        int | None,
        typer.Option(
            "--queue",
            parser=_milliseconds("--queue"),
            metavar="DURATION",
            help="Longest wait of a statement, such as 60s.",
        ),
    ],
    "connections": Annotated[int | None, typer.Option(help="Sessions at once.", min=1)],
}
"""What a role may be given: its fields, and the options for them."""


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a role; it gets those that were named as mapping ``given``."""

    @wraps(command)
    def wrapped(**arguments: Any) -> None:
        named = {name: arguments.pop(name) for name in _OPTIONS}
        command(**arguments, given={name: value for name, value in named.items() if value is not None})

    own = inspect.signature(command, eval_str=True)
    named_only = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(name, named_only, default=None, annotation=_OPTIONS[name]) for name in _OPTIONS
    ]
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        parameters += options if name == "given" else [parameter.replace(kind=named_only)]
    wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return wrapped


def _with(role: Role, given: Mapping[str, Any]) -> Role:
    limits = {name: value for name, value in given.items() if name in LIMITS}
    description = given.get("description", role.description)
    return replace(role, description=description, limits=replace(role.limits, **limits))


@role_app.command("add")
@_with_options
def role_add(
    name: RoleArgument, given: Mapping[str, Any], home: HomeOption = HERE, json: JsonOption = False
) -> None:
    """Add a role. What is not limited follows the server's own limits.

    Example: wayline role add germany --description "Sees German events"
    """
    with access.changing(open_home(home).catalog) as connection:
        check_name(access.roll_in(connection), name)
        role = _with(Role(name), given)
        access.save_role(connection, role)
    if json:
        print_json(role.record())
    else:
        console.print(f"Role {name} may read nothing yet: wayline grant {name} view:NAME", markup=False)


@role_app.command("set")
@_with_options
def role_set(
    name: RoleArgument,
    given: Mapping[str, Any],
    unlimited: Annotated[
        bool, typer.Option("--unlimited", help="First go back to the server's own limits.")
    ] = False,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Change a role's limits; those that are not named stay.

    Example: wayline role set germany --timeout 5m
    """
    with access.changing(open_home(home).catalog) as connection:
        known = access.roll_in(connection).role(name)
        role = _with(replace(known, limits=RoleLimits()) if unlimited else known, given)
        access.save_role(connection, role)
    if json:
        print_json(role.record())
    else:
        console.print(f"Role {name} is changed.")


@role_app.command("list")
def role_list(home: HomeOption = HERE, json: JsonOption = False) -> None:
    """List roles with their limits and users.

    Example: wayline role list
    """
    roll = access.roll(open_home(home).catalog)
    found = [
        role.record() | {"users": sorted(user for user, name in roll.memberships if name == role.name)}
        for role in roll.roles.values()
    ]
    if json:
        print_json(found)
        return
    rows = [
        (
            entry["name"],
            entry["description"],
            limits_text(roll.role(entry["name"]).limits),
            ", ".join(entry["users"]),
        )
        for entry in found
    ]
    print_table(["role", "description", "limits", "users"], rows)


@role_app.command("show")
def role_show(name: RoleArgument, home: HomeOption = HERE, json: JsonOption = False) -> None:
    """Show what a role was granted, under which rules, its limits and users.

    Example: wayline role show germany
    """
    opened = open_home(home)
    roll = access.roll(opened.catalog)
    role = roll.role(name)
    closed = closed_views(opened.current().definitions, access_of_roles(roll, (name,)))
    entry: Mapping[str, Any] = role.record() | {
        "users": sorted(user for user, known in roll.memberships if known == name),
        "grants": [described(grant) for grant in roll.grants_of((name,))],
        "closed_views": closed,
    }
    if json:
        print_json(dict(entry))
        return
    console.print(f"Role {name}{f': {role.description}' if role.description else ''}", markup=False)
    grants_table(entry["grants"])
    console.print(f"Limits: {limits_text(role.limits) or 'those of the server'}.")
    console.print(f"Users: {', '.join(entry['users']) or 'none'}.", markup=False)
    for view in closed:
        console.print(f"View {view} is closed: its rule does not fit the view. Grant it anew.")


@role_app.command("remove")
def role_remove(name: RoleArgument, home: HomeOption = HERE, json: JsonOption = False) -> None:
    """Remove a role with its grants; its users stay.

    Example: wayline role remove germany
    """
    with access.changing(open_home(home).catalog) as connection:
        access.drop_role(connection, access.roll_in(connection).role(name).name)
    if json:
        print_json({"removed": name})
    else:
        console.print(f"Role {name} is removed.")


@role_app.command("join")
def role_join(
    name: RoleArgument, users: UsersArgument, home: HomeOption = HERE, json: JsonOption = False
) -> None:
    """Give users a role.

    Example: wayline role join germany maria karl
    """
    with access.changing(open_home(home).catalog) as connection:
        roll = access.roll_in(connection)
        for user in users:
            access.join(connection, roll.user(user).name, roll.role(name).name)
    if json:
        print_json({"role": name, "joined": users})
    else:
        console.print(f"{', '.join(users)}: in role {name}.", markup=False)


@role_app.command("leave")
def role_leave(
    name: RoleArgument, users: UsersArgument, home: HomeOption = HERE, json: JsonOption = False
) -> None:
    """Take a role from users.

    Example: wayline role leave analysts maria
    """
    with access.changing(open_home(home).catalog) as connection:
        roll = access.roll_in(connection)
        for user in users:
            if not access.leave(connection, roll.user(user).name, roll.role(name).name):
                raise InputError(f'user "{user}" does not have role "{name}"', hint="Nothing was changed.")
    if json:
        print_json({"role": name, "left": users})
    else:
        console.print(f"{', '.join(users)}: no longer in role {name}.", markup=False)
