"""The manifest of a backup: which files it holds, with sizes and checksums, and a checksum of its own."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from engine.errors import HomeError

NAME: Final = "manifest.json"
"""The manifest's file in the backup."""
_FORMAT: Final = 1


@dataclass(frozen=True)
class Entry:
    """A file of a backup.

    Attributes:
        path: in the home, with forward slashes.
        sha256: of its content, in hexadecimal.
    """

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        home_format: the format of the home.
        world: id of the one world in it.
        published_at: when that world was published.
        made_at: when the backup was made.
    """

    home_format: int
    world: int
    published_at: datetime
    made_at: datetime
    files: tuple[Entry, ...]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a backup; it is on the disk on return."""
    values = {"format": _FORMAT, **asdict(manifest)}
    values |= {name: getattr(manifest, name).isoformat() for name in ("published_at", "made_at")}
    text = json.dumps({**values, "checksum": _checksum(json.loads(json.dumps(values)))}, indent=1)
    with (folder / NAME).open("x", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        HomeError: there is none, it is damaged, or a newer wayline wrote it.
    """
    try:
        values = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise HomeError(
            f"{folder} is not a backup: it has no {NAME}", hint="Name the folder that wayline backup made."
        ) from None
    except ValueError:
        raise _damaged(folder) from None
    if not isinstance(values, dict) or values.pop("checksum", None) != _checksum(values):
        raise _damaged(folder)
    if values.pop("format") != _FORMAT:
        raise HomeError(f"{folder} is a backup of a newer format", hint="Upgrade wayline.")
    return _manifest(folder, values)


def _manifest(folder: Path, values: dict[str, Any]) -> Manifest:
    entries = tuple(Entry(**entry) for entry in values.pop("files"))
    paths = [PurePosixPath(entry.path) for entry in entries]
    if any(path.is_absolute() or ".." in path.parts for path in paths):
        raise _damaged(folder)
    published, made = (datetime.fromisoformat(values[name]) for name in ("published_at", "made_at"))
    return Manifest(values["home_format"], values["world"], published, made, entries)


def _checksum(values: dict[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _damaged(folder: Path) -> HomeError:
    return HomeError(
        f"{folder} is damaged: its {NAME} is not as it was written",
        hint="Nothing was restored; take another backup.",
    )
