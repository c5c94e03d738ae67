"""SQLAlchemy's reflection, on which notebooks and Superset build."""

import pytest
import sqlalchemy as sa

from sqlfront.server import running
from tests.sqlfront.fake_front import fake_front


@pytest.fixture(scope="module")
def engine():
    with running(fake_front()) as address:
        url = f"postgresql+psycopg://ada@{address.host}:{address.port}/demo"
        engine = sa.create_engine(url)
        yield engine
        engine.dispose()


def test_reflection(engine):
    inspector = sa.inspect(engine)
    assert inspector.default_schema_name == "public"
    assert inspector.get_schema_names() == ["information_schema", "public", "system"]
    assert inspector.get_table_names() == ["web_raw"]
    assert inspector.get_view_names() == ["web"]
    assert inspector.has_table("web")
    columns = {each["name"]: each for each in inspector.get_columns("web")}
    assert list(columns) == ["timestamp", "channel", "commerce.order.total", "visits"]
    assert isinstance(columns["visits"]["type"], sa.BIGINT)
    assert columns["channel"]["comment"] == "Where the person came from"
    assert inspector.get_table_comment("web") == {"text": "All web events"}
    assert inspector.get_pk_constraint("web_raw")["constrained_columns"] == []
    assert inspector.get_indexes("web_raw") == []


def test_whole_metadata(engine):
    metadata = sa.MetaData()
    metadata.reflect(engine, views=True)
    assert sorted(metadata.tables) == ["web", "web_raw"]
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1 AS a")).scalar() == 1
