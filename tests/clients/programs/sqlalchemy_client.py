"""SQLAlchemy over four drivers: reflection of every schema, typed parameters, streamed results, its pool."""

import ssl
import threading

import sqlalchemy as sa

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

NAMES = ["t", "i", "f", "b", "d", "z"]
DRIVERS = ("psycopg", "psycopg2", "pg8000")
SPELLED = {"VARCHAR": "text", "TEXT": "text", "DATE": "date"}


def engine_of(driver: str, password: str = program.PASSWORD) -> sa.Engine:
    url = sa.URL.create(
        f"postgresql+{driver}", program.USER, password, program.HOST, program.PORT, program.DATABASE
    )
    return sa.create_engine(url, connect_args=arguments(driver), pool_size=2)


def arguments(driver: str) -> dict[str, object]:
    if driver == "pg8000":
        return {"ssl_context": ssl.create_default_context(cafile=program.CA)}
    return program.tls()


def connect() -> str:
    who = {value("who", engine) for engine in ENGINES.values()}
    told = {program.refused(engine_of(driver, "wrong").connect) for driver in DRIVERS}
    return ", ".join([*who, *told])


def value(name: str, engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(sa.text(asked(name))).scalar()


def listed() -> str:
    inspector = sa.inspect(engine)
    return " ".join(sorted(inspector.get_table_names() + inspector.get_view_names()))


def describe() -> str:
    columns = sa.inspect(engine).get_columns("crm")
    return program.described((each["name"], SPELLED[str(each["type"])]) for each in columns)


def text() -> str:
    with engine.connect() as connection:
        return " / ".join(rows(connection.exec_driver_sql(asked(name))) for name in ("values", "question"))


def parameters() -> str:
    told = set()
    for each in ENGINES.values():
        with each.connect() as connection:
            asked_for = sa.text(
                asked("parameters", *[f":{name}" for name in NAMES]).replace("::", " \\:\\: ")
            )
            literal = connection.execute(asked_for, dict(zip(NAMES, program.PARAMETERS, strict=True)))
            bound = connection.execute(
                sa.text(asked("bound", ":t", ":d")), dict(zip("td", program.BOUND, strict=True))
            )
            told.add(f"{rows(literal)} / {rows(bound)}")
    return " or ".join(told)


def paging() -> str:
    with engine.connect().execution_options(stream_results=True, yield_per=64) as connection:
        numbers = [row[0] for row in connection.execute(sa.text(asked("pages")))]
    return f"{len(numbers)} {sum(numbers)}"


def failing(name: str) -> str:
    with engine.connect() as connection:
        timer = threading.Timer(0.5, connection.connection.dbapi_connection.cancel)
        if name == "slow":
            timer.start()
        try:
            connection.execute(sa.text(asked(name).replace("::", "\\:\\:")))
        except sa.exc.DBAPIError as error:
            connection.rollback()
            return f"{error.orig.sqlstate} {connection.execute(sa.text(asked('one'))).scalar()}"
    return "no error"


def reconnect() -> str:
    told = []
    for _ in range(3):
        engine.dispose()
        told.append(str(value("one", engine)))
    return " ".join(told)


def reflection() -> str:
    told = []
    for schema in (None, "system", "information_schema", "pg_catalog"):
        metadata = sa.MetaData()
        metadata.reflect(engine, schema=schema, views=True)
        columns = sum(len(table.columns) for table in metadata.tables.values())
        told.append(f"{schema or 'public'} {'found' if columns else 'empty'}")
    return ", ".join(told)


ENGINES = {driver: engine_of(driver) for driver in DRIVERS}
engine = ENGINES["psycopg"]
program.tell(
    sa.__version__,
    {
        "connect": connect,
        "list": listed,
        "describe": describe,
        "text": text,
        "parameters": parameters,
        "paging": paging,
        "cancel": lambda: failing("slow"),
        "error": lambda: failing("wrong"),
        "reconnect": reconnect,
        "reflection of every schema": reflection,
    },
)
