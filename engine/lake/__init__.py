"""The lake: datasets as Delta tables, a batch per commit."""
