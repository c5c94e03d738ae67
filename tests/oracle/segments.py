"""Which events of one person belong to segments, container by container, from the words of the page.

A segment is a dict: ``container`` (event, session, person), ``exclude``, and one of ``where`` (a function of
an event), ``all`` and ``any`` (lists of segments).
"""

from __future__ import annotations


def belongs(journey, segment):
    """Return for each event of one person whether it belongs; events know their ``session``."""
    taken = [_taken(journey, place, segment) for place in range(len(journey))]
    return [not found for found in taken] if segment["exclude"] else taken


def in_all(journey, segments):
    """Return for each event of one person whether it belongs to each of several segments."""
    found = [belongs(journey, segment) for segment in segments]
    return [all(one[place] for one in found) for place in range(len(journey))]


def _taken(journey, place, segment):
    """Whether the container around an event holds what the segment looks for."""
    around = [
        other for other in range(len(journey)) if _together(journey, place, other, segment["container"])
    ]
    if "where" in segment:
        return any(segment["where"](journey[other]) for other in around)
    quantifier, inner = (all, segment["all"]) if "all" in segment else (any, segment["any"])
    return quantifier(any(belongs(journey, part)[other] for other in around) for part in inner)


def _together(journey, place, other, container):
    if container == "person":
        return True
    if container == "session":
        return journey[place]["session"] == journey[other]["session"]
    return place == other
