"""PostgreSQL's types as the wire knows them, and which one carries each Arrow type.

One table, because row descriptions, parameters, binary values and ``pg_type`` must all agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import pyarrow as pa


@dataclass(frozen=True)
class PgType:
    """A type that a client can be told about.

    Attributes:
        oid: PostgreSQL's fixed number of the type.
        name: ``pg_type.typname``.
        size: bytes of a value, -1 if it varies.
        array: oid of the array type over it, 0 if there is none.
        category: ``pg_type.typcategory``.
        display: what ``format_type`` calls it.
        functions: stem of its input and output functions.
    """

    oid: int
    name: str
    size: int
    array: int
    category: str
    display: str
    functions: str


def _type(oid: int, name: str, size: int, array: int, category: str, display: str = "") -> PgType:
    stem = f"{name}_" if name in _UNDERSCORED else name
    return PgType(oid, name, size, array, category, display or name, stem)


_UNDERSCORED: Final = frozenset(
    (
        *("numeric", "date", "time", "timetz", "timestamp", "timestamptz", "interval"),
        *("json", "jsonb", "uuid", "void", "record"),
    )
)

SCALARS: Final[tuple[PgType, ...]] = (
    _type(16, "bool", 1, 1000, "B", "boolean"),
    _type(17, "bytea", -1, 1001, "U"),
    _type(18, "char", 1, 1002, "Z", '"char"'),
    _type(19, "name", 64, 1003, "S"),
    _type(20, "int8", 8, 1016, "N", "bigint"),
    _type(21, "int2", 2, 1005, "N", "smallint"),
    _type(22, "int2vector", -1, 1006, "A"),
    _type(23, "int4", 4, 1007, "N", "integer"),
    _type(24, "regproc", 4, 1008, "N"),
    _type(25, "text", -1, 1009, "S"),
    _type(26, "oid", 4, 1028, "N"),
    _type(28, "xid", 4, 1011, "U"),
    _type(30, "oidvector", -1, 1013, "A"),
    _type(114, "json", -1, 199, "U"),
    _type(700, "float4", 4, 1021, "N", "real"),
    _type(701, "float8", 8, 1022, "N", "double precision"),
    _type(705, "unknown", -2, 0, "X"),
    _type(1042, "bpchar", -1, 1014, "S", "character"),
    _type(1043, "varchar", -1, 1015, "S", "character varying"),
    _type(1082, "date", 4, 1182, "D"),
    _type(1083, "time", 8, 1183, "D", "time without time zone"),
    _type(1114, "timestamp", 8, 1115, "D", "timestamp without time zone"),
    _type(1184, "timestamptz", 8, 1185, "D", "timestamp with time zone"),
    _type(1186, "interval", 16, 1187, "T"),
    _type(1266, "timetz", 12, 1270, "D", "time with time zone"),
    _type(1700, "numeric", -1, 1231, "N"),
    _type(2202, "regprocedure", 4, 2207, "N"),
    _type(2203, "regoper", 4, 2208, "N"),
    _type(2204, "regoperator", 4, 2209, "N"),
    _type(2205, "regclass", 4, 2210, "N"),
    _type(2206, "regtype", 4, 2211, "N"),
    _type(2249, "record", -1, 2287, "P"),
    _type(2278, "void", 4, 0, "P"),
    _type(2950, "uuid", 16, 2951, "U"),
    _type(3734, "regconfig", 4, 3735, "N"),
    _type(3769, "regdictionary", 4, 3770, "N"),
    _type(3802, "jsonb", -1, 3807, "U"),
    _type(4089, "regnamespace", 4, 4090, "N"),
    _type(4096, "regrole", 4, 4097, "N"),
    _type(4191, "regcollation", 4, 4192, "N"),
)

BY_NAME: Final[dict[str, PgType]] = {scalar.name: scalar for scalar in SCALARS}
BY_OID: Final[dict[int, PgType]] = {scalar.oid: scalar for scalar in SCALARS}
ELEMENT_OF: Final[dict[int, PgType]] = {scalar.array: scalar for scalar in SCALARS if scalar.array}

_ARROW: Final[dict[pa.DataType, str]] = {
    pa.bool_(): "bool",
    pa.int8(): "int2",
    pa.uint8(): "int2",
    pa.int16(): "int2",
    pa.uint16(): "int4",
    pa.int32(): "int4",
    pa.uint32(): "int8",
    pa.int64(): "int8",
    pa.uint64(): "numeric",
    pa.float32(): "float4",
    pa.float64(): "float8",
    pa.date32(): "date",
    pa.month_day_nano_interval(): "interval",
}
NUMERIC: Final = pa.decimal128(38, 10)
"""``numeric`` without precision and scale: its digits are shown up to the last that is not zero."""
_NUMERICS: Final = (NUMERIC, pa.decimal128(38, 20))

_VALUES: Final[dict[str, pa.DataType]] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "oid": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "numeric": NUMERIC,
    "text": pa.string(),
    "varchar": pa.string(),
    "bpchar": pa.string(),
    "name": pa.string(),
    "char": pa.string(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timetz": pa.string(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "interval": pa.month_day_nano_interval(),
    "bytea": pa.binary(),
    "uuid": pa.uuid(),
    "json": pa.json_(),
    "jsonb": pa.json_(),
}


class NamedType(pa.ExtensionType):  # type: ignore[misc]  # pyarrow ships no type hints
    """An Arrow type that insists on one PostgreSQL type, as columns of the catalogs do (``oid``).

    Args:
        pg_name: name of a scalar of this module, or of its array type with a leading underscore.
        storage: Arrow type of the values.
    """

    def __init__(self, pg_name: str, storage: pa.DataType) -> None:
        self.pg_name = pg_name
        super().__init__(storage, f"wayline.{pg_name}")

    def __hash__(self) -> int:
        return hash((self.pg_name, self.storage_type))

    def __arrow_ext_serialize__(self) -> bytes:
        return self.pg_name.encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> NamedType:
        return cls(serialized.decode(), storage)


class CompositeType(NamedType):
    """Structs that are told as values of a type with a name, by which clients find out what its fields are.

    Args:
        name: ``pg_type.typname``.
        oid: ``pg_type.oid``.
        array: oid of the array type over it.
        storage: the fields.
    """

    def __init__(self, name: str, oid: int, array: int, storage: pa.StructType) -> None:
        self.name = name
        self.oid = oid
        self.array = array
        super().__init__("record", storage)

    def __arrow_ext_serialize__(self) -> bytes:
        return f"{self.oid} {self.array} {self.name}".encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> CompositeType:
        oid, array, name = serialized.decode().split(" ", 2)
        return cls(name, int(oid), int(array), storage)

    def over(self, storage: pa.StructType) -> CompositeType:
        """Return the same type over fields that are kept otherwise."""
        return CompositeType(self.name, self.oid, self.array, storage)


def is_unconstrained(arrow_type: pa.DataType) -> bool:
    """Tell whether decimals are shown without the zeros at their end: ``NUMERIC``, and products of it."""
    return arrow_type in _NUMERICS


def plain_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the type without our name for it; Arrow's own extensions stay."""
    return arrow_type.storage_type if isinstance(arrow_type, NamedType) else arrow_type


def kept_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the type without our names for it, inside lists and structs as well."""
    if pa.types.is_list(arrow_type):
        return pa.list_(arrow_type.value_field.with_type(kept_type(arrow_type.value_type)))
    if pa.types.is_struct(arrow_type):
        return pa.struct([field.with_type(kept_type(field.type)) for field in arrow_type])
    return kept_type(arrow_type.storage_type) if isinstance(arrow_type, NamedType) else arrow_type


def storage_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the Arrow type that values are sent from; extensions and dictionaries are opened.

    A column of nothing but NULL is text.
    """
    if pa.types.is_null(arrow_type):
        return pa.string()
    if isinstance(arrow_type, pa.BaseExtensionType):
        return storage_type(arrow_type.storage_type)
    if pa.types.is_dictionary(arrow_type):
        return storage_type(arrow_type.value_type)
    return arrow_type


@lru_cache(maxsize=1024)
def pg_name(arrow_type: pa.DataType) -> str:
    """Return the ``pg_type.typname`` that carries values of an Arrow type; text where none fits.

    A list of lists is an array of several dimensions; a list of maps is text.
    """
    if isinstance(arrow_type, NamedType):
        return arrow_type.pg_name
    if isinstance(arrow_type, pa.BaseExtensionType):
        return {"arrow.uuid": "uuid", "arrow.json": "json"}.get(
            arrow_type.extension_name, pg_name(arrow_type.storage_type)
        )
    if pa.types.is_dictionary(arrow_type):
        return pg_name(arrow_type.value_type)
    return _ARROW.get(arrow_type) or _parametric_name(arrow_type)


def _parametric_name(arrow_type: pa.DataType) -> str:
    is_ = pa.types
    if is_.is_timestamp(arrow_type):
        return "timestamptz" if arrow_type.tz else "timestamp"
    if is_.is_decimal(arrow_type):
        return "numeric"
    if is_.is_time(arrow_type):
        return "time"
    if is_.is_duration(arrow_type):
        return "interval"
    if is_.is_binary(arrow_type) or is_.is_large_binary(arrow_type):
        return "bytea"
    if is_.is_struct(arrow_type):
        return "record"
    if is_.is_map(arrow_type):
        return "_record"
    if is_.is_list(arrow_type):
        element = pg_name(arrow_type.value_type)
        return (
            element if is_.is_list(arrow_type.value_type) else "text" if element[0] == "_" else f"_{element}"
        )
    return "text"


def pg_oid(arrow_type: pa.DataType) -> int:
    """Return the oid of the PostgreSQL type that carries values of an Arrow type."""
    leaf = arrow_type
    while pa.types.is_list(leaf):
        leaf = leaf.value_type
    if isinstance(leaf, CompositeType):
        return leaf.oid if leaf is arrow_type else leaf.array
    name = pg_name(arrow_type)
    return BY_NAME[name[1:]].array if name.startswith("_") else BY_NAME[name].oid


def pg_size(arrow_type: pa.DataType) -> int:
    """Return the size that a row description gives for an Arrow type; -1 if it varies."""
    name = pg_name(arrow_type)
    return -1 if name.startswith("_") else BY_NAME[name].size


def pg_modifier(arrow_type: pa.DataType) -> int:
    """Return the type modifier (``numeric(12,2)`` → its precision and scale), -1 for none."""
    storage = storage_type(arrow_type)
    if not pa.types.is_decimal(storage) or not storage.scale or is_unconstrained(storage):
        return -1
    precision, scale = int(storage.precision), int(storage.scale)
    return ((precision << 16) | scale) + 4


def parameter_type(oid: int) -> pa.DataType | None:
    """Return the Arrow type of a parameter that the client declared by oid; None if left open.

    Types that we have no values for are left open too, to be inferred from the statement.
    """
    if oid in ELEMENT_OF:
        return named_type(f"_{ELEMENT_OF[oid].name}")
    return named_type(BY_OID[oid].name) if oid in BY_OID else None


def named_type(name: str) -> pa.DataType | None:
    """Return the Arrow type for values of ``pg_type.typname``; None if we have no values of it.

    It is a NamedType where Arrow's type alone would be told to the client as another.
    """
    if name.startswith("_"):
        element = named_type(name[1:])
        return None if element is None else pa.list_(element)
    known = _VALUES.get(name)
    return known if known is None or pg_name(known) == name else NamedType(name, storage_type(known))
