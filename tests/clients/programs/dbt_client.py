"""dbt-postgres on the shop: debug, run and show of ephemeral models, tests of sources, documentation.

dbt writes no tables or views here, as the server takes none: models are ephemeral.
"""

import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

from dbt.cli.main import dbtRunner, dbtRunnerResult

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

PROJECT = Path(__file__).parents[1] / "dbt"
FOLDER = Path(tempfile.mkdtemp())
QUIET = ["--quiet", "--log-level", "none"]
os.environ |= {"DBT_TARGET_PATH": str(FOLDER), "DBT_LOG_PATH": str(FOLDER)}


def dbt(*arguments: str, password: str = program.PASSWORD) -> dbtRunnerResult:
    os.environ["WAYLINE_PASSWORD"] = password
    place = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    return dbtRunner().invoke([*arguments, *place, *QUIET])


def done(result: dbtRunnerResult) -> dbtRunnerResult:
    if result.exception is not None:
        raise result.exception
    if not result.success:
        raise RuntimeError("; ".join(str(each.message) for each in result.result))
    return result


def show(statement: str) -> list[tuple]:
    result = done(dbt("show", "--inline", statement, "--limit", "-1"))
    return list(result.result.results[0].agate_table.rows)


def told(result: dbtRunnerResult) -> str:
    """Return what dbt says went wrong."""
    return str(result.exception or [str(each.message) for each in result.result.results])


def connect() -> str:
    if not dbt("debug").success:
        return "debug failed"
    wrong = dbt("show", "--inline", asked("one"), password="wrong")
    refused = "refused" if "password authentication failed" in told(wrong) else told(wrong)
    return f"{show(asked('who'))[0][0]}, {refused}"


def documented() -> dict[str, dict]:
    done(dbt("docs", "generate"))
    sources = json.loads((FOLDER / "catalog.json").read_text())["sources"]
    return {each["metadata"]["name"]: each["columns"] for each in sources.values()}


def describe() -> str:
    columns = sorted(documented()["crm"].values(), key=lambda each: each["index"])
    return program.described((each["name"], each["type"]) for each in columns)


def error() -> str:
    said = told(dbt("show", "--inline", asked("wrong")))
    code = "42703" if 'column "missing" does not exist' in said else said
    return f"{code} {show(asked('one'))[0][0]}"


def ran(*arguments: str) -> str:
    statuses = {str(each.status) for each in done(dbt(*arguments)).result.results}
    return " ".join(sorted(statuses)) or "nothing to do"


program.tell(
    version("dbt-postgres"),
    {
        "connect": connect,
        "list": lambda: " ".join(sorted(documented())),
        "describe": describe,
        "text": lambda: " / ".join(rows(show(asked(name))) for name in ("values", "question")),
        "error": error,
        "reconnect": lambda: " ".join(rows(show(asked("one"))) for _ in range(3)),
        "ephemeral models": lambda: rows(show("select count(*) as n from {{ ref('channels') }}")),
        "test": lambda: ran("test"),
    },
)
