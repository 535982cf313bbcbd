"""The published schemas of the two documents (draft-07), as DevState knows them without a workspace's own.

They are those of the public project rustkas/beamline-sheduler (Apache-2.0), unchanged in meaning. Kept as
Python values so that reading them takes no file call; a test holds them equal to the published files.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["HISTORY_SCHEMA", "STATE_SCHEMA"]

_DRAFT = "http://json-schema.org/draft-07/schema#"
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_SHA256: Final[dict[str, Any]] = {"type": "string", "pattern": "^[a-f0-9]{64}$"}
_ANY_OBJECT: Final[dict[str, Any]] = {"type": "object", "additionalProperties": True}

_AGENT: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": True,
    "required": ["id", "name", "task", "cp", "status"],
    "properties": {
        "id": _TEXT,
        "name": _TEXT,
        "task": _TEXT,
        "cp": _TEXT,
        "status": {
            "type": "string",
            "enum": ["planned", "pending", "in_progress", "completed", "blocked", "cancelled"],
        },
        "started_at": _TEXT,
        "updated_at": _TEXT,
    },
}

_ARTIFACT: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": True,
    "required": ["path", "hash", "ts"],
    "properties": {"path": _TEXT, "hash": _SHA256, "ts": _TEXT, "note": _TEXT},
}

STATE_SCHEMA: Final[dict[str, Any]] = {
    "$schema": _DRAFT,
    "$id": "https://beamline.schemas/state/v1.0.0",
    "title": "Beamline State (v1.0.0)",
    "type": "object",
    "additionalProperties": True,
    "required": [
        "project",
        "version",
        "current_cp",
        "no_drift",
        "agents",
        "artifact_checksums",
        "updated_at",
    ],
    "properties": {
        "project": _TEXT,
        "version": _TEXT,
        "current_cp": {"type": "string", "pattern": r"^CP\d+-[A-Z]+$"},
        "no_drift": {"type": "boolean"},
        "updated_at": _TEXT,
        "agents": {"type": "array", "items": _AGENT},
        "artifact_checksums": {"type": "array", "items": _ARTIFACT},
        "migration_params": _ANY_OBJECT,
        "observability_artifacts": _ANY_OBJECT,
    },
}

HISTORY_SCHEMA: Final[dict[str, Any]] = {
    "$schema": _DRAFT,
    "$id": "https://beamline.schemas/history/v1.0.0",
    "title": "Beamline History (v1.0.0)",
    "type": "array",
    "description": "Append-only audit trail entries with HMAC chain integrity",
    "items": {
        "type": "object",
        "additionalProperties": True,
        "required": ["ts", "actor", "action", "cp_to", "state_checksum", "hmac_prev", "hmac"],
        "properties": {
            "ts": _TEXT,
            "actor": _TEXT,
            "action": _TEXT,
            "cp_from": {"type": ["string", "null"]},
            "cp_to": _TEXT,
            "state_checksum": _SHA256,
            "hmac_prev": _TEXT,
            "hmac": _SHA256,
            "metadata": _ANY_OBJECT,
        },
    },
}
