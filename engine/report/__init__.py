"""Reports: sessions, persistence, segments and attribution at the moment a question is asked."""

from engine.report.explain import explain
from engine.report.local import empty_answer, run

__all__ = ["empty_answer", "explain", "run"]
