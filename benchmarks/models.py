"""The attribution models that the benchmarks ask about, and the metrics that each has in their data view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

VIEW: Final = "bench"
"""The data view."""
LAST: Final = "last"
POSITIONAL: Final = {
    "u_shaped": (40, 20, 40),
    "j_curve": (20, 20, 60),
    "inverse_j": (60, 20, 20),
    "custom": (25, 45, 30),
}
"""Models that share by position: percent of the first touch, of those between, of the last."""
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    LAST: {},
    "first": {},
    "same": {},
    "linear": {},
    "participation": {},
    "u_shaped": {},
    "j_curve": {},
    "inverse_j": {},
    "custom": {"weights": dict(zip(("starter", "player", "closer"), POSITIONAL["custom"], strict=True))},
    "time_decay": {"half_life": "7d"},
    "algorithmic": {},
    "markov": {},
}
"""Model → what its definition says besides its name."""


def metrics(base: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return every metric under every model, for persons, looking back 30 days; base: name → field."""
    return {
        metric_name(name, model): {
            "field": field,
            "attribution": {"model": model, "container": "person", "lookback": "30d", **settings},
        }
        for name, field in base.items()
        for model, settings in SETTINGS.items()
    }


def metric_name(name: str, model: str) -> str:
    """Return the name of a metric under a model."""
    return f"{name}_{model}"
