"""PostgreSQL's functions and operators of JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.functions.constants import elements
from sqlfront.functions.templates import Arguments, Builder, call, constant, filled, text


def path(value: exp.Expr, steps: exp.Expr, as_text: bool) -> exp.Expr:
    """Return ``value #> '{a,0}'``, as text for ``#>>``."""
    written = elements(constant(steps, "#>"))
    return _walked(value, [step or "" for step in written], as_text)


def _walked(value: exp.Expr, steps: Sequence[str], as_text: bool) -> exp.Expr:
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return call("json_extract_string" if as_text else "json_extract", value, text(pointer))


def _extract_path(as_text: bool) -> Builder:
    def builder(arguments: Arguments) -> exp.Expr:
        return _walked(arguments[0], [constant(step, "json_extract_path") for step in arguments[1:]], as_text)

    return builder


def _row(arguments: Arguments) -> exp.Expr:
    value = arguments[0]
    if not isinstance(value, (exp.Tuple, exp.Anonymous)):
        raise UnsupportedError(
            "row_to_json of a table's row is not supported", hint="Use json_build_object()."
        )
    named: list[exp.Expr] = []
    for at, part in enumerate(value.expressions):
        named += [text(f"f{at + 1}"), part]
    return call("json_object", *named)


BUILDERS: Final[Mapping[str, Builder]] = {
    **{
        f"{kind}_{name}": builder
        for kind in ("json", "jsonb")
        for name, builder in (
            ("build_object", lambda arguments: call("json_object", *arguments)),
            ("build_array", lambda arguments: call("json_array", *arguments)),
            ("array_length", filled("CAST(JSON_ARRAY_LENGTH(x) AS INT)")),
            ("extract_path", _extract_path(False)),
            ("extract_path_text", _extract_path(True)),
            ("agg", lambda arguments: call("json_group_array", *arguments)),
            ("object_agg", lambda arguments: call("json_group_object", *arguments)),
        )
    },
    "row_to_json": _row,
    "array_to_json": lambda arguments: call("to_json", *arguments),
    "to_jsonb": lambda arguments: call("to_json", *arguments),
}
