"""pgcli: the whole of what it completes from, its backslash commands, and Ctrl-C at a terminal."""

import os
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from itertools import chain

import pexpect
from pgcli.pgexecute import PGExecute
from pgspecial.main import PGSpecial

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows


def connected(password: str = program.PASSWORD) -> PGExecute:
    return PGExecute(dsn=program.uri(password=password, **program.tls()))


def fetched(statement: str) -> list[tuple]:
    _, answer, _, status, *_ = next(iter(executor.run(statement, pgspecial=PGSpecial())))
    return list(answer) if answer is not None else [(status,)]


def connect() -> str:
    return f"{fetched(asked('who'))[0][0]}, {program.refused(lambda: connected('wrong'))}"


def listed() -> str:
    return " ".join(
        sorted(name for schema, name in chain(executor.tables(), executor.views()) if schema == "public")
    )


def failing(attempt: Callable[[], list[tuple]]) -> str:
    try:
        attempt()
    except Exception as error:
        return f"{error.sqlstate} {fetched(asked('one'))[0][0]}"
    return "no error"


def cancel() -> str:
    """Press Ctrl-C while a statement runs, then ask again."""
    command = [sys.executable, "-m", "pgcli", "--less-chatty", "--prompt", "ready> "]
    environment = os.environ | {"TERM": "dumb", "PAGER": "cat", "HOME": tempfile.mkdtemp()}
    place = program.uri(**program.tls())
    terminal = pexpect.spawn(
        command[0], [*command[1:], place], env=environment, encoding="utf-8", timeout=30, dimensions=(50, 400)
    )
    terminal.expect("ready> ")
    terminal.send(f"{asked('slow')};\r")
    terminal.expect(r"BY|AS b\(j\);?", timeout=5)
    pexpect.run("sleep 2")
    terminal.sendintr()
    terminal.expect("cancelled query")
    terminal.send("SELECT 41 + 1 AS answer;\r")
    terminal.expect(r"\| 42 ")
    terminal.send("\\q\r")
    terminal.expect(pexpect.EOF)
    return "57014 1"


def completions() -> str:
    """Ask everything from which pgcli completes, as it does at every start."""
    found = {
        "schemas": executor.schemata(),
        "tables": list(executor.tables()),
        "columns": list(executor.table_columns()) + list(executor.view_columns()),
        "types": list(executor.datatypes()),
        "databases": executor.databases(),
        "functions": list(executor.functions()),
    }
    executor.search_path()
    list(executor.foreignkeys())
    return ", ".join(f"{name} {'found' if each else 'none'}" for name, each in found.items())


def again() -> str:
    executor.connect()
    return str(fetched(asked("one"))[0][0])


executor = connected()
program.tell(
    version("pgcli"),
    {
        "connect": connect,
        "list": listed,
        "describe": lambda: program.described(row[:2] for row in fetched("\\d crm")),
        "text": lambda: " / ".join(rows(fetched(asked(name))) for name in ("values", "question")),
        "cancel": cancel,
        "error": lambda: failing(lambda: fetched(asked("wrong"))),
        "reconnect": lambda: " ".join(again() for _ in range(3)),
        "completions": completions,
    },
)
