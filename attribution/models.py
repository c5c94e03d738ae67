"""The words of attribution: models and containers, and the array types that all kernels share."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Rows: TypeAlias = npt.NDArray[np.int32]
Times: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.uint8]
Values: TypeAlias = npt.NDArray[np.float64]


class Model(StrEnum):
    """How a conversion is split over the touches before it."""

    LAST = "last"
    FIRST = "first"
    SAME = "same"
    LINEAR = "linear"


class Container(StrEnum):
    """Where a conversion's touches may lie: in its session or anywhere in the journey."""

    SESSION = "session"
    PERSON = "person"
