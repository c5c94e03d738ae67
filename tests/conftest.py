"""What all tests share: no time limit on hypothesis examples, as machines are slow; every answer worked out.

A law that compares an answer with itself, taken from a cache, could not fail.
"""

from __future__ import annotations

import os

from hypothesis import settings

from tests.postgres import postgres15 as postgres15

settings.register_profile("wayline", deadline=None)
settings.load_profile("wayline")
os.environ["WAYLINE_RESULT_CACHE"] = "0"
