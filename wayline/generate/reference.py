"""What is known beside events: the CRM profile of each registered person and the product lookup."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from wayline.generate import people, shop
from wayline.generate.randomness import pick, uniform
from wayline.generate.render import customer_ids, words
from wayline.generate.visits import Plan

_BLOCK: Final = 200_000
_OLDEST_DAYS: Final = 6 * 365


def profiles(plan: Plan) -> Iterator[pa.Table]:
    """Yield customer_id, segment, country and since (date) of registered persons in blocks."""
    for first in range(0, plan.persons, _BLOCK):
        person = np.arange(first, min(first + _BLOCK, plan.persons), dtype=np.uint64)
        person = person[people.is_registered(plan.seed, person)]
        age = np.floor(uniform(plan.seed, "since", person) ** 2 * _OLDEST_DAYS).astype(np.int32)
        last = (shop.FIRST_DAY + timedelta(days=shop.DAYS - 1) - date(1970, 1, 1)).days
        segment = pick(uniform(plan.seed, "segment", person), list(shop.SEGMENTS.values()))
        yield pa.table(
            {
                "customer_id": customer_ids(people.customer_numbers(plan.seed, person)),
                "segment": words(segment, shop.SEGMENTS),
                "country": words(people.countries(plan.seed, person), shop.COUNTRIES),
                "since": pa.array(np.int32(last) - age).cast(pa.date32()),
            }
        )


def products(plan: Plan) -> pa.Table:
    """Return the product lookup: sku, name, category, brand, cost."""
    return pa.Table.from_pylist(shop.product_rows(plan.seed))
