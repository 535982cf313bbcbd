"""The text of a record, as it is searched and shown in snippets; for the `texts()` hooks of primitives.

- A text is itself; a number, true, false or null is its JSON text (`NaN`, `Infinity` where JSON has none).
- A list or map is compact JSON text in which the strings stand as they are, without escapes: `\\n` as two
  characters would put an `n` before the next word.
- Bytes are the hexadecimal digits of their first 32: enough to find a hash or an id, and a picture does not fill
  the index.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import cast

__all__ = [
    "text_of_document",
    "text_of_event",
    "text_of_run",
    "text_of_state",
    "text_of_trace",
    "text_of_value",
]

_MOST_BYTES = 32


def text_of_value(value: object) -> str:
    """The text of a KV value, and of every value inside the other records."""
    if type(value) is str:
        return value
    if type(value) is bytes:
        return _hexadecimal(value)
    text = _encode(value)
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def text_of_document(document: object) -> str:
    """A JSON document: a line `path: value` for each scalar, the path as in `steps[0].do`, `$` for the root."""
    lines: list[str] = []
    _scalars(document, "", lines)
    return "\n".join(lines)


def text_of_event(event_type: str, payload: object) -> str:
    """An event: its type and payload, a line each."""
    return f"{event_type}\n{text_of_value(payload)}"


def text_of_state(name: str, value: object) -> str:
    """A State cell: its name and value, a line each."""
    return f"{name}\n{text_of_value(value)}"


def text_of_trace(name: str, kind: str, attrs: Mapping[str, object]) -> str:
    """A span: name, kind and attributes, a line each."""
    return f"{name}\n{kind}\n{text_of_value(attrs)}"


def text_of_run(run: str, status: str, name: str | None, metadata: Mapping[str, object]) -> str:
    """A run: id in UUID form, status, name and metadata, a line each."""
    return f"{run}\n{status}\n{name or ''}\n{text_of_value(metadata)}"


def _hexadecimal(value: object) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"no text is known for {type(value).__name__}")
    return value[:_MOST_BYTES].hex()


# Values come from the engine, which has refused what refers to itself or is nested too deeply.
_encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False, default=_hexadecimal
).encode

# With ensure_ascii off these are all that the encoder writes.
_ESCAPE = re.compile(r'\\(?:(["\\])|([bfnrt])|u([0-9a-f]{4}))')
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    return _SHORT[match[2]] if match[2] else chr(int(match[3], 16))


def _scalars(value: object, path: str, lines: list[str]) -> None:
    if isinstance(value, dict):
        for key, item in cast(dict[str, object], value).items():
            _scalars(item, f"{path}.{key}" if path else key, lines)
    elif isinstance(value, list):
        for index, item in enumerate(cast(list[object], value)):
            _scalars(item, f"{path}[{index}]", lines)
    else:
        lines.append(f"{path or '$'}: {text_of_value(value)}")
