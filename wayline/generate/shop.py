"""The shop that the demo data comes from: its words, how often each occurs, and 200 products."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wayline.generate.randomness import Draws, pick, uniform

DAYS: Final = 90
QUARTER: Final = range(DAYS)
"""The generated days, counted from the first."""
FIRST_DAY: Final = date(2026, 1, 1)
DAY: Final = 86_400_000_000
"""One day in microseconds."""
START: Final = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
"""First microsecond of the generated quarter, UTC."""

CHANNELS: Final = {
    "organic search": 0.30,
    "paid search": 0.22,
    "email": 0.14,
    "social": 0.12,
    "display": 0.08,
    "affiliate": 0.06,
    "referral": 0.05,
    "sms": 0.03,
}
UNPAID: Final = ("organic search", "referral")
THEMES: Final = ("brand", "winter sale", "new arrivals", "loyalty", "clearance")
CAMPAIGNS: Final = tuple(f"{channel} {theme}" for channel in CHANNELS for theme in THEMES)

PAGES: Final = {
    "home": 0.12,
    "category": 0.26,
    "product": 0.36,
    "search results": 0.14,
    "account": 0.06,
    "help": 0.06,
    "login": 0.0,
    "cart": 0.0,
    "checkout": 0.0,
    "order complete": 0.0,
}
EVENTS: Final = ("page view", "product view", "login", "add to cart", "checkout", "purchase")
COUNTRIES: Final = {
    "DE": 0.46,
    "AT": 0.12,
    "CH": 0.11,
    "FR": 0.09,
    "NL": 0.08,
    "GB": 0.06,
    "PL": 0.05,
    "US": 0.03,
}
DEVICE_TYPES: Final = {"mobile": 0.48, "desktop": 0.32, "app": 0.14, "tablet": 0.06}
REASONS: Final = {
    "where is my order": 0.34,
    "return": 0.22,
    "payment": 0.14,
    "product advice": 0.14,
    "account": 0.09,
    "complaint": 0.07,
}
SEGMENTS: Final = {"standard": 0.62, "silver": 0.24, "gold": 0.11, "business": 0.03}
CATEGORIES: Final = {
    "shoes": 0.25,
    "jackets": 0.15,
    "shirts": 0.25,
    "bags": 0.15,
    "outdoor": 0.12,
    "accessories": 0.08,
}
BRANDS: Final = {"Alder": 0.3, "Birch": 0.25, "Cedar": 0.2, "Hazel": 0.15, "Rowan": 0.1}

HOURS: Final = (2, 1, 1, 1, 1, 2, 4, 6, 8, 8, 8, 8, 9, 8, 8, 8, 9, 10, 12, 13, 13, 11, 7, 4)
"""Relative number of sessions that start in each hour of a day, UTC."""
WEEKDAYS: Final = (1.02, 0.98, 0.97, 1.0, 0.96, 0.98, 1.18)

PRODUCTS: Final = 200


def code(words: dict[str, float] | tuple[str, ...], word: str) -> int:
    """Return the number that stands for a word of one of the lists above."""
    return list(words).index(word)


def day_weights() -> NDArray[np.float64]:
    """Return each day's share of the quarter's events: a weekly rhythm on slow growth."""
    days = np.arange(DAYS)
    weekday = np.array(WEEKDAYS)[(days + FIRST_DAY.weekday()) % 7]
    share = weekday * (1 + 0.2 * days / DAYS)
    return np.asarray(share / share.sum(), np.float64)


def prices(seed: int) -> NDArray[np.int64]:
    """Return product prices in cents: 5 to 305 euros, mostly below 100, ending in 45 or 95."""
    draws = uniform(seed, "price", np.arange(PRODUCTS, dtype=np.uint64))
    halves = np.rint(10 + 600 * draws**3).astype(np.int64)
    return halves * 50 - 5


def product_at(draws: Draws) -> NDArray[np.int64]:
    """Turn draws into product numbers; a few products sell most."""
    return np.asarray(np.floor(draws**2 * PRODUCTS), np.int64)


def sku(product: int) -> str:
    """Return the stock-keeping unit of a product number."""
    return f"SKU-{product:04d}"


def product_rows(seed: int) -> list[dict[str, object]]:
    """Return the product lookup: sku, name, category, brand and cost of each product."""
    numbers = np.arange(PRODUCTS, dtype=np.uint64)
    categories, brands = list(CATEGORIES), list(BRANDS)
    category = pick(uniform(seed, "category", numbers), list(CATEGORIES.values()))
    brand = pick(uniform(seed, "brand", numbers), list(BRANDS.values()))
    cost = np.rint(prices(seed) * (0.4 + 0.3 * uniform(seed, "cost", numbers))) / 100
    return [
        {
            "sku": sku(number),
            "name": f"{brands[brand[number]]} {categories[category[number]]} {number:03d}",
            "category": categories[category[number]],
            "brand": brands[brand[number]],
            "cost": float(cost[number]),
        }
        for number in range(PRODUCTS)
    ]
