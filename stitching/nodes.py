"""Identities as numbers, and their lexical order where it is asked for: sorting texts is what costs most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from stitching.names import Codes, numbered

_Array: TypeAlias = np.ndarray[Any, Any]
_Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Nodes:
    """N distinct identities.

    Attributes:
        texts: ``namespace``, ``value``, N rows.
        spaces: the namespaces that occur, in lexical order.
        space: int32[N], the place of each node's namespace among them.
    """

    texts: pl.DataFrame
    spaces: tuple[str, ...]
    space: Codes

    def __len__(self) -> int:
        return self.texts.height

    def of_spaces(self, told: Mapping[str, int], default: int) -> Codes:
        """Return int32[N], what is told of each node's namespace."""
        return np.array([told.get(space, default) for space in self.spaces], np.int32)[self.space]

    def among(self, namespaces: Iterable[str]) -> _Flags:
        """Return bool[N], whether each node's namespace is one of these."""
        return self.of_spaces(dict.fromkeys(namespaces, 1), 0).astype(np.bool_)

    def gather(self, part: str, codes: _Array) -> pl.Series:
        """Return the namespace or the value of nodes; null for negative numbers."""
        wanted = pl.Series(codes, dtype=pl.Int32)
        return self.texts[part].gather(wanted.set(wanted < 0, None))


def nodes_of(identities: pl.DataFrame) -> tuple[Codes, Nodes]:
    """Return int32[N], the node of each identity, and the nodes.

    Args:
        identities: ``namespace``, ``value`` strings, N rows.
    """
    codes, firsts = numbered(identities.select("namespace", "value"))
    texts = identities.select("namespace", "value")[firsts]
    spaces = texts["namespace"].unique().sort()
    space = texts["namespace"].cast(pl.Enum(spaces)).to_physical().cast(pl.Int32)
    return codes, Nodes(texts, tuple(spaces), space.to_numpy())


def lexical(nodes: Nodes, wanted: _Array) -> Codes:
    """Return int32[N], the lexical places of the wanted nodes among each other, 0 for all others.

    Args:
        nodes: N of them.
        wanted: node numbers, some perhaps several times.
    """
    places = np.zeros(len(nodes), np.int32)
    chosen = np.unique(wanted)
    texts = pl.DataFrame({"space": nodes.space[chosen], "value": nodes.gather("value", chosen)})
    order = texts.select(pl.arg_sort_by("space", "value")).to_series().to_numpy()
    places[chosen[order]] = np.arange(chosen.size, dtype=np.int32)
    return places


def smallest(nodes: Nodes, roots: Codes) -> Codes:
    """Return int32[N], the lexically smallest node of each node's group.

    Only groups that hold several nodes of their first namespace need their texts compared.

    Args:
        nodes: N of them.
        roots: int32[N], a number of its own for each group, below N.
    """
    first = np.full(len(nodes), len(nodes.spaces), np.int32)
    np.minimum.at(first, roots, nodes.space)
    candidates = np.flatnonzero(nodes.space == first[roots])
    least = np.empty(len(nodes), np.int32)
    least[roots[candidates]] = candidates
    several = np.bincount(roots[candidates], minlength=len(nodes)) > 1
    if several.any():
        candidates = candidates[several[roots[candidates]]]
        order = nodes.gather("value", candidates).arg_sort(descending=True).to_numpy()
        # Of several that are written to one place the last one stays: the smallest.
        least[roots[candidates[order]]] = candidates[order]
    return least[roots]
