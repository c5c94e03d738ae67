"""PostgreSQL's catalogs over our views and datasets, so that clients find what there is to ask."""

from sqlfront.catalog.plan import Catalog, CatalogQuestion, mentions, recognise
from sqlfront.catalog.relations import Kind, Relation, RelationColumn, Relations

__all__ = [
    "Catalog",
    "CatalogQuestion",
    "Kind",
    "Relation",
    "RelationColumn",
    "Relations",
    "mentions",
    "recognise",
]
