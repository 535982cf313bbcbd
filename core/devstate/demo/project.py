"""The demo project as it stands at the end of its history: the state document and the files it lists."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from .artifacts import ARTIFACTS
from .rows import Calendar, checkpoint_at
from .vocabulary import AGENTS, CHECKPOINTS, PROJECT

__all__ = ["artifact_item", "document_bytes", "project_files", "project_state"]


def project_files() -> dict[str, bytes]:
    """The listed files: path relative to the root -> content."""
    return {path: text.encode() for path, text in ARTIFACTS.items()}


def project_state(entries: int, files: dict[str, bytes]) -> dict[str, Any]:
    """The state document after `entries` entries, listing `files` with their checksums."""
    calendar = Calendar(entries)
    cp = checkpoint_at(entries - 1, entries)
    reached = CHECKPOINTS.index(cp)
    spread = max(1, len(files) - 1)
    return {
        "project": PROJECT,
        "version": "1.0",
        "current_cp": cp,
        "no_drift": True,
        "agents": [
            {
                "id": agent.id,
                "name": agent.name,
                "task": agent.task,
                "cp": CHECKPOINTS[agent.cp],
                "status": _status(agent.cp, reached),
                "started_at": calendar.time((entries - 1) * agent.cp // len(CHECKPOINTS), 0),
                "updated_at": calendar.time((entries - 1) * (agent.cp + 1) // len(CHECKPOINTS), 0),
            }
            for agent in AGENTS
        ],
        "artifact_checksums": [
            artifact_item(path, content, calendar.time((entries - 1) * place // spread, 0))
            for place, (path, content) in enumerate(files.items())
        ],
        "updated_at": calendar.time(entries - 1, 0),
    }


def artifact_item(path: str, content: bytes, ts: str) -> dict[str, str]:
    """One item of `artifact_checksums`."""
    return {"path": path, "hash": sha256(content).hexdigest(), "ts": ts}


def document_bytes(document: Any) -> bytes:
    """The reference serialisation of a document."""
    return json.dumps(document, indent=4, ensure_ascii=False).encode()


def _status(cp: int, reached: int) -> str:
    if cp < reached:
        return "completed"
    return "in_progress" if cp == reached else "planned"
