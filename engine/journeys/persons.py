"""Whom rows belong to before and after a replay: found, compared and counted as codes of their names.

Every text becomes a number the first time it is met. Devices and persons share their codes, so who is not
known is called like the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.journeys import intake, tombstones
from engine.journeys.columns import NAMESPACE, PERSON, TIME
from engine.journeys.intake import Member
from engine.world import Home
from stitching import field_based
from stitching.identity import joined, parted
from stitching.names import NOBODY, Codes, Names, Numbered

Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Distinct:
    """The distinct persons of rows, as codes, which are those of their dataset alone."""

    names: Names
    codes: Codes


def count_distinct(persons: Sequence[Distinct]) -> int:
    """Return how many persons the rows of several datasets have together."""
    if len(persons) == 1:
        return persons[0].codes.size
    return pl.concat([found.names.texts_of(found.codes) for found in persons]).n_unique() if persons else 0


@dataclass(frozen=True)
class Found:
    """Events of a window, and the person of each (``NOBODY`` where none is known)."""

    events: field_based.Events
    persons: Codes


@dataclass(frozen=True)
class Labelled:
    """Whom N rows belonged to.

    Attributes:
        persons: N strings, with their namespaces (``joined``) where these vary.
        own: bool[N], whether the namespace is that of persons; true where persons are told with theirs.
        other: bool[N], whether it is that of devices; likewise.
    """

    persons: pl.Series
    own: Mask
    other: Mask


@dataclass(frozen=True)
class Persons:
    """Whom N rows belong to, as codes.

    Attributes:
        names: what the codes stand for.
        known: whether a person id says who they belong to now.
        changed: whether person or namespace differ.
        spaces: the namespaces that rows get, where rows tell them.
    """

    names: Names
    before: Codes
    after: Codes
    known: Mask
    changed: Mask
    spaces: pl.Series | None = None

    def adds(self, member: Member, rows: pl.Series) -> pl.DataFrame:
        """Return ``row, _person, _namespace`` of the rows that change, which have these ids."""
        codes, known = self.after[self.changed], self.known[self.changed]
        told = pl.DataFrame({"row": rows, "person": self.names.texts_of(codes), "known": known})
        if self.spaces is None:
            return intake.named(member, told)
        spaces = self.spaces.filter(pl.Series(self.changed))
        return told.select("row", pl.col("person").alias(PERSON), spaces.alias(NAMESPACE))

    def distinct(self, codes: Codes) -> Distinct:
        """Return the persons among codes, each once."""
        present = np.zeros(len(self.names), np.bool_)
        present[codes] = True
        return Distinct(self.names, np.flatnonzero(present).astype(np.int32))


def coded(member: Member, rows: pl.DataFrame, beside: Executor) -> field_based.Events:
    """Number devices and, beside, persons of rows of journeys; what identifies nobody is ``NOBODY``."""
    device, person = intake.unjudged_identity(member)
    told = rows.select(device=device, person=person, time=TIME)
    persons = beside.submit(Numbered.of, told["person"])
    devices = Numbered.of(told["device"])
    return field_based.coded(devices, persons.result(), told["time"].to_numpy(), intake.judge(member))


def labelled(member: Member, rows: pl.DataFrame) -> Labelled:
    """Return the persons of rows, which have at least ``_person`` and ``_namespace``."""
    if member.varies:
        told = rows.select(joined(pl.col(NAMESPACE), pl.col(PERSON))).to_series()
        every = np.ones(rows.height, np.bool_)
        return Labelled(told, every, every)
    own, other = (
        (rows[NAMESPACE] == member.namespace(reference)).to_numpy()
        for reference in (member.person, member.device)
    )
    return Labelled(rows[PERSON], own, other)


def respecting(home: Home, member: Member, found: Found, rows: pl.Series) -> Found:
    """Leave rows with their devices where the person found for them was deleted after they arrived."""
    if not tombstones.cover(home, member.name):
        return found
    codes = np.unique(found.persons[found.persons != NOBODY])
    namespace, person = pl.lit(member.namespace(member.person)), pl.col("text")
    if member.varies:
        namespace, person = parted(person)
    texts = found.events.names.texts_of(codes).to_frame("text").with_columns(code=codes)
    persons = texts.select("code", person.alias(PERSON), namespace.alias(NAMESPACE))
    buried = tombstones.buried(home, member.name, persons.drop("code"))
    if not buried.height:
        return found
    forbidden, batches = np.zeros(found.persons.size, np.bool_), rows.to_numpy() >> 32
    told = persons.join(buried, on=[NAMESPACE, PERSON]).select("code", "upto")
    for code, upto in told.iter_rows():
        forbidden |= (found.persons == code) & (batches <= upto)
    return replace(found, persons=np.where(forbidden, np.int32(NOBODY), found.persons))


def compared(member: Member, found: Found, was: Labelled) -> Persons:
    """Compare the persons that rows had with those that were found for them."""
    known, names = found.persons != NOBODY, found.events.names
    # Devices and persons share their codes: who is not known is called like the device.
    after = np.where(known, found.persons, found.events.device)
    moved = (was.persons != names.texts_of(after)).fill_null(True)
    before = after.copy()
    before[moved.to_numpy()] = names.number(was.persons.filter(moved))
    fits = np.where(known, was.own, was.other)
    persons = Persons(names, before, after, known, moved.to_numpy() | ~fits)
    return _parted(persons) if member.varies else persons


def _parted(persons: Persons) -> Persons:
    """Return persons by their values alone, where codes stood for namespaces and values."""
    namespace, value = parted(pl.col("text"))
    texts = persons.names.texts().to_frame("text").select(namespace=namespace, value=value)
    names = Names()
    values = names.number(texts["value"])
    return replace(
        persons,
        names=names,
        before=values[persons.before],
        after=values[persons.after],
        spaces=texts["namespace"].gather(persons.after),
    )
