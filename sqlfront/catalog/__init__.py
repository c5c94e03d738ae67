"""PostgreSQL's catalogs over our views and datasets, so that clients find what there is to ask."""

from sqlfront.catalog.composites import named, numbered
from sqlfront.catalog.plan import Catalog, CatalogQuestion, mentions, recognise
from sqlfront.catalog.relations import Kind, Relation, RelationColumn, Relations, temporary_relations

__all__ = [
    "Catalog",
    "CatalogQuestion",
    "Kind",
    "Relation",
    "RelationColumn",
    "Relations",
    "mentions",
    "named",
    "numbered",
    "recognise",
    "temporary_relations",
]
