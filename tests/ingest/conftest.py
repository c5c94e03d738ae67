"""What the tests of ingestion share: a home with one dataset, and a reader without a home."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from engine.definitions.model import DatasetDefinition, Definitions
from engine.ingest.accept import accept
from engine.ingest.batch import _READERS, ingest
from engine.ingest.diagnostics import Diagnostics
from engine.ingest.formats import FormatOptions, source_file
from engine.ingest.report import BatchReport
from engine.lake.table import create, files
from engine.world import Home


@pytest.fixture
def open_home(tmp_path) -> Callable[[DatasetDefinition], Home]:
    """Return a function that makes a home with the dataset ``web``."""

    def make(definition: DatasetDefinition) -> Home:
        home = Home.create(tmp_path / "home")
        schema, table = definition.arrow(), home.dataset_path("web")
        with home.lease() as lease:
            version = create(table, schema, timestamp=definition.timestamp)
            defined = Definitions(datasets={"web": definition})
            lease.publish("apply", definitions=defined, datasets={"web": version})
        return home

    return make


@pytest.fixture
def load() -> Callable[..., BatchReport]:
    """Return a function that ingests files into ``web`` and publishes them."""

    def run(home: Home, *paths: Path, **options) -> BatchReport:
        with home.lease() as lease:
            report = ingest(lease, "web", paths, **options)
            lease.publish("ingest", datasets={"web": report.version}, batch=report.record)
        return report

    return run


@pytest.fixture
def stored() -> Callable[[Home], list[dict]]:
    """Return a function that reads the published rows of ``web`` in order of their ids."""

    def read(home: Home) -> list[dict]:
        live = files(home.dataset_path("web"), home.current().datasets["web"])
        tables = [pa.parquet.read_table(file.path) for file in live]
        rows = [row for table in tables for row in table.to_pylist()]
        return sorted(rows, key=lambda row: row["_row"])

    return read


@pytest.fixture(scope="session")
def read_file() -> Callable[..., tuple[list[dict], Diagnostics]]:
    """Return a function that reads, converts and checks a file without a home."""

    def read(path: Path, definition: DatasetDefinition, **options):
        given, diagnostics = FormatOptions(**options), Diagnostics()
        source = source_file(path)
        rows: list[dict] = []
        for block in _READERS[source.kind](source, definition, given):
            rows += accept(block, definition.fields, diagnostics).to_pylist()
        return rows, diagnostics

    return read
