"""Traces: spans of what an agent did, each possibly under another; entry 0x50.

A span is ended by recording it again under its id: the newer record takes the place of the older, which keeps its
place in the order. Nothing is looked up by an index that is stored: questions go through the spans of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, overload

import msgspec

from devstate.engine.batch import Operation
from devstate.engine.envelope import WalEntry
from devstate.engine.errors import EngineError, NotFound, ValueRangeError, ValueTypeError
from devstate.engine.map_primitive import MapPrimitive
from devstate.engine.primitive import Key
from devstate.engine.search.texts import text_of_trace
from devstate.engine.values import Value, check_key, encode_value
from devstate.engine.versions import Record

from .payloads import KeyedPayload
from .span_trees import Span, SpanNode, trees

if TYPE_CHECKING:
    from typing import Self

    from devstate.engine.batch import Batch
    from devstate.engine.context import Context

__all__ = ["KINDS", "OpenSpan", "Span", "SpanNode", "TraceStore", "TraceView", "Traces"]

RECORD = 0x50

KINDS: Final = ("tool_call", "decision", "query", "thought", "error", "custom")
"""The kinds of spans."""

_pack = msgspec.msgpack.Encoder().encode
_raw = msgspec.Raw
_uint = msgspec.msgpack.Decoder(int).decode
_raw_list = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_NIL = _pack(None)
# Behind every committed span: the place of a span that its transaction has not committed.
_PROVISIONAL = 1 << 62
_MOST_MICROS = 1 << 63


class _RecordPayload(KeyedPayload, frozen=True):
    parent: msgspec.Raw
    kind: msgspec.Raw
    name: msgspec.Raw
    start: msgspec.Raw
    end: msgspec.Raw
    attrs: msgspec.Raw
    tags: msgspec.Raw


class _SpanValue(msgspec.Struct, array_like=True, frozen=True):
    parent: str | None
    kind: str
    name: str
    start: int | None
    end: int | None
    attrs: dict[str, Any]
    tags: tuple[str, ...]


_record_payload = msgspec.msgpack.Decoder(_RecordPayload).decode
_span_value = msgspec.msgpack.Decoder(_SpanValue).decode


class TraceStore(MapPrimitive):
    """The spans of each run; `extra` is how many spans of the run were recorded first before it."""

    type_id = 5
    name = "traces"
    puts = (RECORD,)
    validated = False

    def decode_entry(self, entry: WalEntry) -> tuple[bytes, Key, Record]:
        span = _record_payload(entry.payload)
        fields = (span.parent, span.kind, span.name, span.start, span.end, span.attrs, span.tags)
        value = _pack(fields)
        _span_value(value)
        return span.run, span.key, (span.cv, value, span.ts, _PROVISIONAL, None)

    def snapshot_fields(self, record: Record) -> tuple[Any, ...]:
        cv, value, ts, order, _ = record
        return cv, ts, order, *_raw_list(value or b"")

    def from_fields(self, fields: Sequence[msgspec.Raw]) -> Record:
        value = _pack(fields[3:10])
        _span_value(value)
        return _uint(fields[0]), value, _uint(fields[1]), _uint(fields[2]), None

    def install(self, run: bytes, key: Key, record: Record) -> None:
        # The one place that gives a span its order, for commits and recovery alike: spans are never deleted.
        records = self.maps.get(run)
        known = records.get(key) if records is not None else None
        order = known[3] if known is not None else len(records or ())
        super().install(run, key, (record[0], record[1], record[2], order, None))

    def view(self, run: bytes, cv: int) -> Any:
        return TraceView(in_order(self.live(run, cv)))

    def decode_value(self, key: Key, record: Record) -> Any:
        """The span as a reader gets it."""
        return _span_of(str(key), record)

    def text(self, run: bytes, key: Key, record: Record) -> str | None:
        value = _span_value(record[1] or b"")
        return text_of_trace(value.name, value.kind, value.attrs)

    def describe(self, entry: WalEntry) -> dict[str, Any]:
        _, key, record = self.decode_entry(entry)
        value = _span_value(record[1] or b"")
        return {"op": "record", "key": key, **msgspec.structs.asdict(value)}

    def handle(self, context: Context) -> Traces:
        return Traces(context, self)


class TraceView(Sequence[Span]):
    """The spans of one run at one commit, in the order of their first records: immutable, decoded at each access."""

    __slots__ = ("_items",)

    def __init__(self, items: Sequence[tuple[str, Record]]) -> None:
        self._items = tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Span: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Span, ...]: ...
    def __getitem__(self, index: int | slice) -> Span | tuple[Span, ...]:
        if isinstance(index, slice):
            return tuple(_span_of(key, record) for key, record in self._items[index])
        return _span_of(*self._items[index])

    def __repr__(self) -> str:
        return f"<traces: {len(self._items)} records>"


class _RecordSpan(Operation):
    __slots__ = ("_fields", "_key", "_store")

    def __init__(self, store: TraceStore, key: str, fields: Sequence[bytes]) -> None:
        self._store = store
        self._key = key
        self._fields = fields

    def stage(self, batch: Batch) -> str:
        store, key, cv, ts = self._store, self._key, batch.cv, batch.ts
        raws = [_raw(field) for field in self._fields]
        order = 0
        if batch.many:
            known = batch.latest(store, key)
            if known is not None:
                order = known[3]
            else:
                own: int = batch.note(store) or 0
                order = _PROVISIONAL + own
                batch.note(store, own + 1)
        payload = _pack((batch.run, key, cv, ts, *raws))
        batch.add(RECORD, payload, store, key, (cv, _pack(raws), ts, order, None))
        return key


class Traces:
    """The spans of one run, in the order of their first records.

    Reads and records never conflict with another transaction. Writes raise ValueTypeError, ValueRangeError,
    EngineLimitExceeded, RunNotActive, DurabilityError; everything raises RunNotFound and DatabaseClosed.
    A question other than `get` looks at every span of the run.
    """

    __slots__ = ("_context", "_store")

    def __init__(self, context: Context, store: TraceStore) -> None:
        self._context = context
        self._store = store

    def record(
        self,
        kind: str,
        name: str,
        parent: str | None = None,
        attrs: Mapping[str, Value] | None = None,
        tags: Iterable[str] = (),
        start: int | None = None,
        end: int | None = None,
        span_id: str | None = None,
    ) -> str:
        """Record a span; its id. The id of a recorded span replaces that span, all of it.

        `kind` is one of `KINDS` (else ValueRangeError). `start` and `end` are in microseconds; without a start it
        is the present, without an end the span goes on. The parent may be recorded later, or never.
        """
        context = self._context
        if span_id is None:
            span_id = context.new_span_id()
        else:
            check_key(span_id)
        if kind not in KINDS:
            raise ValueRangeError(f"a span has no kind {kind!r}", remedy=f"Use one of {', '.join(KINDS)}.")
        check_key(name)
        if parent is not None:
            check_key(parent)
            if parent == span_id:
                raise ValueRangeError("a span is not its own parent", position=span_id)
        start = context.now() if start is None else _micros(start, "start")
        if end is not None and _micros(end, "end") < start:
            raise ValueRangeError(f"a span ends at {end}, before its start at {start}", position=span_id)
        given: Any = {} if attrs is None else attrs
        if not isinstance(given, Mapping):
            raise ValueTypeError(
                f"the attributes of a span are of type {type(attrs).__name__}, not a mapping"
            )
        fields = (
            _NIL if parent is None else _pack(parent),
            _pack(kind),
            _pack(name),
            _pack(start),
            _NIL if end is None else _pack(end),
            encode_value(dict(given)),  # pyright: ignore[reportUnknownArgumentType]
            _encoded_tags(tags),
        )
        return context.write(_RecordSpan(self._store, span_id, fields))

    def span(
        self,
        kind: str,
        name: str,
        parent: str | None = None,
        attrs: Mapping[str, Value] | None = None,
        tags: Iterable[str] = (),
    ) -> OpenSpan:
        """A context manager that records a span at the beginning of its block, and again at the end.

        It gives an `OpenSpan`, whose `attrs` and `tags` may be added to in the block. An exception adds the
        attribute `error`, the name of its class, and goes on.
        """
        return OpenSpan(self, self._context, kind, name, parent, dict(attrs or {}), list(tags))

    def get(self, span_id: str) -> Span:
        """The span of that id. Raises NotFound."""
        record = self._context.record(self._store, span_id)
        if record is None:
            check_key(span_id)
            raise NotFound(f"there is no span {span_id!r}", position=span_id)
        return _span_of(span_id, record)

    def items(self) -> list[Span]:
        """All spans."""
        return [_span_of(key, record) for key, record in in_order(self._context.live(self._store))]

    def by_kind(self, kind: str) -> list[Span]:
        """The spans of a kind."""
        return [span for span in self.items() if span.kind == kind]

    def by_tag(self, tag: str) -> list[Span]:
        """The spans with a tag."""
        return [span for span in self.items() if tag in span.tags]

    def by_time(self, start: int, end: int) -> list[Span]:
        """The spans that start at `start` or later and before `end` (microseconds)."""
        return [span for span in self.items() if start <= span.start < end]

    def children(self, span_id: str) -> list[Span]:
        """The spans directly under that one."""
        return [span for span in self.items() if span.parent == span_id]

    def roots(self) -> list[Span]:
        """The spans without a parent, and those whose parent is not in the run."""
        spans = self.items()
        known = {span.id for span in spans}
        return [span for span in spans if span.parent is None or span.parent not in known]

    def tree(self, root: str | None = None) -> tuple[SpanNode, ...]:
        """The span `root` with all under it (NotFound where it is not there), or the trees of all roots.

        Spans whose parents lead round in a circle have no root: the first of them stands for one.
        """
        spans = self.items()
        if root is not None and all(span.id != root for span in spans):
            self.get(root)
        return trees(spans, root)

    def count(self) -> int:
        """How many spans there are."""
        return sum(1 for _ in self._context.live(self._store))


class OpenSpan:
    """A span while its block runs: `id`, and `attrs` and `tags` to be added to."""

    __slots__ = ("_context", "_kind", "_name", "_parent", "_start", "_traces", "attrs", "id", "tags")

    def __init__(
        self,
        traces: Traces,
        context: Context,
        kind: str,
        name: str,
        parent: str | None,
        attrs: dict[str, Value],
        tags: list[str],
    ) -> None:
        self._traces = traces
        self._context = context
        self._kind = kind
        self._name = name
        self._parent = parent
        self._start = 0
        self.attrs = attrs
        self.tags = tags
        self.id = ""

    def __enter__(self) -> Self:
        self._start = self._context.now()
        self.id = self._traces.record(
            self._kind, self._name, self._parent, self.attrs, self.tags, start=self._start
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end(self.attrs)
            return
        try:
            self._end({**self.attrs, "error": type(error).__name__})
        except EngineError as refused:
            # The block's own error matters more; that its span stays open must be said all the same.
            error.add_note(f"The span {self.id} could not be ended: {refused.message}")

    def _end(self, attrs: Mapping[str, Value]) -> None:
        end = max(self._context.now(), self._start)
        self._traces.record(
            self._kind,
            self._name,
            self._parent,
            attrs,
            self.tags,
            start=self._start,
            end=end,
            span_id=self.id,
        )


def in_order(records: Iterable[tuple[Any, Record]]) -> list[tuple[Any, Record]]:
    """Spans by their first records."""
    return sorted(records, key=_order_of)


def _order_of(item: tuple[Any, Record]) -> int:
    return item[1][3]


def _span_of(key: str, record: Record) -> Span:
    value = _span_value(record[1] or b"")
    return Span(
        key,
        value.parent,
        value.kind,
        value.name,
        record[2] if value.start is None else value.start,  # the format allows none, this writer does not
        value.end,
        value.attrs,
        value.tags,
        record[0],
        record[2],
    )


def _micros(value: Any, what: str) -> int:
    if type(value) is not int:
        raise ValueTypeError(
            f"the {what} of a span is of type {type(value).__name__}, not microseconds as int"
        )
    if not 0 <= value < _MOST_MICROS:
        raise ValueRangeError(
            f"the {what} of a span cannot be {value}", remedy="Give microseconds of the epoch."
        )
    return value


def _encoded_tags(tags: Any) -> bytes:
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise ValueTypeError(
            f"the tags of a span are of type {type(tags).__name__}", remedy="Give a list of texts."
        )
    listed: list[Any] = list(tags)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for tag in listed:
        check_key(tag)
    return encode_value(listed)
