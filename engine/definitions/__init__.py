"""Definitions: what users write in project files."""
