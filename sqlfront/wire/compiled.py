"""The compiled encoder of rows: there once its kernels are, which may take seconds on a new machine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import pyarrow as pa

_LOG = logging.getLogger(__name__)
DataRows = Callable[[pa.RecordBatch, Sequence[pa.DataType], Sequence[bool], bytes], memoryview]
_loaded: list[DataRows] = []


def data_rows() -> DataRows | None:
    """Return ``scatter.data_rows``, None as long as it is not loaded."""
    return _loaded[0] if _loaded else None


def load() -> None:
    """Load the compiled encoder, and compile it if this machine has not kept its machine code."""
    from sqlfront.wire import scatter

    _loaded[:] = [scatter.data_rows]


def load_in_background() -> None:
    """Load it while clients are served without; a machine that cannot compile goes on like that."""
    if not _loaded:
        threading.Thread(target=_load_or_warn, name="wire-kernels", daemon=True).start()


def _load_or_warn() -> None:
    try:
        load()
    except Exception:  # whatever the compiler says, rows can be sent without it
        _LOG.warning("the fast encoder of rows is not available", exc_info=True)
