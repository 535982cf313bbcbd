"""The layout of a history file: how its text is laid out, and how the reference serialisation is made.

The reference is `json.dumps(entries, indent=4, ensure_ascii=False)` without a newline at the end. Other indents,
one line, CRLF, the form `{"entries": [...]}` and a final newline are regular too: in a regular layout the text
between two entries is always the same, so a file can be cut into whole entries without parsing it.
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

    `indent` 0 is one line with spaces after commas and colons (the default of `json.dumps`), -1 one line
    without any. `opening` stands before the first entry's `{`, `closing` after the last entry's `}`.
    """

    form: Literal["array", "entries"]
    indent: int
    eol: Literal["\n", "\r\n"] = "\n"

    @property
    def _line(self) -> bytes:
        """A line end, where the layout has lines."""
        return self.eol.encode() if self.indent > 0 else b""

    @property
    def margin(self) -> bytes:
        """The spaces before the brace of an entry."""
        return b" " * (max(0, self.indent) * (1 if self.form == "array" else 2))

    @property
    def last(self) -> bytes:
        """The last bytes of an entry: its `}` with what stands before it on the line."""
        return self._line + self.margin + b"}"

    @property
    def first(self) -> bytes:
        """The first bytes of an entry. On one line they need its first member: `{` alone could be any object."""
        return b"{" + self._line if self.indent > 0 else b'{"ts":' + (b' "' if self.indent == 0 else b'"')

    @property
    def gap(self) -> bytes:
        """What stands between the `}` of one entry and the `{` of the next."""
        return (b"," if self.indent != 0 else b", ") + self._line + self.margin

    @property
    def between(self) -> bytes:
        """The boundary of two entries: the end of one, the gap, the beginning of the next."""
        return self.last + self.gap + self.first

    @property
    def opening(self) -> bytes:
        if self.form == "array":
            return b"[" + self._line + self.margin
        colon = b":" if self.indent < 0 else b": "
        outer = self._line + b" " * max(0, self.indent)
        return b"{" + outer + b'"entries"' + colon + b"[" + self._line + self.margin

    @property
    def closing(self) -> bytes:
        if self.form == "array":
            return self._line + b"]"
        return self._line + b" " * max(0, self.indent) + b"]" + self._line + b"}"

    @property
    def name(self) -> str:
        names = {0: "one line", -1: "compact"}
        return names.get(self.indent, f"indent {self.indent}") + (", CRLF" if self.eol == "\r\n" else "")


REFERENCE = Layout("array", 4)

_LINES = re.compile(rb'(?:\[(\r?\n)( {1,8})|\{(\r?\n)( {1,8})"entries": \[\r?\n {2,16})\{\r?\n')
_ONE_LINE = (Layout("array", 0), Layout("array", -1), Layout("entries", 0), Layout("entries", -1))


def detect_layout(head: bytes) -> Layout | None:
    """The regular layout that the first bytes of a file show, or None."""
    if found := _LINES.match(head):
        form: Literal["array", "entries"] = "array" if found[2] else "entries"
        eol: Literal["\n", "\r\n"] = "\r\n" if b"\r" in (found[1] or found[3]) else "\n"
        candidates = (Layout(form, len(found[2] or found[4]), eol),)
    else:
        candidates = _ONE_LINE
    return next((one for one in candidates if head.startswith(one.opening + one.first)), None)


def reference_text(members: Mapping[str, Any], layout: Layout = REFERENCE) -> bytes:
    """One entry as the reference writes it: the known members in their order, then the others."""
    ordered = {name: members[name] for name in MEMBERS if name in members}
    ordered.update(members)
    text = _dumps(ordered, layout)
    return text.encode("utf-8", "surrogatepass").replace(b"\n", b"\n" + layout.margin)


def format_history(entries: Iterable[Mapping[str, Any]], layout: Layout = REFERENCE) -> bytes:
    """The serialisation of whole entries in a layout; members keep the order in which they are given."""
    listed = list(entries)
    value: Any = listed if layout.form == "array" else {"entries": listed}
    if any(_has_float(entry) for entry in listed):  # the two writers differ in how they spell some floats
        return _dumps(value, layout).encode()
    text = msgspec.json.format(msgspec.json.encode(value), indent=layout.indent)
    return text if layout.eol == "\n" else text.replace(b"\n", layout.eol.encode())


def _dumps(value: Any, layout: Layout) -> str:
    separators = (",", ":") if layout.indent < 0 else None
    indent = layout.indent if layout.indent > 0 else None
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    return text.replace("\n", layout.eol)


def _has_float(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_float(item) for item in cast("Mapping[str, Any]", value).values())
    if isinstance(value, list):
        return any(_has_float(item) for item in cast("list[Any]", value))
    return isinstance(value, float)
