"""Journeys: the events of each person in order, built from the lake and the stitch log."""
