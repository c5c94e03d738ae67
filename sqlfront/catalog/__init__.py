"""PostgreSQL's catalogs over our views and datasets, so that clients find what there is to ask."""
