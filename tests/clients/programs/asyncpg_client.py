"""asyncpg: its own protocol code, everything prepared and binary, portals for pages, cancels by time limit."""

import asyncio
import ssl

import asyncpg

from tests.clients.programs import program
from tests.clients.programs.program import asked
from tests.clients.programs.spelling import rows

MARKERS = [f"${number}" for number in range(1, 7)]
LOOP = asyncio.new_event_loop()


async def connected(password: str = program.PASSWORD) -> asyncpg.Connection:
    context = ssl.create_default_context(cafile=program.CA)
    return await asyncpg.connect(
        host=program.HOST,
        port=program.PORT,
        database=program.DATABASE,
        user=program.USER,
        password=password,
        ssl=context,
    )


async def connect() -> str:
    return await connection.fetchval(asked("who"))


async def listed() -> str:
    return " ".join(row["name"] for row in await connection.fetch(program.LIST))


async def describe() -> str:
    return program.described(await connection.fetch(program.DESCRIBE))


async def binary() -> str:
    return " / ".join([rows(await connection.fetch(asked(name))) for name in ("values", "question")])


async def parameters() -> str:
    literal = await connection.fetch(asked("parameters", *MARKERS), *program.PARAMETERS)
    bound = await connection.fetch(asked("bound", *MARKERS), *program.BOUND)
    return f"{rows(literal)} / {rows(bound)}"


async def paging() -> str:
    async with connection.transaction():
        numbers = [record["i"] async for record in connection.cursor(asked("pages"), prefetch=64)]
    return f"{len(numbers)} {sum(numbers)}"


async def cancel() -> str:
    running = asyncio.ensure_future(connection.fetch(asked("slow")))
    await asyncio.sleep(0.5)
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        return f"57014 {await connection.fetchval(asked('one'))}"
    return "not cancelled"


async def error() -> str:
    try:
        async with connection.transaction():
            await connection.fetch(asked("wrong"))
    except asyncpg.PostgresError as error:
        return f"{error.sqlstate} {await connection.fetchval(asked('one'))}"
    return "no error"


async def reconnect() -> str:
    told = []
    for _ in range(3):
        again = await connected()
        told.append(str(await again.fetchval(asked("one"))))
        await again.close()
    return " ".join(told)


def done(step):
    """Return a step that runs to its end."""
    return lambda: LOOP.run_until_complete(asyncio.wait_for(step(), 60))


def connect_or_not() -> str:
    return f"{done(connect)()}, {program.refused(done(lambda: connected('wrong')))}"


connection = LOOP.run_until_complete(connected())
program.tell(
    asyncpg.__version__,
    {
        "connect": connect_or_not,
        "list": done(listed),
        "describe": done(describe),
        "binary": done(binary),
        "parameters": done(parameters),
        "paging": done(paging),
        "cancel": done(cancel),
        "error": done(error),
        "reconnect": done(reconnect),
    },
)
