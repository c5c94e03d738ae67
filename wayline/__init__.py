"""The face of wayline: command line, demo and demo data, and ``wayline.open`` for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import WaylineError

if TYPE_CHECKING:
    from pathlib import Path

    from wayline.notebook import OpenHome

__all__ = ["WaylineError", "open"]


def open(home: Path | str) -> OpenHome:  # noqa: A001 - wayline.open() reads like gzip.open()
    """Open a home to ask reports.

    Args:
        home: the home folder.

    Raises:
        WaylineError: the folder is not a home, or cannot be read.
    """
    # Not at the top, so that ``import wayline`` takes no time.
    from wayline.notebook import OpenHome

    return OpenHome(home)
