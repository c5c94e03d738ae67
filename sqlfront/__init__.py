"""The SQL front: the PostgreSQL protocol, the catalogs, and the planner of questions over data views."""
