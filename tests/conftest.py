"""What all tests share: no time limit on a hypothesis example, since machines are shared and slow."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("wayline", deadline=None)
settings.load_profile("wayline")
