"""A process killed in the middle of a batch leaves the dataset as it was."""

import subprocess
import sys

import pytest

from engine.catalog.records import BatchStatus
from engine.definitions.model import DatasetDefinition
from engine.ingest.batch import abandon_unfinished
from engine.lake.table import commits, latest_version
from engine.world import Home

WEB = DatasetDefinition.model_validate({"timestamp": "ts", "fields": {"id": "string", "ts": "timestamp"}})
# The child kills itself with SIGKILL at the named point.
CHILD = """
import os, signal, sys
from engine.ingest.batch import ingest
from engine.lake.batch import BatchWriter
from engine.world import Home

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

root, file, point = sys.argv[1:]
commit = BatchWriter.commit
def commit_and_die(writer, *given, **named):
    commit(writer, *given, **named)
    die()
def flush_and_die(writer, *given, **named):
    writer._flush()
    die()
BatchWriter.commit = {"files written": flush_and_die, "committed": commit_and_die}[point]
home = Home.open(root)
with home.lease() as lease:
    ingest(lease, "web", [file])
"""


@pytest.fixture
def killed(open_home, tmp_path):
    home = open_home(WEB)
    home.close()
    path = tmp_path / "a.csv"
    path.write_text("id,ts\na,2024-01-01\nb,2024-01-02\n")

    def run(point: str) -> Home:
        arguments = [sys.executable, "-c", CHILD, str(home.root), str(path), point]
        process = subprocess.run(arguments, check=False, capture_output=True, text=True)
        assert process.returncode == -9, process.stderr
        return Home.open(home.root)

    return run


def test_files_without_a_commit_are_garbage_and_go(killed):
    home = killed("files written")
    assert latest_version(home.dataset_path("web")) == 0
    assert list(home.dataset_path("web").glob("*.parquet"))
    with home.lease(wait=1) as lease:
        (left,) = abandon_unfinished(lease)
    assert not list(home.dataset_path("web").glob("*.parquet"))
    assert home.catalog.batch(left.id).status is BatchStatus.FAILED


def test_a_commit_without_a_world_is_not_seen_but_can_be_published(killed):
    home = killed("committed")
    assert home.current().datasets == {"web": 0}
    ((version, information),) = commits(home.dataset_path("web"), 0, 1)
    record = home.catalog.batch(information["batch"])
    assert (version, record.status, record.output_records) == (1, BatchStatus.LOADING, 2)
