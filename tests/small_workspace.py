"""Small workspaces on disk, written and signed without the product's own code."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

SECRET = b"a secret of the tests, long enough"

STATE = ".trae/state.json"
HISTORY = ".trae/history.json"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def document(value: Any) -> bytes:
    return json.dumps(value, indent=4, ensure_ascii=False).encode()


def state(artifacts: dict[str, bytes | str] | None = None, **changes: Any) -> bytes:
    """A valid state; `artifacts` are contents by path, or checksums as texts."""
    listed = [
        {
            "path": path,
            "hash": content if isinstance(content, str) else sha256(content),
            "ts": "2026-01-01T00:00:00Z",
        }
        for path, content in (artifacts or {}).items()
    ]
    agent = {"id": "AGENT_1", "name": "One", "task": "Build", "cp": "CP1-LC", "status": "in_progress"}
    return document(
        {
            "project": "small",
            "version": "1.0",
            "current_cp": "CP1-LC",
            "no_drift": True,
            "agents": [agent],
            "artifact_checksums": listed,
            "updated_at": "2026-01-01T00:00:00Z",
            **changes,
        }
    )


def entries(count: int, checksum: str, *, secret: bytes = SECRET) -> list[dict[str, Any]]:
    """A chain of entries that all name `checksum`, one a minute."""
    made: list[dict[str, Any]] = []
    for _ in range(count):
        made.append(following(made[-1] if made else None, checksum, secret=secret))
    return made


def following(before: dict[str, Any] | None, checksum: str, *, secret: bytes = SECRET) -> dict[str, Any]:
    """The entry after `before` (None = the first)."""
    number = 0 if before is None else before["metadata"]["number"] + 1
    entry: dict[str, Any] = {
        "ts": f"2026-01-{1 + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}:00Z",
        "actor": "AGENT_1",
        "action": f"step_{number}",
        "cp_from": "CP1-LC",
        "cp_to": "CP1-LC",
        "state_checksum": checksum,
        "hmac_prev": "" if before is None else before["hmac"],
    }
    text = "".join(entry[name] for name in ("ts", "actor", "action", "state_checksum", "hmac_prev"))
    entry["hmac"] = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    entry["metadata"] = {"number": number}
    return entry


def history(count: int, checksum: str, *, secret: bytes = SECRET) -> bytes:
    return document(entries(count, checksum, secret=secret))


def make(root: Path, count: int = 3, artifacts: dict[str, bytes] | None = None, **changes: Any) -> Path:
    """Write a workspace whose last entry names its state; returns its root."""
    (root / ".trae").mkdir(parents=True)
    for path, content in (artifacts or {}).items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    text = state(artifacts, **changes)
    (root / STATE).write_bytes(text)
    (root / HISTORY).write_bytes(history(count, sha256(text)))
    return root


def replace(place: Path, data: bytes) -> None:
    """An atomic replace, as careful writers do it."""
    beside = place.with_name(place.name + ".new")
    beside.write_bytes(data)
    beside.replace(place)
