"""The entries 0x60 to 0x63 of runs, and the fields that each leads to: one function for writing and for recovery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = [
    "BEGIN",
    "CREATE",
    "END",
    "UPDATE",
    "EndPayload",
    "begin_payload",
    "begun",
    "create_payload",
    "created",
    "end_payload",
    "ended",
    "update_payload",
]

CREATE: Final = 0x60
UPDATE: Final = 0x61
END: Final = 0x62
BEGIN: Final = 0x63


class _CreatePayload(msgspec.Struct, array_like=True, frozen=True):
    run: bytes
    key: None
    cv: int
    ts: int
    name: str | None
    parent: bytes | None
    tags: list[str]
    metadata: dict[str, Any]
    owner: list[Any] | None = None


class _BeginPayload(msgspec.Struct, array_like=True, frozen=True):
    run: bytes
    key: None
    cv: int
    ts: int


class _UpdatePayload(msgspec.Struct, array_like=True, frozen=True):
    run: bytes
    key: None
    cv: int
    ts: int
    changes: dict[str, Any]


class EndPayload(msgspec.Struct, array_like=True, frozen=True):
    run: bytes
    key: None
    cv: int
    ts: int
    status: str
    reason: str | None
    event_count: int
    tx_count: int


create_payload = msgspec.msgpack.Decoder(_CreatePayload).decode
begin_payload = msgspec.msgpack.Decoder(_BeginPayload).decode
update_payload = msgspec.msgpack.Decoder(_UpdatePayload).decode
end_payload = msgspec.msgpack.Decoder(EndPayload).decode


def created(
    name: str | None,
    parent: bytes | None,
    tags: Sequence[str],
    metadata: Mapping[str, Any],
    ts: int,
    owner: Sequence[Any] | None,
) -> dict[str, Any]:
    return {
        "name": name,
        "parent": parent,
        "tags": list(tags),
        "metadata": dict(metadata),
        "status": "paused",  # until its beginning, which stands in the same transaction
        "created_at": ts,
        "started_at": None,
        "ended_at": None,
        "reason": None,
        "owner": list(owner) if owner is not None else None,
    }


def begun(fields: Mapping[str, Any], ts: int) -> dict[str, Any]:
    return {**fields, "status": "active", "started_at": ts}


def ended(fields: Mapping[str, Any], status: str, reason: str | None, ts: int) -> dict[str, Any]:
    return {**fields, "status": status, "reason": reason, "ended_at": ts}
