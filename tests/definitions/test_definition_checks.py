"""Definitions against each other: what an apply keeps, what may change, what contradicts."""

import pytest

from engine.definitions.checks import check_evolution, component_fields
from engine.definitions.model import Definitions
from engine.definitions.project import merge
from engine.errors import DefinitionError
from tests.definitions.checking import check

FIELDS = {
    "ts": "timestamp",
    "id": "string",
    "web": {"type": "object", "fields": {"page": "string"}},
    "items": {
        "type": "array",
        "fields": {"sku": "string", "tags": {"type": "array", "items": "string"}},
    },
    "tags": {"type": "array", "items": "string"},
}


def definitions(fields=FIELDS, name="web", **more) -> Definitions:
    dataset = {"timestamp": "ts", "fields": fields, **more}
    return Definitions.model_validate({"datasets": {name: dataset}})


def test_merge_replaces_equal_names_and_keeps_the_others():
    old = merge(definitions(name="a"), definitions(name="b"))
    new = definitions(FIELDS | {"more": "long"}, name="b")
    merged = merge(old, new)
    assert list(merged.datasets) == ["a", "b"]
    assert "more" in merged.datasets["b"].fields
    assert "more" not in merged.datasets["a"].fields


def test_fields_may_be_added_at_every_depth():
    grown = FIELDS | {
        "web": {"type": "object", "fields": {"page": "string", "title": "string"}},
        "items": {"type": "array", "fields": {**FIELDS["items"]["fields"], "price": "double"}},
        "more": "long",
    }
    check_evolution(definitions(), definitions(grown))
    check_evolution(definitions(name="gone"), definitions())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": None}, "datasets.web.fields.id: a field cannot be removed"),
        ({"id": "long"}, "datasets.web.fields.id: the type cannot change from string to long"),
        (
            {"web": {"type": "object", "fields": {"title": "string"}}},
            "datasets.web.fields.web.fields.page: a field cannot be removed",
        ),
        ({"tags": {"type": "array", "items": "long"}}, "from array of string to array of long"),
        ({"items": {"type": "array", "fields": {"sku": "long"}}}, "fields.items.fields.sku"),
    ],
)
def test_a_field_is_never_removed_or_retyped(changes, named):
    changed = {name: field for name, field in (FIELDS | changes).items() if field is not None}
    with pytest.raises(DefinitionError) as caught:
        check_evolution(definitions(), definitions(changed))
    assert named in str(caught.value)
    assert caught.value.hint


def test_the_event_time_of_a_dataset_does_not_change():
    fields = FIELDS | {"other": "timestamp"}
    changed = Definitions.model_validate({"datasets": {"web": {"timestamp": "other", "fields": fields}}})
    with pytest.raises(DefinitionError, match="timestamp cannot change"):
        check_evolution(definitions(fields), changed)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"channel": "long"}, 'field "channel" has another type than in a'),
        ({"Channel": "string"}, "only the case differs"),
        ({"channel": {"type": "object", "fields": {"x": "string"}}}, 'but holds "channel.x"'),
    ],
)
def test_equal_paths_of_a_connection_have_one_type(other, message):
    own = {"ts": "timestamp", "person": "string"}
    both = merge(definitions(own | {"channel": "string"}, name="a"), definitions(own | other, name="b"))
    part = {"person_id": "person"}
    joined = Definitions.model_validate({"connections": {"c": {"datasets": {"a": part, "b": part}}}})
    with pytest.raises(DefinitionError) as caught:
        check(merge(both, joined))
    assert message in str(caught.value)


def test_a_connection_joins_events_only():
    lookup = {"kind": "lookup", "key": "id", "fields": {"id": "string"}}
    connection = {"datasets": {"products": {"person_id": "id"}}}
    wrong = {"datasets": {"products": lookup}, "connections": {"c": connection}}
    with pytest.raises(DefinitionError, match="a connection joins events"):
        check(Definitions.model_validate(wrong))


def view_of(attribution):
    dataset = {"timestamp": "ts", "fields": {"ts": "timestamp", "who": "string", "revenue": "double"}}
    metric = {"field": "revenue", "attribution": attribution}
    return {
        "datasets": {"web": dataset},
        "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
        "data_views": {"shop": {"connection": "all", "metrics": {"revenue": metric}}},
    }


@pytest.mark.parametrize(
    ("attribution", "message"),
    [
        ({"model": "linear", "half_life": "3d"}, "half_life belongs to model time_decay"),
        ({"model": "custom"}, "model custom needs them"),
        ({"model": "linear", "weights": {"starter": 1, "player": 1, "closer": 1}}, "weights belong to"),
        ({"model": "custom", "weights": {"starter": 0, "player": 1, "closer": 0}}, "cannot both be 0"),
        (
            {"model": "custom", "weights": {"starter": float("inf"), "player": 1, "closer": 3}},
            "finite number",
        ),
        ({"model": "custom", "weights": {"starter": 1, "player": 1, "closer": 1e308}}, "less than or equal"),
        ({"model": "custom", "weights": {"starter": -1, "player": 1, "closer": 3}}, "greater than or equal"),
        ({"model": "lsat"}, "Input should be"),
        ({"lookback": "0d"}, "not a duration"),
    ],
)
def test_an_attribution_that_cannot_work_is_refused(attribution, message):
    with pytest.raises(ValueError, match=message):
        Definitions.model_validate(view_of(attribution))


@pytest.mark.parametrize(
    "attribution",
    [
        {"model": "time_decay", "half_life": "3d", "lookback": "90d"},
        {"model": "custom", "weights": {"starter": 3, "player": 0, "closer": 1}},
        {"model": "participation", "container": "session"},
    ],
)
def test_an_attribution_is_kept_as_it_was_written(attribution):
    known = Definitions.model_validate(view_of(attribution))
    check(known)
    assert Definitions.model_validate_json(known.model_dump_json()) == known


def test_fields_of_objects_in_arrays_are_addressed_through_the_array():
    assert list(component_fields(definitions().datasets["web"])) == [
        "ts", "id", "web.page", "items.sku", "tags",
    ]  # fmt: skip


def view(dimensions, metrics=None) -> Definitions:
    fields = {
        "ts": "timestamp",
        "id": "string",
        "term": "string",
        "buy": "integer",
        "items": {"type": "array", "fields": {"sku": "string", "price": "double"}},
        "stops": {"type": "array", "fields": {"city": "string"}},
    }
    return Definitions.model_validate(
        {
            "datasets": {"web": {"timestamp": "ts", "fields": fields}},
            "connections": {"all": {"datasets": {"web": {"person_id": "id"}}}},
            "data_views": {
                "shop": {
                    "connection": "all",
                    "dimensions": {"sku": "items.sku", "city": "stops.city", "name": "id"} | dimensions,
                    "metrics": {"buy": "buy", "price": "items.price"} | (metrics or {}),
                }
            },
        }
    )


def bound(field, **binding):
    return {"d": {"field": field, "persistence": {"binding": binding}}}


@pytest.mark.parametrize(
    ("wrong", "key", "message", "hint"),
    [
        (bound("term", dimension="nam"), "binding.dimension", 'no dimension "nam"', "name"),
        (bound("term", dimension="d"), "binding.dimension", "bound to itself", "another"),
        (bound("term", dimension="name", metric="by"), "binding.metric", 'no metric "by"', "buy"),
        (bound("term", dimension="sku"), "binding", "a binding metric has to say", "metric"),
        (bound("items.sku", dimension="city"), "binding.dimension", 'in the array "stops"', '"items"'),
        (
            {"d": {"field": "term", "persistence": {"expiration": {"metric": "by"}}}},
            "expiration.metric",
            'no metric "by"',
            "buy",
        ),
    ],
)
def test_persistence_that_cannot_work_is_refused(wrong, key, message, hint):
    with pytest.raises(DefinitionError) as caught:
        check(view(wrong))
    assert f"data_views.shop.dimensions.d.persistence.{key}: " in str(caught.value)
    assert message in str(caught.value)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "right",
    [
        bound("term", dimension="name"),
        bound("term", dimension="sku", metric="buy"),
        bound("items.sku", dimension="name"),
        bound("items.price", dimension="sku"),
        {"d": {"field": "items.sku", "persistence": {"allocation": "all"}}},
    ],
)
def test_persistence_that_works_is_taken(right):
    check(view(right))


@pytest.mark.parametrize(
    ("by", "message"), [("nam", 'no dimension "nam"'), ("sku", 'in the array "items", and the metric is not')]
)
def test_deduplication_that_cannot_work_is_refused(by, message):
    with pytest.raises(DefinitionError) as caught:
        check(view({}, {"m": {"field": "buy", "deduplication": {"by": by}}}))
    assert "data_views.shop.metrics.m.deduplication.by: " in str(caught.value)
    assert message in str(caught.value)
    assert caught.value.hint
    check(view({}, {"m": {"field": "items.price", "deduplication": {"by": "sku"}}}))
    check(view({}, {"m": {"field": "items.price", "deduplication": {"by": "name"}}}))


@pytest.mark.parametrize("name", ["_row_index", "_Person_Index", "_duplicate_revenue", "_set"])
def test_names_of_working_columns_are_refused(name):
    known = view_of({"model": "last"})
    known["data_views"]["shop"]["dimensions"] = {name: "who"}
    with pytest.raises(DefinitionError, match="a name that wayline uses itself"):
        check(Definitions.model_validate(known))


@pytest.mark.parametrize("values", [{"at_least": float("nan")}, {"at_most": float("-inf")}])
def test_numbers_are_finite(values):
    known = view_of({"model": "last"})
    known["data_views"]["shop"]["metrics"]["revenue"]["values"] = values
    with pytest.raises(ValueError, match="finite"):
        Definitions.model_validate(known)
