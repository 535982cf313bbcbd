"""The six kinds of records that every database has: KV, JSON documents, events, State cells, traces and runs."""

from .cells import Cell, State, StateStore
from .events import Event, EventRef, Events, EventStore
from .json_documents import Document, Json, JsonStore
from .kv import Kv, KvEntry, KvStore
from .runs import RunMetadata, RunStatus, RunStore
from .traces import Span, Traces, TraceStore

__all__ = [
    "Cell",
    "Document",
    "Event",
    "EventRef",
    "EventStore",
    "Events",
    "Json",
    "JsonStore",
    "Kv",
    "KvEntry",
    "KvStore",
    "RunMetadata",
    "RunStatus",
    "RunStore",
    "Span",
    "State",
    "StateStore",
    "TraceStore",
    "Traces",
]
