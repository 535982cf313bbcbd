"""The kinds of records that every database has; registered by the same call as any plug-in."""

from __future__ import annotations

from .primitives.cells import StateStore
from .primitives.events import EventStore
from .primitives.json_documents import JsonStore
from .primitives.kv import KvStore
from .primitives.runs import RunStore
from .primitives.traces import TraceStore
from .registry import Registry

__all__ = ["builtin_registry"]


def builtin_registry() -> Registry:
    """A registry with the six kinds of the engine, open for more."""
    registry = Registry()
    for kind in (KvStore, JsonStore, EventStore, StateStore, TraceStore, RunStore):
        registry.register(kind)
    return registry
