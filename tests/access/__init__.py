"""Users, roles, grants, passwords and tokens."""
