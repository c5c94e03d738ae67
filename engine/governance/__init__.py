"""Governance: what may be kept of whom, and the proof that it is gone."""
