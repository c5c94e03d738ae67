"""All that is kept, and the report engine: lake, journeys, data views, reports."""

from engine.allocation import reuse_freed_memory

reuse_freed_memory()
