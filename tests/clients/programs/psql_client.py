"""psql 15: backslash commands, variables as parameters, FETCH_COUNT, interrupts, copies to a file."""

import os
import pty
import signal
import subprocess
import tempfile
import termios
import time
from contextlib import suppress
from pathlib import Path

from tests.clients.programs import program
from tests.clients.programs.program import asked

PLACE = {"host": program.HOST, "port": program.PORT, "dbname": program.DATABASE, "user": program.USER}
CONNINFO = " ".join(f"{name}={value}" for name, value in (PLACE | program.tls()).items())
SEVERAL = ["-A", "-t", "-F", "|", "-P", "null=NULL", "-R", " / "]


def started(password: str, *options: str, terminal: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["psql", "-X", *options, CONNINFO],
        env=os.environ | {"PGPASSWORD": password},
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.STDOUT,
        text=True,
    )


def psql(script: str, *options: str, password: str = program.PASSWORD) -> str:
    return started(password, *(options or SEVERAL)).communicate(script, timeout=60)[0].strip()


def connect() -> str:
    told = psql("", password="wrong")
    return f"{psql(asked('who'))}, {'refused' if 'password authentication failed' in told else told}"


def listed() -> str:
    printed = psql("\\dt\n\\dv", "-A", "-t").splitlines()
    return " ".join(sorted(line.split("|")[1] for line in printed))


def describe() -> str:
    printed = psql("\\d crm", "-A", "-t").splitlines()
    return program.described(line.split("|")[:2] for line in printed)


def text() -> str:
    values = psql(asked("values")).split("|")
    spelled = ["true" if value == "t" else value for value in values]
    return f"{'|'.join(spelled)} / {psql(asked('question'))}"


def parameters() -> str:
    values = [*program.PARAMETERS[:3], "true", program.PARAMETERS[4], "NULL"]
    names = [f":'v{number}'" for number in range(1, 7)]
    settings = "".join(f"\\set v{number} '{value}'\n" for number, value in enumerate(values, 1))
    literal = psql(settings + asked("parameters", *names)).split("|")
    channel, since = program.BOUND
    bound = psql(f"\\set a {channel}\n\\set b {since}\n" + asked("bound", ":'a'", ":'b'"))
    return f"{'|'.join('true' if value == 't' else value for value in literal)} / {bound}"


def paging() -> str:
    numbers = psql(f"\\set FETCH_COUNT 64\n{asked('pages')};", "-A", "-t").split()
    return f"{len(numbers)} {sum(map(int, numbers))}"


def cancel() -> str:
    """Interrupt a statement at a terminal: without one, psql ends at an interrupt."""
    near, far = pty.openpty()
    settings = termios.tcgetattr(far)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(far, termios.TCSANOW, settings)
    silent = ["-v", "VERBOSITY=sqlstate", "-v", "PROMPT1=", "-v", "PROMPT2=", "-P", "pager=off"]
    process = started(program.PASSWORD, "-qAtn", *silent, terminal=far)
    os.close(far)
    os.write(near, f"{asked('slow')};\n".encode())
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    os.write(near, f"{asked('one')};\n\\q\n".encode())
    process.wait(timeout=30)
    printed = b""
    with suppress(OSError):
        while part := os.read(near, 4096):
            printed += part
    return _states(printed.decode())


def error() -> str:
    return _states(psql(f"{asked('wrong')};\n{asked('one')};", "-A", "-t", "-v", "VERBOSITY=sqlstate"))


def _states(printed: str) -> str:
    words = printed.replace("Cancel request sent", "").replace("ERROR:", "").split()
    return " ".join(words)


def copied() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pages.csv"
        psql(f"\\copy ({asked('pages')}) TO '{path}' WITH (FORMAT csv, HEADER)")
        lines = path.read_text().splitlines()
    return f"{lines[0]} {len(lines) - 1} {sum(map(int, lines[1:]))}"


program.tell(
    subprocess.run(["psql", "--version"], capture_output=True, text=True).stdout.split()[2],
    {
        "connect": connect,
        "list": listed,
        "describe": describe,
        "text": text,
        "parameters": parameters,
        "paging": paging,
        "cancel": cancel,
        "error": error,
        "reconnect": lambda: " ".join(
            psql(f"{asked('one')};\n\\c\n{asked('one')};\n\\c\n{asked('one')};", "-qAt").split()
        ),
        "\\copy": copied,
    },
)
