"""Seeded demo data: a quarter of a web shop and its calls, from ten thousand to 100 million events.

Every event is a function of (seed, size, its number), so a day can be made on its own: days are
generated one by one and written at once. Late and repeated deliveries ride along to the day when
they arrive.
"""

from wayline.generate.run import Generated, generate, project_yaml, web_events
from wayline.generate.visits import Plan

__all__ = ["Generated", "Plan", "generate", "project_yaml", "web_events"]
