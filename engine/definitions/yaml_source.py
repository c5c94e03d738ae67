"""Reads a YAML file as plain data, and remembers in which line every key path stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from engine.errors import DefinitionError

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class YamlSource:
    """A parsed file.

    Attributes:
        data: dictionaries, lists and scalars; every key is a string.
        lines: key path → 1-based line; elements of a list are numbered from 0.
    """

    file: str
    data: Any
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def error(self, path: KeyPath, message: str, hint: str | None = None) -> DefinitionError:
        """Return the error that points to a key path, or to the nearest one above it."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known else ""
        where = f" {'.'.join(path)}:" if path else ""
        return DefinitionError(f"{self.file}{line}:{where} {message}", hint=hint)


def read_yaml(path: Path | str) -> YamlSource:
    """Read a YAML file.

    Raises:
        DefinitionError: it cannot be read, is not YAML, or has a key twice.
    """
    file = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
    except OSError as error:
        raise DefinitionError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{file} is not UTF-8 text: {error.reason}") from None
    except yaml.YAMLError as error:
        raise _syntax_error(file, error) from None
    lines: dict[KeyPath, int] = {}
    data = None if root is None else _Builder(file, loader, lines).build(root, (), ())
    return YamlSource(file, data, lines)


def _syntax_error(file: str, error: yaml.YAMLError) -> DefinitionError:
    mark = getattr(error, "problem_mark", None)
    where = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return DefinitionError(f"{file}{where}: not valid YAML: {problem}")


class _Builder:
    """Turns YAML nodes into data; it fills ``lines`` on the way."""

    def __init__(self, file: str, loader: yaml.SafeLoader, lines: dict[KeyPath, int]) -> None:
        self._file = file
        self._loader = loader
        self._lines = lines

    def build(self, node: yaml.Node, path: KeyPath, above: tuple[yaml.Node, ...]) -> Any:
        """Return the data of a node; ``above`` are the nodes that it is part of."""
        if any(node is outer for outer in above):
            raise self._error(node, "an alias contains itself")
        inside = (*above, node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, inside)
        if isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                self._lines[*path, str(index)] = child.start_mark.line + 1
            return [self.build(child, (*path, str(index)), inside) for index, child in enumerate(node.value)]
        try:
            return self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise self._error(node, getattr(error, "problem", None) or str(error)) from None

    def _mapping(
        self, node: yaml.MappingNode, path: KeyPath, inside: tuple[yaml.Node, ...]
    ) -> dict[str, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key must be a plain word")
            line = first.setdefault(key.value, key.start_mark.line + 1)
            if line != key.start_mark.line + 1 or list(first).count(key.value) > 1:
                raise self._error(key, f'key "{key.value}" is there already, in line {line}')
        self._loader.flatten_mapping(node)
        for key, _ in node.value:
            self._lines[*path, key.value] = key.start_mark.line + 1
        return {key.value: self.build(value, (*path, key.value), inside) for key, value in node.value}

    def _error(self, node: yaml.Node, message: str) -> DefinitionError:
        mark = node.start_mark
        return DefinitionError(f"{self._file}:{mark.line + 1}:{mark.column + 1}: {message}")
