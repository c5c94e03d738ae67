"""The PostgreSQL that others are compared with is the version that the SQL front says it is."""

import pytest

from sqlfront.settings import SERVER_VERSION
from tests.postgres import running_postgresql

pytestmark = pytest.mark.clients


def test_the_version_is_ours(postgres15):
    with postgres15.connect() as connection:
        assert connection.info.server_version // 10000 == int(SERVER_VERSION.split(".")[0])


def test_nothing_is_left_behind():
    with running_postgresql("timezone=Europe/Vienna") as server, server.connect() as connection:
        assert connection.execute("SHOW timezone").fetchone() == ("Europe/Vienna",)
    assert not server.folder.exists()
