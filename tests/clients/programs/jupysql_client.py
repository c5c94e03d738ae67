"""jupysql: the magics of notebooks, over SQLAlchemy and psycopg 3; an interrupt of the kernel cancels."""

import os
import signal
import threading
from importlib.metadata import version

from IPython.core.interactiveshell import InteractiveShell
from sql.run.resultset import ResultSet

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

shell = InteractiveShell.instance()


def magic(line: str) -> object:
    return shell.run_line_magic(*line.split(" ", 1))


def address(password: str = program.PASSWORD) -> str:
    return program.uri(password=password, **program.tls()).replace("postgresql://", "postgresql+psycopg://")


def fetched(statement: str) -> ResultSet:
    return shell.run_cell_magic("sql", "", statement)


def connect() -> str:
    told = program.refused(lambda: magic(f"sql {address('wrong')}"))
    magic(f"sql {address()}")
    return f"{fetched(asked('who'))[0][0]}, {told}"


def parameters() -> str:
    values = dict(zip("abcdef", [*map(str, program.PARAMETERS[:5]), None], strict=True))
    shell.push(values | dict(zip(("channel", "since"), map(str, program.BOUND), strict=True)))
    literal = fetched(asked("parameters", *(f"CAST(:{name} AS text)" for name in values)))
    return f"{rows(literal)} / {rows(fetched(asked('bound', ':channel', ':since')))}"


def failing(statement: str) -> str:
    try:
        fetched(statement)
    except KeyboardInterrupt:
        return f"57014 {fetched(asked('one'))[0][0]}"
    except Exception as error:
        told = "42703" if 'column "missing" does not exist' in str(error) else str(error)
        return f"{told} {fetched(asked('one'))[0][0]}"
    return "no error"


def cancel() -> str:
    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return failing(asked("slow"))


def reconnect() -> str:
    told = []
    for _ in range(3):
        magic(f"sql {address()} --alias again")
        told.append(str(fetched(asked("one"))[0][0]))
        magic("sql --close again")
    magic(f"sql {address()}")
    return " ".join(told)


for line in (
    "load_ext sql",
    "config SqlMagic.feedback = 0",
    "config SqlMagic.named_parameters = 'enabled'",
    "config SqlMagic.displaylimit = 0",
    "config SqlMagic.short_errors = False",
):
    magic(line)
magic(f"sql {address()}")
program.tell(
    version("jupysql"),
    {
        "connect": connect,
        "list": lambda: " ".join(row[0] for row in fetched(program.LIST)),
        "describe": lambda: program.described(
            (row[0], {"TEXT": "text", "DATE": "date"}[str(row[1])])
            for row in magic("sqlcmd columns -t crm")._table.rows
        ),
        "text": lambda: " / ".join(rows(fetched(asked(name))) for name in ("values", "question")),
        "parameters": parameters,
        "cancel": cancel,
        "error": lambda: failing(asked("wrong")),
        "reconnect": reconnect,
    },
)
