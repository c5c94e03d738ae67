"""Journeys: the events of all datasets of a connection, per person and in order."""
