"""The layout of a history file: how its text is laid out, and how the reference serialisation is made.

The reference is `json.dumps(entries, indent=4, ensure_ascii=False)` without a newline at the end. Other indents,
the form `{"entries": [...]}` and a final newline are regular too: in a regular layout the text between two
entries is always the same, so a file can be cut into whole entries without parsing it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

import msgspec

from .entry import MEMBERS

__all__ = ["REFERENCE", "Layout", "detect_layout", "format_history", "reference_text"]


class Layout(msgspec.Struct, frozen=True):
    """A regular layout: the form, the spaces of one level, and the bytes that follow from them.

    `opening` stands before the first entry's `{`, `between` from the `}` of one entry to the `{` of the next
    (both included), `closing` after the last entry's `}`.
    """

    form: Literal["array", "entries"]
    indent: int

    @property
    def margin(self) -> bytes:
        """The spaces before the brace of an entry."""
        return b" " * (self.indent * (1 if self.form == "array" else 2))

    @property
    def opening(self) -> bytes:
        if self.form == "array":
            return b"[\n" + self.margin
        return b"{\n" + b" " * self.indent + b'"entries": [\n' + self.margin

    @property
    def between(self) -> bytes:
        return b"\n" + self.margin + b"},\n" + self.margin + b"{\n"

    @property
    def closing(self) -> bytes:
        if self.form == "array":
            return b"\n]"
        return b"\n" + b" " * self.indent + b"]\n}"

    @property
    def name(self) -> str:
        return f"indent {self.indent}"


REFERENCE = Layout("array", 4)

_ARRAY = re.compile(rb"\[\n( {1,8})\{\n")
_ENTRIES = re.compile(rb'\{\n( {1,8})"entries": \[\n( {2,16})\{\n')


def detect_layout(head: bytes) -> Layout | None:
    """The regular layout that the first bytes of a file show, or None."""
    if found := _ARRAY.match(head):
        return Layout("array", len(found.group(1)))
    if (found := _ENTRIES.match(head)) and len(found.group(2)) == 2 * len(found.group(1)):
        return Layout("entries", len(found.group(1)))
    return None


def reference_text(members: Mapping[str, Any], layout: Layout = REFERENCE) -> bytes:
    """One entry as the reference writes it: the known members in their order, then the others."""
    ordered = {name: members[name] for name in MEMBERS if name in members}
    ordered.update(members)
    text = json.dumps(ordered, indent=layout.indent, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass").replace(b"\n", b"\n" + layout.margin)


def format_history(entries: Iterable[Mapping[str, Any]], layout: Layout = REFERENCE) -> bytes:
    """The serialisation of whole entries in a layout; members keep the order in which they are given."""
    listed = list(entries)
    value: Any = listed if layout.form == "array" else {"entries": listed}
    if any(_has_float(entry) for entry in listed):  # the two writers differ in how they spell some floats
        return json.dumps(value, indent=layout.indent, ensure_ascii=False).encode()
    return msgspec.json.format(msgspec.json.encode(value), indent=layout.indent)


def _has_float(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_float(item) for item in cast("Mapping[str, Any]", value).values())
    if isinstance(value, list):
        return any(_has_float(item) for item in cast("list[Any]", value))
    return isinstance(value, float)
