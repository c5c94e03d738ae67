"""From columns of numbers to Arrow tables as a reader of files sees them: ids, words, orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wayline.generate import people, shop
from wayline.generate.randomness import Numbers, mixed, stream_key, uniform, waiting
from wayline.generate.visits import NONE, Columns

_HEX: Final = np.array([f"{byte:02x}".encode() for byte in range(256)], "S2")
_DIGITS: Final = np.array([f"{number:05d}".encode() for number in range(100_000)], "S5")

ITEMS: Final = pa.list_(
    pa.struct(
        [
            ("sku", pa.string()),
            ("quantity", pa.int32()),
            ("price", pa.float64()),
            ("revenue", pa.float64()),
        ]
    )
)


def web_table(seed: int, rows: Columns) -> pa.Table:
    """Return web events as they are written: one row per event, in the order given."""
    bought = rows["event"] == shop.code(shop.EVENTS, "purchase")
    items, revenue = orders(seed, rows["key"], bought)
    known = np.where(rows["known"], people.customer_numbers(seed, rows["person"]), NONE)
    country = people.countries(seed, rows["person"])
    device_type = people.device_types(seed, rows["device"])
    return pa.table(
        {
            "event_id": hexadecimal(mixed(rows["key"], stream_key(seed, "event id"))),
            "ts": timestamps(rows["time"]),
            "device_id": hexadecimal(people.device_numbers(seed, rows["device"])),
            "customer_id": customer_ids(known),
            "device_type": words(device_type, shop.DEVICE_TYPES),
            "country": words(country, shop.COUNTRIES),
            "channel": words(rows["channel"], shop.CHANNELS),
            "campaign": words(rows["campaign"], shop.CAMPAIGNS),
            "page": words(rows["page"], shop.PAGES),
            "event": words(rows["event"], shop.EVENTS),
            "sku": _viewed(seed, rows),
            "revenue": revenue,
            "orders": pa.array(np.ones(bought.size, np.int32), mask=~bought),
            "items": items,
        }
    )


def hexadecimal(numbers: Numbers) -> pa.Array:
    """Return 16 lower-case hexadecimal digits for each number."""
    digits = _HEX[numbers.astype(">u8").view(np.uint8)]
    return _fixed_width(digits.tobytes(), 16, numbers.size)


def customer_ids(numbers: NDArray[np.int64]) -> pa.Array:
    """Return ``C`` and ten digits for each number, NULL for a negative one."""
    text = np.empty((numbers.size, 3), [("text", "S5")])
    shown = numbers.clip(0)
    text["text"][:, 1] = _DIGITS[shown // 100_000]
    text["text"][:, 2] = _DIGITS[shown % 100_000]
    raw = text.view(np.uint8).reshape(numbers.size, 15)[:, 4:]
    raw[:, 0] = ord("C")
    ids = _fixed_width(raw.tobytes(), 11, numbers.size)
    return pa.compute.if_else(pa.array(numbers >= 0), ids, pa.scalar(None, pa.string()))


def timestamps(times: NDArray[np.int64]) -> pa.Array:
    """Return microseconds since the epoch as UTC timestamps."""
    return pa.array(times).cast(pa.timestamp("us", tz="UTC"))


def words(codes: NDArray[Any], known: Sequence[str] | dict[str, float]) -> pa.Array:
    """Return the word for each code, NULL for a negative code, as a dictionary array."""
    indices = pa.array(codes, mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(known), pa.string()))


def orders(seed: int, key: Numbers, bought: NDArray[np.bool_]) -> tuple[pa.Array, pa.Array]:
    """Return the product items and the revenue of each purchase, NULL on all other events.

    A purchase has one to five items of one to three pieces. Revenue is exact in cents.
    """
    buyer = key[bought]
    count = 1 + np.minimum(waiting(uniform(seed, "items", buyer), 1.3), 4).astype(np.int64)
    owner = np.repeat(np.arange(buyer.size), count)
    turn = np.arange(owner.size) - (np.cumsum(count) - count)[owner]
    item = mixed(buyer[owner], stream_key(seed, "item")) + turn.astype(np.uint64)
    product = shop.product_at(uniform(seed, "product", item))
    quantity = 1 + np.floor(uniform(seed, "quantity", item) ** 4 * 3).astype(np.int64)
    price = shop.prices(seed)[product]
    total = np.bincount(owner, price * quantity, buyer.size)
    revenue = np.zeros(key.size)
    revenue[bought] = total / 100
    values = _items(product, quantity, price)
    offsets = np.append(0, np.cumsum(np.bincount(np.flatnonzero(bought), count, key.size)))
    items = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, mask=pa.array(~bought))
    return items, pa.array(revenue, mask=~bought)


def _items(product: NDArray[np.int64], quantity: NDArray[np.int64], price: NDArray[np.int64]) -> pa.Array:
    skus = pa.array([shop.sku(number) for number in range(shop.PRODUCTS)])
    arrays = [
        skus.take(pa.array(product)),
        pa.array(quantity.astype(np.int32)),
        pa.array(price / 100),
        pa.array(price * quantity / 100),
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(ITEMS.value_type))


def _viewed(seed: int, rows: Columns) -> pa.Array:
    """Return the product on product pages, NULL elsewhere."""
    product = shop.product_at(uniform(seed, "viewed", rows["key"])).astype(np.int16)
    shown = np.where(rows["page"] == shop.code(shop.PAGES, "product"), product, np.int16(NONE))
    return words(shown, [shop.sku(number) for number in range(shop.PRODUCTS)])


def _fixed_width(text: bytes, width: int, count: int) -> pa.Array:
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text)]
    return pa.StringArray.from_buffers(count, buffers[1], buffers[2])
