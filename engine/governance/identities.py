"""The identities that a privacy request names: how they are written, and which rows carry them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from engine.definitions.identity import identity_of
from engine.definitions.model import DatasetDefinition, Definitions, IdentityReference
from engine.errors import InputError, UnknownNameError, did_you_mean
from engine.lake import table as lake
from engine.lake.carriers import Wanted, carries, namespaces
from engine.lake.rows import lake_rows
from engine.lake.table import ROW, LakeFile
from engine.world import Home, World


def parse(texts: Iterable[str]) -> dict[str, set[str]]:
    """Return namespace → values of texts ``NAMESPACE:VALUE``.

    Raises:
        InputError: one of them is none.
    """
    found: dict[str, set[str]] = {}
    for namespace, value in map(identity_of, texts):
        found.setdefault(namespace, set()).add(value)
    return found


def read_file(path: Path) -> list[str]:
    """Return the identities of a file as texts: CSV or JSON with ``namespace`` and ``id``.

    Raises:
        InputError: it cannot be read.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
        rows: Sequence[Mapping[str, Any]] = (
            json.loads(content) if path.suffix == ".json" else list(csv.DictReader(content.splitlines()))
        )
        return [f"{_text(row['namespace'])}:{_text(row['id'])}" for row in rows]
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read {path}: {why}", hint="Name a CSV or JSON file.") from None
    except (ValueError, KeyError, TypeError):
        hint = 'CSV with the columns namespace,id; or JSON: [{"namespace": "Email", "id": "…"}].'
        raise InputError(f"{path} is no list of identities", hint=hint) from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def check(definitions: Definitions, wanted: Wanted) -> None:
    """Raise UnknownNameError if no field can hold an identity of one of the namespaces."""
    datasets = definitions.datasets.items()
    if any(field.type == "identity_map" for _, each in datasets for field in each.leaves().values()):
        # The records say which namespaces there are.
        return
    known = {code for _, dataset in datasets for code in namespaces(dataset)}
    known |= {path for name in definitions.datasets for path in unlabelled(definitions, name)}
    for code in wanted:
        if code not in known:
            raise UnknownNameError(
                f'no field holds identities of namespace "{code}"', hint=did_you_mean(code, known)
            )


def unlabelled(definitions: Definitions, name: str) -> dict[str, str]:
    """Return dotted path → namespace, which is the path, of fields that name somebody without a label."""
    dataset = definitions.datasets[name]
    found: list[IdentityReference | None] = [dataset.key if dataset.kind == "profile" else None]
    for connection in definitions.connections.values():
        part = connection.datasets.get(name)
        if part is not None and part.stitching is not None:
            found += [part.stitching.persistent_id, part.stitching.person_id]
        elif part is not None:
            found.append(part.person_id)
    return {path: path for path in found if isinstance(path, str) and not dataset.field(path).identity}


def rows_with(home: Home, world: World, wanted: Wanted) -> dict[str, dict[LakeFile, pl.Series]]:
    """Return dataset → live file → ids of the rows that carry one of some identities."""
    found = {
        name: _rows_of(home, world, name, dataset, wanted)
        for name, dataset in world.definitions.datasets.items()
    }
    return {name: files for name, files in found.items() if files}


def _rows_of(
    home: Home, world: World, name: str, dataset: DatasetDefinition, wanted: Wanted
) -> dict[LakeFile, pl.Series]:
    condition = carries(dataset, wanted, unlabelled(world.definitions, name))
    if condition is None:
        return {}
    files = lake.files(home.dataset_path(name), world.datasets[name])
    found = {file: lake_rows([file], dataset).filter(condition).select(ROW).collect()[ROW] for file in files}
    return {file: ids for file, ids in found.items() if len(ids)}
