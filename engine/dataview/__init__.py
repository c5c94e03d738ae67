"""Data views: what the fields of a connection mean as dimensions and metrics."""
