"""What payloads with text keys begin with: `[run, key, cv, ts, ...]`, often the record's version."""

from __future__ import annotations

import msgspec

__all__ = ["KeyedPayload", "MakingPayload", "VersionedPayload"]


class KeyedPayload(msgspec.Struct, array_like=True, frozen=True, gc=False):
    run: bytes
    key: str
    cv: int
    ts: int


class VersionedPayload(KeyedPayload, frozen=True):
    """`ver` is the version that the record has after the entry."""

    ver: int


class MakingPayload(VersionedPayload, frozen=True):
    """Of entries that make a record of its whole value."""

    value: msgspec.Raw
