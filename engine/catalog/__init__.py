"""The catalog: what exists in a home, and the transactions that publish it."""
