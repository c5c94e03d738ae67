"""The words of attribution: models and containers, and the array types that all kernels share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

Rows: TypeAlias = npt.NDArray[np.int32]
Times: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.uint8]
Values: TypeAlias = npt.NDArray[np.float64]

ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
MASK: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)
VALUES: Final = nb.types.Array(nb.float64, 1, "C", readonly=True)
"""What kernels read: arrays that may be views of read-only memory."""


class Model(StrEnum):
    """How a conversion is split over the touches before it."""

    LAST = "last"
    FIRST = "first"
    SAME = "same"
    LINEAR = "linear"
    PARTICIPATION = "participation"
    U_SHAPED = "u_shaped"
    J_CURVE = "j_curve"
    INVERSE_J = "inverse_j"
    TIME_DECAY = "time_decay"
    CUSTOM = "custom"


SINGLES: Final = frozenset({Model.LAST, Model.FIRST, Model.SAME})
"""Models that give a conversion to one touch."""


class Container(StrEnum):
    """Where a conversion's touches may lie: in its session or anywhere in the journey."""

    SESSION = "session"
    PERSON = "person"


class Weights(NamedTuple):
    """Shares of the first touch, of all between together, and of the last; only proportions matter."""

    starter: float
    player: float
    closer: float


NAMED_WEIGHTS: Final = {
    Model.U_SHAPED: Weights(40, 20, 40),
    Model.J_CURVE: Weights(20, 20, 60),
    Model.INVERSE_J: Weights(60, 20, 20),
}


@dataclass(frozen=True)
class Rule:
    """A model with its settings.

    Attributes:
        half_life: µs, of time decay.
        weights: of the custom model.
    """

    model: Model
    half_life: int = 7 * 86_400_000_000
    weights: Weights | None = None


class Codes(NamedTuple):
    """Numbers that stand for values.

    Attributes:
        codes: int32[N], from 0 up and below ``distinct``.
        distinct: how many values there are at most.
    """

    codes: Rows
    distinct: int
