"""Values inside the columns of datasets: places in arrays, keys of identity maps, rows out of arrays.

An array in a dataset's column counts from 0, as the systems do that fill it; any other array counts from 1,
as in PostgreSQL. Which it is, and what a map holds, follows from the dataset's schema, through sub-queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa
from sqlglot import exp

from engine.errors import UnsupportedError
from engine.types import IDENTITY_MAP
from sqlfront.functions import GENERATORS, called
from sqlfront.functions.templates import NAME, call, fill, number
from sqlfront.planner.scope import Scope
from sqlfront.trees import bare, own, rewrite

_FIRST: Final = "CASE WHEN FALSE THEN x[1] END"
_OF_NAMESPACE: Final = "LIST_FILTER(x, each -> each.namespace = k)"
_NAMESPACES: Final = "LIST_SORT(LIST_DISTINCT(LIST_TRANSFORM(x, each -> each.namespace)))"
_BY_NAMESPACE: Final = f"LIST_TRANSFORM({_NAMESPACES}, k -> {_OF_NAMESPACE})"
_OF_MAPS: Final = {"map_keys": _NAMESPACES, "map_values": _BY_NAMESPACE}
_OF_KEY: Final = "MAP_EXTRACT_VALUE(x, k)"
_PARAMETER_OF_ELEMENT: Final = {"list_transform": 0, "list_filter": 0, "list_reduce": 1}
"""Functions of elements, and which parameter of the function that they are given is the element."""
_GENERATORS: Final = (exp.Explode, exp.Posexplode, exp.Inline)
_READS_INSIDE: Final = (exp.Bracket, exp.Anonymous, exp.Length, exp.Aliases, *_GENERATORS)
_PARTS: Final = ("this", "table", "db", "catalog")
"""Of a column, its last name first."""
_FROM: Final = ("from_", "joins", "with_")
_MAP: Final = pa.map_(pa.string(), pa.null())
"""A map as statements make them; what it maps to does not matter."""
_IDENTITIES: Final = pa.list_(pa.field("item", IDENTITY_MAP.value_type, nullable=False))
"""Some identities of a map: an array like any other, whose places count from 0."""
_ELEMENT: Final = "element"
"""Key in a node's meta: the type of what it makes rows of, where the node does not show it."""
_ONE: Final = "one explode, posexplode or inline"


def nested_columns(types: Mapping[str, pa.DataType]) -> dict[str, pa.DataType]:
    """Return the columns that have something inside, by their names in lower case."""
    return {name.lower(): kind for name, kind in types.items() if pa.types.is_nested(kind)}


def carried(outputs: Sequence[exp.Expr], names: Sequence[str], scope: Scope) -> dict[str, pa.DataType]:
    """Return which outputs of a SELECT show columns of datasets that have something inside.

    Args:
        outputs: the expressions of a SELECT without ``*``.
        names: of the outputs.
    """
    types = {name: type_of(output, scope) for name, output in zip(names, outputs, strict=True)}
    return nested_columns({name: kind for name, kind in types.items() if kind is not None})


def type_of(node: exp.Expr, scope: Scope) -> pa.DataType | None:
    """Return the type of what a path leads to, if it starts at a dataset's column; else None."""
    node = bare(node.unalias())
    if isinstance(node, exp.Column):
        return _type_of_column(node, scope)
    if isinstance(node, exp.Identifier):
        return _of_parameter(node, scope)
    if isinstance(node, exp.Explode):
        return node.meta_get(_ELEMENT) or _element(type_of(node.this, scope))
    if isinstance(node, exp.ArrayFilter):
        return _filtered(type_of(node.this, scope))
    if isinstance(node, exp.Dot):
        return _field(type_of(node.this, scope), node.expression.name)
    if isinstance(node, exp.Bracket):
        kind, place = type_of(node.this, scope), bare(node.expressions[0])
        if kind == IDENTITY_MAP and _is_key(place):
            return _IDENTITIES
        if _is_text(place):
            return _field(kind, place.name)
        return None if isinstance(place, exp.Slice) else _element(kind)
    if isinstance(node, exp.Anonymous) and node.name == "map":
        return _MAP
    if isinstance(node, exp.Anonymous) and node.name in ("list_extract", "list_filter"):
        kind = type_of(node.expressions[0], scope)
        if (
            kind == IDENTITY_MAP
            and _is_key(bare(node.expressions[1]))
            and node.meta_get(NAME) == "element_at"
        ):
            return _IDENTITIES
        return _element(kind) if node.name == "list_extract" else _filtered(kind)
    return None


def _of_parameter(node: exp.Identifier, scope: Scope) -> pa.DataType | None:
    """Return the type of what a parameter of a function of elements stands for, if it is an element."""
    around = node.find_ancestor(exp.Lambda)
    while around is not None:
        names = [parameter.name for parameter in around.expressions]
        caller = around.parent
        if node.name in names and isinstance(caller, exp.Anonymous) and caller.name in _PARAMETER_OF_ELEMENT:
            is_element = names.index(node.name) == _PARAMETER_OF_ELEMENT[caller.name]
            return _element(type_of(caller.expressions[0], scope)) if is_element else None
        if node.name in names:
            return None
        around = around.find_ancestor(exp.Lambda)
    return None


def _filtered(kind: pa.DataType | None) -> pa.DataType | None:
    return _IDENTITIES if kind == IDENTITY_MAP else kind


def _is_key(node: exp.Expr) -> bool:
    """Tell whether what is in brackets behind a map is a key, and no place."""
    return _is_text(node) or not isinstance(node, (exp.Literal, exp.Neg, exp.Slice))


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _element(kind: pa.DataType | None) -> pa.DataType | None:
    return kind.value_type if kind is not None and pa.types.is_list(kind) else None


def _field(kind: pa.DataType | None, name: str) -> pa.DataType | None:
    """Return the type of a field of an object, or of the array of a field of objects in an array."""
    if _holds_objects(kind):
        field = _field(_element(kind), name)
        return None if field is None else pa.list_(field)
    if kind is None or not pa.types.is_struct(kind):
        return None
    return next((field.type for field in kind if field.name.lower() == name.lower()), None)


def _holds_objects(kind: pa.DataType | None) -> bool:
    """Tell whether something is an array of objects, of whose fields an array can be made."""
    element = _element(kind)
    return element is not None and pa.types.is_struct(element) and kind not in (IDENTITY_MAP, _IDENTITIES)


def _type_of_column(node: exp.Column, scope: Scope) -> pa.DataType | None:
    found = next((around for around in scope.with_outer() if around.lookup(node) is not None), None)
    return None if found is None else found.nested(node)


def resolved(select: exp.Select, scope: Scope) -> exp.Select:
    """Return a SELECT, its FROM apart, with what it reads inside columns in DuckDB's words.

    Raises:
        UnsupportedError: what a row is to be made of is not known, or there are two such outputs.
    """
    found = (node for part in _own_parts(select) for node in _walked(part))
    if not any(isinstance(node, _READS_INSIDE) or _is_path(node, scope) for node in found):
        return select
    changed = select.copy()
    for name, value in changed.args.items():
        if name in _FROM:
            continue
        if isinstance(value, list):
            changed.set(name, [inside(item, scope) if isinstance(item, exp.Expr) else item for item in value])
        elif isinstance(value, exp.Expr):
            changed.set(name, inside(value, scope))
    return _with_rows(changed, scope)


def _is_path(node: exp.Expr, scope: Scope) -> bool:
    """Tell whether a node may read a field of something that a dataset's column holds."""
    has_parts = isinstance(node, exp.Dot) or (isinstance(node, exp.Column) and len(node.parts) > 1)
    return has_parts and any(table.nested for around in scope.with_outer() for table in around.tables)


def _own_parts(select: exp.Select) -> Iterator[object]:
    return (value for name, value in select.args.items() if name not in _FROM)


def _walked(part: object) -> Iterator[exp.Expr]:
    for item in part if isinstance(part, list) else [part]:
        if isinstance(item, exp.Expr):
            yield from own(item)


def inside(node: exp.Expr, scope: Scope) -> exp.Expr:
    """Return an expression, which is changed, with places in arrays and keys of maps in DuckDB's words."""

    def change(part: exp.Expr) -> exp.Expr | None:
        if isinstance(part, exp.Column):
            return _of_elements(part, scope)
        if isinstance(part, exp.Dot) and _holds_objects(type_of(part.this, scope)):
            return _each(inside(part.this, scope), part.expression.name)
        if isinstance(part, exp.Bracket) and not isinstance(bare(part.expressions[0]), exp.Slice):
            return _at(part, scope)
        if isinstance(part, exp.Anonymous) and part.name in _OF_MAPS and part.expressions:
            of_map = type_of(part.expressions[0], scope) == IDENTITY_MAP
            return fill(_OF_MAPS[part.name], x=inside(part.expressions[0], scope)) if of_map else None
        if part.meta_get(NAME) == "size":
            _count_keys(part.this, scope)
        return _of_key(part, scope) if part.meta_get(NAME) == "element_at" else None

    return rewrite(node, change)


def _of_elements(path: exp.Column, scope: Scope) -> exp.Expr | None:
    """Return a path through an array of objects, ``items.sku``, as the array of what it leads to in each.

    Raises:
        UnknownColumnError: the objects have no such field.
    """
    for end in range(len(path.parts) - 1, 0, -1):
        array = exp.Column(**dict(zip(_PARTS, reversed(path.parts[:end]), strict=False)))
        if _holds_objects(type_of(array, scope)):
            type_of(path, scope)
            return _through(array.copy(), [part.name for part in path.parts[end:]])
    return None


def _through(array: exp.Expr, names: Sequence[str]) -> exp.Expr:
    for name in names:
        array = _each(array, name)
    return array


def _each(array: exp.Expr, name: str) -> exp.Expr:
    """Return the array of a field of the objects in an array."""
    field = exp.to_identifier(name, quoted=True).sql("duckdb")
    return fill(f"LIST_TRANSFORM(x, each -> each.{field})", x=array)


def _count_keys(length: exp.Expr, scope: Scope) -> None:
    """Let the length of a map be that of its keys."""
    kind = type_of(length.this, scope)
    if kind == IDENTITY_MAP:
        length.set("this", fill(_NAMESPACES, x=length.this))
    elif kind == _MAP:
        length.set("this", call("map_keys", length.this))


def _of_key(node: exp.Expr, scope: Scope) -> exp.Expr | None:
    """Return ``element_at(map, key)``; None where it is an element of an array."""
    value, key = node.expressions
    kind = type_of(value, scope)
    if kind == IDENTITY_MAP and _is_key(bare(key)):
        return fill(_OF_NAMESPACE, x=inside(value, scope), k=inside(key, scope))
    return fill(_OF_KEY, x=inside(value, scope), k=inside(key, scope)) if kind == _MAP else None


def _at(node: exp.Bracket, scope: Scope) -> exp.Expr | None:
    """Return one element: of an identity map by its namespace, of an array by its place."""
    kind, place = type_of(node.this, scope), bare(node.expressions[0])
    if kind == IDENTITY_MAP and _is_key(place):
        return fill(_OF_NAMESPACE, x=inside(node.this, scope), k=place)
    if kind is None or not pa.types.is_list(kind):
        return fill(_FIRST, x=inside(node.this, scope)) if isinstance(place, exp.Neg) else None
    # The parser has moved what it knows to be a number to where an array of DuckDB's tree begins, at 0.
    written = exp.apply_index_offset(node.this, node.expressions, 1, dialect="duckdb")[0]
    value = inside(node.this, scope)
    if isinstance(written, exp.Literal) and written.name.isdecimal():
        return call("list_extract", value, number(int(written.name) + 1))
    if isinstance(written, exp.Neg):
        return fill(_FIRST, x=value)
    counted = exp.cast(inside(written, scope), "bigint", dialect="duckdb")
    return fill("LIST_EXTRACT(x, CASE WHEN i >= 0 THEN i + 1 END)", x=value, i=counted)


def _with_rows(select: exp.Select, scope: Scope) -> exp.Select:
    """Return a SELECT whose outputs that make rows are put as columns that are counted up together."""
    made = [output for output in select.expressions if _makes_rows(output.unalias())]
    if len(made) > 1:
        raise UnsupportedError(f"more than {_ONE} is not supported", hint="Use LATERAL VIEW for one of them.")
    outputs: list[exp.Expr] = []
    for output in select.expressions:
        outputs += _rows(output, scope) if output in made else [output]
    select.set("expressions", outputs)
    for part in (found for value in _own_parts(select) for found in _walked(value)):
        if isinstance(part, exp.Aliases):
            raise UnsupportedError("several names for one column are not supported", hint="Give it one.")
        if _makes_rows(part):
            raise UnsupportedError(
                f"{called(part)} inside an expression is not supported", hint=f"SELECT {_ONE}."
            )
    return select


def _makes_rows(node: exp.Expr) -> bool:
    inner = node.this if isinstance(node, exp.Aliases) else node
    return isinstance(inner, _GENERATORS) and called(inner) in GENERATORS


def _rows(output: exp.Expr, scope: Scope) -> list[exp.Expr]:
    """Return the columns of an output that makes rows, under the names it was given."""
    inner = output.unalias()
    names = [name.name for name in inner.expressions] if isinstance(inner, exp.Aliases) else []
    generator = inner.this if isinstance(inner, exp.Aliases) else inner
    if generator.expressions:
        raise UnsupportedError(f"{called(generator)} of several values is not supported", hint="Give it one.")
    columns = _columns(generator, scope)
    if not names and output.alias != called(generator):
        names = [output.alias]
    if names and len(names) != len(columns):
        given = "1 name was" if len(names) == 1 else f"{len(names)} names were"
        raise UnsupportedError(f"{called(generator)} gives {len(columns)} columns, but {given} given")
    chosen = names or [name for name, _ in columns]
    made = []
    for name, (column, array) in zip(chosen, columns, strict=True):
        rows = exp.Explode(this=array)
        rows.meta[_ELEMENT] = _of_column(generator, column, scope)
        made.append(exp.alias_(rows, name, quoted=True))
    return made


def _columns(generator: exp.Expr, scope: Scope) -> list[tuple[str, exp.Expr]]:
    """Return names and arrays of the columns that a generator puts side by side."""
    array = generator.this
    kind = type_of(array, scope)
    if isinstance(generator, exp.Inline):
        return [(name, _each(array, name)) for name in _fields(array, kind)]
    if kind == IDENTITY_MAP:
        columns = [("key", fill(_NAMESPACES, x=array)), ("value", fill(_BY_NAMESPACE, x=array))]
    elif kind == _MAP:
        columns = [("key", call("map_keys", array)), ("value", call("map_values", array))]
    else:
        columns = [("col", array)]
    if isinstance(generator, exp.Posexplode):
        return [("pos", fill("RANGE(LEN(x))", x=columns[0][1])), *columns]
    return columns


def _of_column(generator: exp.Expr, column: str, scope: Scope) -> pa.DataType | None:
    """Return the type of a column that a generator makes, where its array does not show it."""
    if isinstance(generator, exp.Inline):
        return _field(_element(type_of(generator.this, scope)), column)
    return _IDENTITIES if column == "value" and type_of(generator.this, scope) == IDENTITY_MAP else None


def _fields(array: exp.Expr, kind: pa.DataType | None) -> list[str]:
    """Return the fields of the objects in an array, from the schema or as they are written."""
    element = _element(kind)
    if element is not None and pa.types.is_struct(element):
        return [field.name for field in element]
    first = (
        bare(array).expressions[0] if isinstance(bare(array), exp.Array) and bare(array).expressions else None
    )
    if isinstance(first, exp.Struct):
        return [field.name for field in first.expressions]
    raise UnsupportedError(
        "inline of what is no array of objects in a dataset's column is not supported",
        hint="Use explode(…) AS each, and each.field.",
    )
