"""Checks what is written about identities: fields and maps are there, namespaces known and in order."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definitions.identity import NOT_PEOPLE, OUTSIDE
from engine.definitions.model import (
    ConnectionDatasetDefinition,
    DatasetDefinition,
    Definitions,
    IdentityReference,
    MapIdentity,
    StitchingDefinition,
    path_of,
)
from engine.definitions.problem import Path, Problem
from engine.errors import did_you_mean


def identity_problems(
    path: Path, part: ConnectionDatasetDefinition, dataset: DatasetDefinition, definitions: Definitions
) -> Iterator[Problem]:
    """Yield what is wrong with where a dataset's persons and devices come from."""
    if part.person_id is not None:
        yield from _reference((*path, "person_id"), part.person_id, dataset, definitions)
    settings = part.stitching
    if settings is None:
        return
    inside = (*path, "stitching")
    yield from _reference((*inside, "persistent_id"), settings.persistent_id, dataset, definitions)
    if settings.person_id is not None:
        yield from _reference((*inside, "person_id"), settings.person_id, dataset, definitions)
    if settings.graph is not None:
        yield from _graph_namespace((*inside, "graph"), settings.graph, definitions)
    yield from _distinct(inside, settings, dataset)


def graph_problems(definitions: Definitions) -> Iterator[Problem]:
    """Yield what is wrong with the settings of the identity graph."""
    settings = definitions.identities
    if settings is None:
        return
    for key, codes in (("priority", settings.priority), ("unique", settings.unique)):
        for place, code in enumerate(codes):
            where = ("identities", key, str(place))
            yield from _known(where, code, definitions)
            if definitions.namespace(code).type in OUTSIDE:
                message = f'"{code}" has type {definitions.namespace(code).type}, which is in no graph'
                yield Problem(where, message, "Leave it out, or give it another type in namespaces.")
    yield from _order(settings.priority, definitions)


def _order(priority: tuple[str, ...], definitions: Definitions) -> Iterator[Problem]:
    """A cookie or device cannot say more surely than a person's identity who somebody is."""
    things = [code for code in priority if definitions.namespace(code).type in NOT_PEOPLE]
    for place, code in enumerate(priority):
        if things and code not in things and priority.index(things[0]) < place:
            kind = definitions.namespace(things[0]).type
            message = f'"{things[0]}" is a {kind} and stands before "{code}", which names persons'
            yield Problem(("identities", "priority", str(place)), message, f"Put {code} before {things[0]}.")
            return


def _reference(
    path: Path, reference: IdentityReference, dataset: DatasetDefinition, definitions: Definitions
) -> Iterator[Problem]:
    field, leaves = path_of(reference), dataset.leaves()
    mapped = isinstance(reference, MapIdentity)
    wanted = "identity_map" if mapped else "string"
    where = (*path, "map") if mapped else path
    if field not in leaves:
        yield Problem(where, f'there is no field "{field}"', did_you_mean(field, leaves))
    elif leaves[field].type == "identity_map" and not mapped:
        either = f"{{map: {field}, primary: true}} or {{map: {field}, namespace: CODE}}"
        hint = f"Say which of its identities: {either}."
        yield Problem(where, f'"{field}" is an identity map', hint)
    elif leaves[field].type != wanted:
        kind = leaves[field].type
        message = (
            f'"{field}" has type {kind}; an identity must be {"in an identity_map" if mapped else "a string"}'
        )
        yield Problem(where, message)
    elif isinstance(reference, MapIdentity) and reference.namespace is not None:
        yield from _known((*path, "namespace"), reference.namespace, definitions)


def _graph_namespace(path: Path, code: str, definitions: Definitions) -> Iterator[Problem]:
    if definitions.identities is None or not definitions.identities.graph:
        hint = "Add identities: with priority and unique, or stitch by person_id."
        yield Problem(path, "there is no identity graph to stitch by", hint)
    yield from _known(path, code, definitions)
    if definitions.namespace(code).type in OUTSIDE:
        yield Problem(path, f'"{code}" has type {definitions.namespace(code).type}, which is in no graph')


def _known(path: Path, code: str, definitions: Definitions) -> Iterator[Problem]:
    known = definitions.namespace_types()
    if code not in known:
        hint = did_you_mean(code, known) or f"Declare it: namespaces: {{{code}: cross_device}}."
        yield Problem(path, f'there is no namespace "{code}"', hint)


def _distinct(path: Path, settings: StitchingDefinition, dataset: DatasetDefinition) -> Iterator[Problem]:
    """Device and person have namespaces of their own, so that a row tells which of them it shows."""
    person, device = settings.person_id, settings.persistent_id
    other = ("graph", settings.graph) if person is None else ("person_id", _namespace(person, dataset))
    if person is not None and _by_primary(person) and _by_primary(device):
        message = "person and device cannot both be the primary identity"
        yield Problem((*path, "person_id"), message, "Name a namespace for one of them.")
    elif other[1] is not None and other[1] == _namespace(device, dataset):
        message = f'person and device are both identities of "{other[1]}"'
        yield Problem((*path, other[0]), message, "Give them namespaces of their own.")


def _by_primary(reference: IdentityReference) -> bool:
    return isinstance(reference, MapIdentity) and reference.primary


def _namespace(reference: IdentityReference, dataset: DatasetDefinition) -> str | None:
    if isinstance(reference, MapIdentity):
        return reference.namespace
    field = dataset.leaves().get(reference)
    return reference if field is None else field.identity or reference
