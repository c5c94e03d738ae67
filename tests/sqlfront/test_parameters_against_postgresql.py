"""Types of parameters beside a real PostgreSQL 15: both are asked to describe the same statements."""

import pytest
from psycopg import pq

from sqlfront.wire.types import pg_oid

pytestmark = pytest.mark.clients

TABLES = """
CREATE TEMP TABLE channels (channel text, region text, rate float8);
CREATE TEMP TABLE plans (id text, channel text, budget float8);
CREATE TEMP TABLE events (ts timestamptz, who text, channel text, campaign text, product text, page text,
  revenue float8, orders int4);
"""
STATEMENTS = [
    "select $1",
    "select $2, $1",
    "select $1 + 1",
    "select 1 + $1",
    "select $1 * 1.5",
    "select $1 - orders from events",
    "select orders % $1 from events",
    "select $1::bigint, $2::text, cast($3 as date)",
    "select $1::uuid, $2::json, $3::jsonb, $4::bytea",
    "select $1::name, $2::varchar, $3::varchar(10), $4::char(3)",
    "select $1::int2, $2::float4, $3::numeric, $4::numeric(10,2)",
    "select $1::time, $2::timestamp, $3::timestamptz, $4::interval",
    "select $1::int[], $2::text[], $3::uuid[]",
    "select $1::oid",
    "select channel from channels where rate = $1",
    "select channel from channels where rate > $1 and region = $2",
    "select channel from channels where rate between $1 and $2",
    "select channel from channels where $1 between 1 and $2",
    "select channel from channels where region in ($1, $2)",
    "select channel from channels where $1 in (region, channel)",
    "select channel from channels where region = any($1)",
    "select channel from channels where rate = any($1)",
    "select channel from channels where region like $1",
    "select channel from channels where region ilike $1",
    "select channel from channels where region is distinct from $1",
    "select channel from channels where $1",
    "select channel from channels where not $1",
    "select channel from channels where rate > 1 and $1",
    "select channel from channels where (region = $1 or $1 is null)",
    "select channel from channels where region = $1 or channel = $1",
    "select channel from channels limit $1",
    "select channel from channels limit $1 offset $2",
    "select channel from channels where channel in (select channel from plans where budget > $1)",
    "select channel from channels where exists (select 1 from plans where plans.channel = $1)",
    "select count(*) from events where ts >= $1 and ts < $2",
    "select count(*) from events where ts + $1 > now()",
    "select count(*) from events where ts - interval '1 day' > $1",
    "select count(*) from events where date_trunc('day', ts) = $1",
    "select count(*) from events where ts::date = $1",
    "select count(*) from events where ts::date - $1 > 3",
    "select interval '1 day' * $1",
    "select lower($1), upper($2)",
    "select length($1)",
    "select left(region, $1) from channels",
    "select replace(region, $1, $2) from channels",
    "select region || $1 from channels",
    "select coalesce(region, $1) from channels",
    "select coalesce($1, 0)",
    "select coalesce($1, rate) from channels",
    "select nullif(rate, $1) from channels",
    "select greatest(rate, $1) from channels",
    "select case when rate > $1 then $2 else region end from channels",
    "select case when $1 then 1 else $2 end",
    "select case region when $1 then 1 else 2 end from channels",
    "select case when rate > 1 then $1 end from channels",
    "select region from channels group by region having count(*) > $1",
    "select region from channels group by region having sum(rate) > $1",
    "select sum(orders) from events having sum(orders) > $1",
    "select min(orders) from events having min(orders) > $1 and max(ts) < $2",
    "select count(*) filter (where rate > $1) from channels",
    "select array[$1, 2]",
    "select c.channel from channels c join plans p on p.channel = c.channel and p.budget > $1",
    "with big as (select channel from plans where budget > $1) select * from big where channel = $2",
    "select channel from channels where abs(rate) > $1",
    "select * from generate_series(1, $1)",
    "select true = $1",
    "select (select max(budget) from plans) > $1",
    "select channel from channels where (region, rate) = ($1, $2)",
    "select extract(year from ts) = $1 from events",
    "select 3000000000 + $1",
]


@pytest.fixture(scope="module")
def described(postgres15):
    """Return the oids of a statement's parameters as PostgreSQL finds them."""

    with postgres15.connect() as connection:
        connection.execute(TABLES)

        def describe(sql):
            prepared = connection.pgconn.prepare(b"", sql.encode())
            assert prepared.status == pq.ExecStatus.COMMAND_OK, prepared.error_message
            found = connection.pgconn.describe_prepared(b"")
            return [found.param_type(at) for at in range(found.nparams)]

        yield describe


@pytest.mark.parametrize("sql", STATEMENTS)
def test_parameters_have_postgresqls_types(sql, query, described):
    assert [pg_oid(kind) for kind in query(sql).parameters] == described(sql)
