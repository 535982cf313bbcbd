"""A schema made ready to judge values: the published one, or the one that a workspace brings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol, cast

from devstate.findings import Finding, Severity, Where
from devstate.pointer import join_pointer
from devstate.strict_json import parse_strict

from .full_check import Refusal, SchemaUnusable, load_schema
from .quick_check import Check, compile_check
from .state import add_lines, fault_findings

__all__ = ["EntryJudge", "ReadySchema", "SchemaUnusable", "entry_judge", "parse_schema", "unusable"]

_DEPTH = 64
_MOST = 1000

# They change nothing in what a schema refuses.
_LABELS: Final = frozenset({"$schema", "$id", "$comment", "title", "description", "examples", "default"})
# With nothing but these at its top, a schema of an array says the same of each item alone.
_PER_ITEM: Final = _LABELS | {"type", "items", "definitions", "$defs"}


class ReadySchema:
    """Judges values; the general validator is built when the quick test first says no.

    Raises SchemaUnusable on creation, or later where only a value leads to the part that cannot be used.
    """

    def __init__(self, schema: Any, quick: Check | None) -> None:
        self.quick = quick
        self._schema = schema
        self._full: Callable[[Any], tuple[Refusal, ...]] | None = None
        if quick is None:
            self._full = load_schema(schema)

    def refusals(self, value: Any) -> tuple[Refusal, ...]:
        """What the schema refuses of the value."""
        if self.quick is not None and self.quick(value):
            return ()
        if self._full is None:
            self._full = load_schema(self._schema)
        return self._full(value)


class EntryJudge(Protocol):
    """A workspace's schema of the history, asked entry by entry; `position` counts from 0."""

    def accepts(self, position: int, entry: Any) -> bool:
        """A quick answer; "no" may still turn out to refuse nothing."""
        ...

    def refusals(self, position: int, entry: Any) -> tuple[Refusal, ...]:
        """What the schema refuses; paths begin at the entry."""
        ...


class _EachEntry:
    def __init__(self, schema: Any) -> None:
        items = schema.get("items", True)
        quick = compile_check(items) if compile_check(schema) is not None else None
        self._quick = quick
        self._ready = ReadySchema(schema, None if quick is None else lambda value: quick(value[0]))

    def accepts(self, position: int, entry: Any) -> bool:
        return self._quick(entry) if self._quick is not None else not self.refusals(position, entry)

    def refusals(self, position: int, entry: Any) -> tuple[Refusal, ...]:
        return tuple(found._replace(path=found.path[1:]) for found in self._ready.refusals([entry]))


class _AllEntries:
    """What a schema that looks at more than single entries refuses, sorted by entry."""

    def __init__(self, found: Sequence[Refusal], below: int) -> None:
        self._found: dict[int, list[Refusal]] = defaultdict(list)
        self.others: list[Refusal] = []
        for refusal in found:
            position = refusal.path[below] if len(refusal.path) > below else None
            if isinstance(position, int):
                self._found[position].append(refusal._replace(path=refusal.path[below + 1 :]))
            else:
                self.others.append(refusal)

    def accepts(self, position: int, entry: Any) -> bool:
        return position not in self._found

    def refusals(self, position: int, entry: Any) -> tuple[Refusal, ...]:
        return tuple(self._found.get(position, ()))


def parse_schema(
    data: bytes | None, published: dict[str, Any], file: str
) -> tuple[Any | None, tuple[Finding, ...]]:
    """The workspace's own schema, and what is wrong with its text.

    None where it has none, where it says the same as the published one, and where it cannot be read.
    """
    if data is None:
        return None, ()
    parsed = parse_strict(data, depth=_DEPTH)
    findings = fault_findings(data, parsed.faults, file, _MOST)
    if any(finding.severity is Severity.ERROR for finding in findings) or not parsed.usable:
        return None, findings
    schema: Any = parsed.value
    if not isinstance(schema, (dict, bool)):
        return None, (*findings, unusable(SchemaUnusable("a JSON schema is an object"), data, file))
    if isinstance(schema, dict) and _meaning(cast("dict[str, Any]", schema)) == _meaning(published):
        return None, findings
    return cast(Any, schema), findings


def unusable(fault: SchemaUnusable, data: bytes | None, file: str) -> Finding:
    """The finding about a schema file that cannot be used."""
    where = Where(file, pointer=join_pointer(fault.path))
    message = f"the workspace's own schema cannot be used: {fault.message}; the published one decides"
    remedy = "Correct the schema file, or remove it: the published schema is built in."
    finding = Finding("SCHEMA_INVALID", Severity.ERROR, message, where, "a JSON schema", None, remedy)
    return add_lines((finding,), data, file=file)[0]


def entry_judge(
    schema: Any, entries: Callable[[], Sequence[Any]], form: Literal["array", "entries"]
) -> tuple[EntryJudge, tuple[Refusal, ...]]:
    """The judge of single entries, and what the schema refuses of the history as a whole.

    `entries` is called only where the schema asks for more than a form of each entry. A schema of an array is
    held against the entries in both forms of the file, any other against `{"entries": [...]}`.
    Raises SchemaUnusable.
    """
    keywords = cast("dict[str, Any]", schema) if isinstance(schema, dict) else {}
    of_array = keywords.get("type", "array") == "array"
    one_form = isinstance(keywords.get("items", True), (dict, bool))
    if isinstance(schema, dict) and of_array and one_form and keywords.keys() <= _PER_ITEM:
        return _EachEntry(cast(Any, schema)), ()
    listed = list(entries())
    wrapped = form == "entries" and not of_array
    document: Any = {"entries": listed} if wrapped else listed
    judge = _AllEntries(load_schema(schema)(document), 1 if wrapped else 0)
    return judge, tuple(judge.others)


def _meaning(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name not in _LABELS or name == "$schema"}
