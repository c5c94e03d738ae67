"""Reports: sessions, persistence, segments and attribution at the moment a question is asked."""

from engine.report.explain import explain
from engine.report.local import result_schema, run

__all__ = ["explain", "result_schema", "run"]
