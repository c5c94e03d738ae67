"""Turns a block into typed rows; the records that do not fit go to the diagnostics."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.catalog.records import Reject
from engine.definitions.model import FieldDefinition
from engine.ingest.block import Block
from engine.ingest.convert import Problem, convert
from engine.ingest.diagnostics import RECORD_LENGTH, Diagnostics


def accept(block: Block, fields: Mapping[str, FieldDefinition], diagnostics: Diagnostics) -> pa.Table:
    """Return the block's good records, typed; each other one is counted for its first problem."""
    for reject in block.rejects:
        diagnostics.add(reject)
    table, problems = convert(block.table, len(block.lines), fields)
    good = np.ones(len(block.lines), np.bool_)
    for problem in problems:
        _reject(block, problem, np.flatnonzero(problem.rows & good), diagnostics)
        good &= ~problem.rows
    accepted = table.filter(pa.array(good)) if problems else table
    diagnostics.accepted += accepted.num_rows
    return accepted


def _reject(block: Block, problem: Problem, rows: npt.NDArray[np.int64], diagnostics: Diagnostics) -> None:
    for done, row in enumerate(rows):
        if not diagnostics.wants_records:
            diagnostics.count(problem.code, problem.reason, len(rows) - done)
            return
        text = block.text(int(row))[:RECORD_LENGTH]
        line = int(block.lines[row])
        diagnostics.add(Reject(block.file, line, problem.code, problem.reason, text))
