"""Real entries and real readings for the tests of the Chain screen."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SECRET = b"beamline-secret-key-v1"
FIRST = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ACTORS = ("AGENT_1", "AGENT_2", "AGENT_3")
ACTIONS = ("artifact_update", "router_idempotency", "worker_result", "gate_pass", "worker_ack_contract")
STATE = {
    "project": "beamline-constructor",
    "version": "1.0.0",
    "current_cp": "CP1-LC",
    "no_drift": True,
    "agents": [
        {"id": name, "name": name.title(), "task": "work", "cp": "CP1-LC", "status": "in_progress"}
        for name in ACTORS
    ],
    "artifact_checksums": [],
    "updated_at": "2026-03-01T08:00:00Z",
}
STATE_BYTES = json.dumps(STATE, indent=4).encode()


def mac(fields: dict[str, Any]) -> str:
    """The v1 HMAC of an entry, made without the code under test."""
    message = "".join(fields[name] for name in ("ts", "actor", "action", "state_checksum", "hmac_prev"))
    return hmac.new(SECRET, message.encode(), hashlib.sha256).hexdigest()


def chain(count: int, **changes: Any) -> list[dict[str, Any]]:
    """A sound chain of `count` entries, an hour apart; `changes` go into every entry before it is signed."""
    entries: list[dict[str, Any]] = []
    previous = ""
    checksum = hashlib.sha256(STATE_BYTES).hexdigest()
    for index in range(count):
        fields: dict[str, Any] = {
            "ts": (FIRST + timedelta(hours=index)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "actor": ACTORS[index % 3],
            "action": ACTIONS[index % 5],
            "cp_from": "CP0-LC",
            "cp_to": "CP1-LC",
            "state_checksum": checksum,
            "hmac_prev": previous,
            "hmac": "",
            "metadata": {"step": index, "note": "größer"},
            **changes,
        }
        fields["hmac"] = previous = mac(fields)
        entries.append(fields)
    return entries


def encode(entries: Sequence[dict[str, Any]]) -> bytes:
    """The reference serialisation."""
    return json.dumps(entries, indent=4, ensure_ascii=False).encode()


def write_workspace(root: Path, entries: Sequence[dict[str, Any]] | bytes) -> Path:
    """A workspace with these entries; returns its history file."""
    trae = root / ".trae"
    trae.mkdir(parents=True, exist_ok=True)
    (trae / "state.json").write_bytes(STATE_BYTES)
    return write_history(root, entries)


def write_history(root: Path, entries: Sequence[dict[str, Any]] | bytes) -> Path:
    """Replace the history as editors do: a new file takes the name of the old one."""
    history = root / ".trae" / "history.json"
    fresh = history.with_name("history.json.new~")
    fresh.write_bytes(entries if isinstance(entries, bytes) else encode(entries))
    fresh.replace(history)
    return history


def broken(entries: Sequence[dict[str, Any]], index: int, **changes: Any) -> list[dict[str, Any]]:
    """The same entries, one of them changed after it was signed."""
    return [{**fields, **changes} if at == index else dict(fields) for at, fields in enumerate(entries)]
