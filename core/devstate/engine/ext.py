"""What a plug-in builds a further kind of records with; it needs nothing else of the engine."""

from __future__ import annotations

from .batch import Batch, Operation
from .builtin import builtin_registry
from .context import Context
from .envelope import WalEntry
from .errors import EngineError
from .map_primitive import DELETED, MapPrimitive, MapView, Put, Remove
from .primitive import Key, PrimitiveStorageExt, StoragePrimitive
from .registry import Primitives, Registry
from .versions import Record

__all__ = [
    "DELETED",
    "Batch",
    "Context",
    "EngineError",
    "Key",
    "MapPrimitive",
    "MapView",
    "Operation",
    "PrimitiveStorageExt",
    "Primitives",
    "Put",
    "Record",
    "Registry",
    "Remove",
    "StoragePrimitive",
    "WalEntry",
    "builtin_registry",
]
