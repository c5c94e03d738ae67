"""Identity pairs, events and devices to ask about, and all ways of making graphs and persons of them.

Five pairs to a person: its three browsers, of which one in fifty is somebody else's.
``python -m benchmarks.graph_stage WAY PAIRS SEED`` prints the bytes that one way needs, in its own process.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute

from benchmarks.answers import Row
from benchmarks.memory import peak, resident
from benchmarks.peer_tables import THREADS, peer_sql
from stitching import field_based
from stitching.graph import LINKS, Resolved, Rules, lookup, resolve

PAIRS_PER_PERSON: Final = 5
BROWSERS: Final = 3
SHARED: Final = 0.02
NAMED: Final = 0.1
PERSON: Final = "CRMID"
BROWSER: Final = "ECID"
APART: Final = Rules((PERSON, BROWSER), frozenset({PERSON}), {BROWSER: "cookie"})
TOGETHER: Final = Rules((PERSON, BROWSER), frozenset(), {BROWSER: "cookie"}, sys.maxsize)
"""Nothing is kept apart and nothing is too large: what SciPy and SQL can do too."""


@dataclass(frozen=True)
class Stage:
    """What every way is given, made when it is first asked for.

    Attributes:
        count: how many pairs, events, and devices asked about.
        seed: of all of them.
    """

    count: int
    seed: int

    @cached_property
    def links(self) -> pl.DataFrame:
        """Return the pairs as sights of links (``LINKS``)."""
        rows = self._visits()
        return rows.select(
            namespace_a=pl.lit(PERSON),
            value_a="person",
            namespace_b=pl.lit(BROWSER),
            value_b="device",
            first="time",
            last="time",
            records=pl.lit(1, pl.Int64),
        ).cast(LINKS)

    @cached_property
    def events(self) -> pl.DataFrame:
        """Return events of the same browsers, of which one in ten names its person."""
        named = pl.Series(np.random.default_rng(self.seed + 1).random(self.count) < NAMED)
        return self._visits().with_columns(person=pl.when(named).then("person")).with_row_index("row")

    @cached_property
    def texts(self) -> pa.Table:
        """Return each side's identities as one text, for peers that want them so."""
        sides = [pl.concat_str(f"namespace_{end}", pl.lit(":"), f"value_{end}") for end in "ab"]
        return self.links.select(one=sides[0], other=sides[1]).to_arrow()

    @cached_property
    def resolved(self) -> Resolved:
        """Return the graphs that lookups ask."""
        return resolve(self.links, APART)

    @cached_property
    def asked(self) -> pl.DataFrame:
        """Return identities to look up: the events' browsers."""
        return self.events.select(namespace=pl.lit(BROWSER), value="device")

    @cached_property
    def database(self) -> duckdb.DuckDBPyConnection:
        """Return DuckDB with pairs, events, nodes and what is asked as its own tables."""
        database = duckdb.connect(config={"threads": THREADS})
        database.register("links", self.links.to_arrow())
        database.execute(peer_sql("graph_pairs")).fetchall()
        return database

    def run(self, statements: str) -> list[Row]:
        """Let DuckDB carry statements out; return the last one's rows."""
        return self.database.execute(statements).fetchall()

    def load(self, **frames: pl.DataFrame) -> None:
        """Give DuckDB further tables."""
        for name, frame in frames.items():
            self.database.register("arriving", frame.to_arrow())
            self.run(f"CREATE OR REPLACE TABLE {name} AS FROM arriving")
            self.database.unregister("arriving")

    def _visits(self) -> pl.DataFrame:
        random = np.random.default_rng(self.seed)
        persons = max(self.count // PAIRS_PER_PERSON, 1)
        person = random.integers(0, persons, self.count)
        device = person * BROWSERS + random.integers(0, BROWSERS, self.count)
        strange = random.random(self.count) < SHARED
        device[strange] = random.integers(0, persons * BROWSERS, strange.sum())
        # Times are distinct, so that all sides agree on who was last.
        time = random.permutation(self.count) * 1_000_000
        names = pl.DataFrame({"person": person, "device": device, "time": time})
        return names.with_columns(
            person=pl.format("C{}", "person"), device=pl.col("device").cast(pl.String).str.zfill(38)
        ).rechunk()


def together(stage: Stage) -> Resolved:
    """Make graphs with nothing kept apart."""
    return resolve(stage.links, TOGETHER)


def apart(stage: Stage) -> Resolved:
    """Make graphs as they are used: one person each, and of a limited size."""
    return resolve(stage.links, APART)


def scipy(stage: Stage) -> Any:
    """Number the texts and ask SciPy for the components; return the number of each identity's."""
    sparse = importlib.import_module("scipy.sparse")
    both = pa.chunked_array([*stage.texts["one"].chunks, *stage.texts["other"].chunks])
    numbers = pa.compute.dictionary_encode(both).combine_chunks()
    codes, count = numbers.indices.to_numpy(), len(numbers.dictionary)
    ends, others = codes[: stage.count], codes[stage.count :]
    matrix = sparse.coo_matrix((np.ones(stage.count, np.int8), (ends, others)), shape=(count, count))
    return importlib.import_module("scipy.sparse.csgraph").connected_components(matrix, directed=False)[1]


def steps(stage: Stage) -> None:
    """Let DuckDB spread the smallest label, round by round, until none changes."""
    stage.run(peer_sql("graph_numbers"))
    changed = True
    while changed:
        stage.run(peer_sql("graph_step"))
        changed = stage.run("SELECT changed FROM changes")[0][0]
    stage.run(peer_sql("graph_named"))


def recursive(stage: Stage) -> None:
    """Let DuckDB spread the smallest label by recursion."""
    for name in ("graph_numbers", "graph_recursive", "graph_named"):
        stage.run(peer_sql(name))


def live(stage: Stage) -> pl.DataFrame:
    """Stitch the events as one arriving batch."""
    memory = pl.DataFrame(schema={"device": pl.String, "person": pl.String})
    return field_based.live(stage.events, memory).rows


def live_sql(stage: Stage) -> None:
    """Let DuckDB do the same by a window."""
    stage.run(peer_sql("stitch_live"))


def looked_up(stage: Stage) -> pl.Series:
    """Ask the graphs for the person of each event's browser."""
    return lookup(stage.resolved.nodes, stage.asked, PERSON)


def looked_up_sql(stage: Stage) -> None:
    """Let DuckDB do the same by joins."""
    stage.run(peer_sql("graph_lookup", {"wanted": PERSON}))


def sizes(components: pl.Series) -> list[Row]:
    """Return how many components of each size there are."""
    counts = components.drop_nulls().value_counts(name="size")["size"]
    return counts.value_counts(name="number").rows()


def persons(found: pl.Series) -> list[Row]:
    """Return one number for who is whose, in whatever order."""
    return [("persons", int((found.drop_nulls().hash(0) % 1_000_003).sum())), ("rows", found.count())]


def memory_of(way: str, stage: Stage) -> int:
    """Return the bytes that a way needs beyond what it is given, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.graph_stage", way, str(stage.count), str(stage.seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


WAYS: Final[Mapping[str, Callable[[Stage], Any]]] = {"apart": apart, "scipy": scipy, "together": together}


def main() -> None:
    """Take a way once on little, then on everything, and print what that took."""
    way, stage = WAYS[sys.argv[1]], Stage(int(sys.argv[2]), int(sys.argv[3]))
    way(Stage(10, 1))
    given = stage.texts if sys.argv[1] == "scipy" else stage.links
    idle = resident()
    way(stage)
    del given
    sys.stdout.write(str(peak() - idle))


if __name__ == "__main__":
    main()
