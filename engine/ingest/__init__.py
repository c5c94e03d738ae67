"""Ingest: files are read, converted and checked, and become one batch of a dataset."""
