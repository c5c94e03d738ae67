"""The notebooks run from top to bottom against the served demo, and draw what they say."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.clients.contract import ROOT
from tests.clients.server import served_shop

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_shop(tmp_path_factory.mktemp("shop")) as served:
        told = served.environment()
        user = f"{told['WAYLINE_USER']}:{told['WAYLINE_PASSWORD']}"
        options = urlencode({"sslmode": "verify-full", "sslrootcert": told["WAYLINE_CA"]})
        yield f"postgresql://{user}@{served.host}:{served.port}/wayline?{options}"


@pytest.mark.clients
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_draws(path: Path, dsn: str) -> None:
    done = subprocess.run(
        [str(ROOT / ".venv-clients" / "bin" / "python"), str(ROOT / "tests/notebooks/execute.py"), str(path)],
        env=os.environ | {"WAYLINE_DSN": dsn, "PLOOMBER_STATS_ENABLED": "false", "MPLBACKEND": "inline"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == "2 pictures\n", done.stderr[-3000:]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_kept_without_results(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
