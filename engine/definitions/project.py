"""Loads a project file: YAML in, checked definitions out, every error with its file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from engine.definitions.checks import problems
from engine.definitions.model import Definitions
from engine.definitions.problem import Problem
from engine.definitions.yaml_source import KeyPath, YamlSource, read_yaml
from engine.errors import DefinitionError, did_you_mean

_VAGUE: Final = ("literal_error", "missing")
"""Errors that say less than others for the same place, where several kinds of value may stand."""


Check = Callable[[Definitions], Iterator[Problem]]
"""Yields what is wrong with definitions."""


def load(path: Path | str, base: Definitions | None = None, *, then: tuple[Check, ...] = ()) -> Definitions:
    """Return the definitions of a project file.

    Args:
        path: the file.
        base: what is defined already; the file may refer to it.
        then: checks of higher rooms, made of definitions without faults so far.

    Raises:
        DefinitionError: the file is malformed, or refers to something that is not there; the
            message names file, line and key path.
    """
    source = read_yaml(path)
    if not isinstance(source.data, dict):
        hint = "Begin with datasets:, connections: or data_views:."
        raise source.error((), "holds no definitions", hint)
    definitions = parsed(source)
    merged = merge(base or Definitions(), definitions)
    for check in (problems, *then):
        for problem in check(merged):
            raise source.error(problem.path, problem.message, problem.hint)
    return definitions


def parsed(source: YamlSource) -> Definitions:
    """Return what a file defines, each part well-formed by itself; DefinitionError where one is not."""
    try:
        return Definitions.model_validate(source.data)
    except ValidationError as error:
        raise _validation_error(source, error) from None


def merge(old: Definitions, new: Definitions) -> Definitions:
    """Return what an apply leaves: new definitions replace those of equal name, others stay."""
    return Definitions(
        namespaces={**old.namespaces, **new.namespaces},
        identities=new.identities or old.identities,
        datasets={**old.datasets, **new.datasets},
        connections={**old.connections, **new.connections},
        data_views={**old.data_views, **new.data_views},
        segments={**old.segments, **new.segments},
        date_ranges={**old.date_ranges, **new.date_ranges},
    )


def _validation_error(source: YamlSource, error: ValidationError) -> DefinitionError:
    errors = error.errors()
    # Where a text or keys may stand, what is wrong with the keys says more than that they are no text.
    told = [each for each in errors if each["type"] != "string_type" or not isinstance(each["input"], dict)]
    found = [(_key_path(source.data, details["loc"]), details) for details in told or errors]
    line = {path: source.lines.get(path, 0) for path, _ in found}
    path, details = min(found, key=lambda item: (line[item[0]], item[0], item[1]["type"] in _VAGUE))
    where, message, hint = explained(path, details)
    others = [explained(*item)[2] for item in found if item[0] == path]
    return source.error(where, message, hint or next(filter(None, others), None))


def _key_path(data: Any, location: tuple[Any, ...]) -> KeyPath:
    """Return the part of pydantic's location that stands in the file, without its own remarks."""
    path: list[str] = []
    for part in location:
        known: Any = range(len(data)) if isinstance(data, list) else data
        if isinstance(data, (dict, list)) and part in known:
            data = data[part]
            path.append(str(part))
    return tuple(path)


def explained(path: KeyPath, details: Any) -> tuple[KeyPath, str, str | None]:
    """Return what pydantic found at a path of the definitions in our words: where, what, and a hint."""
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return path, "unknown key", did_you_mean(path[-1], _known_keys(path[:-1]))
    if kind == "missing":
        return path, f'key "{details["loc"][-1]}" is missing', None
    if kind == "literal_error":
        allowed = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        hint = did_you_mean(str(details["input"]), allowed)
        return path, f"{details['input']!r} is not one of {', '.join(allowed)}", hint
    if kind == "value_error":
        refusal = context["error"]
        key = getattr(refusal, "key", None)
        return (*path, key) if key else path, str(refusal), getattr(refusal, "hint", None)
    return path, f"{details['msg'][:1].lower()}{details['msg'][1:]}", None


def _known_keys(path: KeyPath) -> list[str]:
    annotation: Any = Definitions
    for part in path:
        annotation = next(_steps(annotation, part), None)
    return [name for model in _models(annotation) for name in model.model_fields]


def _steps(annotation: Any, part: str) -> Iterator[Any]:
    for model in _models(annotation):
        if part in model.model_fields:
            yield model.model_fields[part].annotation
    for option in _options(annotation):
        if get_origin(option) in (dict, list):
            yield get_args(option)[-1]
        if get_origin(option) is tuple:
            yield get_args(option)[0]


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [
        option
        for option in _options(annotation)
        if isinstance(option, type) and issubclass(option, BaseModel)
    ]


def _options(annotation: Any) -> list[Any]:
    """Return the types that an annotation allows: unions opened, ``Annotated`` undressed."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (dict, list, tuple) or not get_args(annotation):
        return [annotation]
    return [option for argument in get_args(annotation) for option in _options(argument)]
