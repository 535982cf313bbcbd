"""What a command returns, and printing it: as text for a person, or as exactly one JSON document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from devstate.errors import DevStateError

from .screen import Screen

__all__ = ["Outcome", "error_document", "json_line", "print_outcome"]


@dataclass(frozen=True)
class Outcome:
    """The result of one command.

    `document` is the JSON document without its `schema`. A value in it may be an iterator, which is written
    item by item, so that a long listing is never held whole, or a callable, which is asked when it is
    reached. `text` gives the lines for a person.
    """

    document: Mapping[str, Any]
    text: Callable[[Screen], Iterable[str]]
    status: int = 0
    for_programs: bool = False
    """Whether the text is a file format, which is UTF-8 whatever the locale says."""


def print_outcome(outcome: Outcome, screen: Screen, *, schema: str, as_json: bool) -> int:
    """Write the outcome; the exit status, which an error while entries are streamed can still change."""
    if as_json or outcome.for_programs:
        screen.utf8()
    if not as_json:
        for line in outcome.text(screen):
            screen.write(line + "\n")
        return outcome.status
    return _write_document({"schema": schema, **outcome.document}, screen) or outcome.status


def error_document(error: DevStateError) -> dict[str, Any]:
    """The members that say how a command failed."""
    from devstate.findings import visible

    shown: dict[str, Any] = {
        "code": error.code,
        "message": visible(str(error)),
        "remedy": visible(error.remedy),
    }
    return {"ok": False, "error": shown}


def json_line(document: Mapping[str, Any]) -> str:
    """One document on one line, for streams."""
    return _json(document, None) + "\n"


def _write_document(document: Mapping[str, Any], screen: Screen) -> int:
    if not any(isinstance(value, Iterator) or callable(value) for value in document.values()):
        screen.write(_json(document, 2) + "\n")
        return 0
    failure: DevStateError | None = None
    separator = "{\n"
    for name, value in document.items():
        if failure is not None and callable(value):
            continue
        screen.write(f"{separator}  {_json(name, None)}: ")
        separator = ",\n"
        if isinstance(value, Iterator):
            failure = _write_items(cast("Iterator[Any]", value), screen)
        else:
            screen.write(_json(value() if callable(value) else value, 2).replace("\n", "\n  "))
    if failure is not None:
        error = _json(error_document(failure)["error"], 2).replace("\n", "\n  ")
        screen.write(f'{separator}  "error": {error}')
    screen.write("\n}\n")
    return failure.exit_code if failure is not None else 0


def _write_items(items: Iterator[Any], screen: Screen) -> DevStateError | None:
    """A JSON array; what went wrong on the way, after which the document is closed properly."""
    failure: DevStateError | None = None
    opening = "["
    try:
        for item in items:
            screen.write(f"{opening}\n    " + _json(item, 2).replace("\n", "\n    "))
            opening = ","
    except DevStateError as error:
        failure = error
    screen.write("[]" if opening == "[" else "\n  ]")
    return failure


def _json(value: Any, indent: int | None) -> str:
    import json

    from devstate.findings import visible_json

    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except ValueError:  # a damaged entry may hold NaN or an infinite number, which JSON has no word for
        text = json.dumps(_finite(value), ensure_ascii=False, indent=indent)
    return visible_json(text)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
