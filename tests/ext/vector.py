"""A kind of records that the engine does not know: vectors, found by their nearness. It uses `engine.ext` alone."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from devstate.engine.ext import (
    Batch,
    Context,
    EngineError,
    Key,
    MapPrimitive,
    Operation,
    Record,
    WalEntry,
)

__all__ = ["DELETE", "INSERT", "UPDATE", "VectorHandle", "VectorStore"]

INSERT, DELETE, UPDATE = 0x70, 0x71, 0x72


class VectorStore(MapPrimitive):
    """An entry holds, after the prefix that all have: the dimension, the numbers as f32 bytes, and metadata."""

    type_id = 7
    name = "vector"
    puts = (INSERT, UPDATE)
    deletes = (DELETE,)

    def decode_value(self, key: Key, record: Record) -> Any:
        dim, data, metadata = super().decode_value(key, record)
        return {"vector": unpacked(dim, data), "metadata": metadata}

    def describe(self, entry: WalEntry) -> dict[str, Any]:
        op = {INSERT: "insert", UPDATE: "update", DELETE: "delete"}[entry.entry_type]
        return {**super().describe(entry), "op": op}

    def text(self, run: bytes, key: Key, record: Record) -> str | None:
        words = self.decode_value(key, record)["metadata"].values()
        return " ".join(word for word in words if isinstance(word, str))

    def handle(self, context: Context) -> VectorHandle:
        return VectorHandle(context, self)


class _Write(Operation):
    """An insert or an update, whichever it is when it is committed; or only one of the two."""

    __slots__ = ("_fields", "_key", "_only", "_store")

    def __init__(self, store: VectorStore, key: str, fields: tuple[Any, ...], only: int | None) -> None:
        self._store = store
        self._key = key
        self._fields = fields
        self._only = only

    def stage(self, batch: Batch) -> Any:
        record = batch.latest(self._store, self._key)
        kind = INSERT if record is None or record[1] is None else UPDATE
        if self._only is not None and kind != self._only:
            raise EngineError(
                f"there is {'no' if kind == INSERT else 'a'} vector {self._key!r}", position=self._key
            )
        return self._store.put(kind, self._key, *self._fields).stage(batch)


class VectorHandle:
    """The vectors of one run."""

    def __init__(self, context: Context, store: VectorStore) -> None:
        self._context = context
        self._store = store

    def put(self, key: str, vector: Sequence[float], metadata: Mapping[str, Any] | None = None) -> None:
        """Insert or replace."""
        self._context.write(_Write(self._store, key, packed(vector, metadata), None))

    def update(self, key: str, vector: Sequence[float], metadata: Mapping[str, Any] | None = None) -> None:
        """Replace; EngineError where there is none."""
        self._context.write(_Write(self._store, key, packed(vector, metadata), UPDATE))

    def get(self, key: str) -> dict[str, Any] | None:
        """`vector` and `metadata`; None where there is none."""
        record = self._context.record(self._store, key)
        return None if record is None or record[1] is None else self._store.decode_value(key, record)

    def delete(self, key: str) -> bool:
        return self._context.write(self._store.remove(DELETE, key))

    def keys(self) -> list[str]:
        return [key for key, _ in self._context.live(self._store)]

    def nearest(self, vector: Sequence[float], k: int = 3) -> list[tuple[str, float]]:
        """The keys of the `k` vectors with the greatest cosine, and that; equal ones by key."""
        found = [(key, cosine(vector, value)) for key, value in self._vectors() if len(value) == len(vector)]
        return sorted(found, key=lambda one: (-one[1], one[0]))[:k]

    def _vectors(self) -> Iterator[tuple[str, tuple[float, ...]]]:
        for key, record in self._context.live(self._store):
            yield key, self._store.decode_value(key, record)["vector"]


def packed(vector: Sequence[float], metadata: Mapping[str, Any] | None) -> tuple[Any, ...]:
    if not vector or not all(math.isfinite(number) for number in vector):
        raise EngineError("a vector has finite numbers, one at least")
    return len(vector), struct.pack(f"<{len(vector)}f", *vector), dict(metadata or {})


def unpacked(dim: int, data: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{dim}f", data)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    length = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / length if length else 0.0
