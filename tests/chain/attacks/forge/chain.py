"""Honest v1 chains: entries, their HMAC, the reference serialisation, and a state.json to go with them.

Standard library only, and nothing of the product: who writes the attack must not be who defends.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

SECRET = "attack-corpus-secret-0123456789"
OTHER_SECRET = "another-corpus-secret-9876543210"
ENV = {"BEAMLINE_HMAC_SECRET": SECRET}
COVERED = ("ts", "actor", "action", "state_checksum", "hmac_prev")
AGENTS = ("AGENT_1_REPO_STATE", "AGENT_2_ROUTER_CORE", "AGENT_7_QA")
ACTIONS = ("init_cp", "artifact_update", "gate_pass", "schema_check", "state_sync")
START = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)

Entry = dict[str, Any]


def sha256(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def dump(value: Any) -> bytes:
    """The reference serialisation."""
    return json.dumps(value, indent=4, ensure_ascii=False).encode("utf-8", "surrogatepass")


def state(artifacts: dict[str, bytes] | None = None, **changes: Any) -> bytes:
    """A state.json that satisfies the built-in schema; `artifacts` maps listed paths to their content."""
    listed = [
        {"path": path, "hash": sha256(content), "ts": "2025-03-01T08:00:00Z"}
        for path, content in (artifacts or {}).items()
    ]
    document: dict[str, Any] = {
        "project": "attack-corpus",
        "version": "1.0",
        "current_cp": "CP1-LC",
        "no_drift": True,
        "agents": [
            {
                "id": name,
                "name": name.title(),
                "task": "keeps the chain",
                "cp": "CP1-LC",
                "status": "in_progress",
            }
            for name in AGENTS
        ],
        "artifact_checksums": listed,
        "updated_at": "2025-03-01T08:00:00Z",
    }
    document.update(changes)
    return dump(document)


STATE = state()


def mac(entry: Entry, secret: str = SECRET) -> str:
    """The v1 HMAC as a careless writer takes it: whatever the members are, they are glued together."""
    message = "".join(f"{entry.get(name, '')}" for name in COVERED)
    return hmac.new(secret.encode(), message.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def sign(entries: list[Entry], start: int = 0, secret: str = SECRET) -> list[Entry]:
    """Link and sign again from `start` on, in place; the links of earlier entries stay."""
    for index in range(start, len(entries)):
        if index > 0:
            entries[index]["hmac_prev"] = entries[index - 1].get("hmac", "")
        entries[index]["hmac"] = mac(entries[index], secret)
    return entries


def resign(entries: list[Entry], index: int, secret: str = SECRET) -> list[Entry]:
    """Sign entry `index` as it stands (its own link is kept), then link and sign what follows."""
    entries[index]["hmac"] = mac(entries[index], secret)
    return sign(entries, index + 1, secret)


def timestamp(index: int) -> str:
    return (START + timedelta(minutes=37 * index)).strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata(index: int) -> dict[str, Any]:
    kinds: tuple[dict[str, Any], ...] = (
        {"note": f"entry {index}", "artifacts_added": ["README.md"]},
        {"artifacts_modified": ["docs/a.md", "docs/ü.md"], "count": index},
        {},
        {"review": {"by": "QA", "ok": True, "open": None}, "score": [1, 2, 3]},
    )
    return copy.deepcopy(kinds[index % len(kinds)])


def chain(
    count: int = 5, *, secret: str = SECRET, last: bytes | None = STATE, same_checksum: bool = False
) -> list[Entry]:
    """An honest chain; the last entry names the checksum of `last` (all of them, with `same_checksum`)."""
    entries: list[Entry] = []
    for index in range(count):
        bound = last is not None and (same_checksum or index == count - 1)
        entries.append(
            {
                "ts": timestamp(index),
                "actor": AGENTS[index % len(AGENTS)],
                "action": ACTIONS[index % len(ACTIONS)],
                "cp_from": None if index == 0 else "CP1-LC",
                "cp_to": "CP1-LC",
                "state_checksum": sha256(last) if bound and last is not None else sha256(f"state {index}"),
                "hmac_prev": "",
                "hmac": "",
                "metadata": metadata(index),
            }
        )
    return sign(entries, secret=secret)


def edited(count: int, index: int, *, resigned: bool = False, **changes: Any) -> list[Entry]:
    """A chain with members of one entry replaced, and signed again if `resigned`, as the key holder can."""
    entries = chain(count)
    entries[index].update(changes)
    return resign(entries, index) if resigned else entries


def without(count: int, index: int, member: str, *, resigned: bool = True) -> list[Entry]:
    entries = chain(count)
    del entries[index][member]
    if not resigned:
        return entries
    if member != "hmac":
        entries[index]["hmac"] = mac(entries[index])
    return sign(entries, index + 1)


def with_text(entries: list[Entry], index: int, old: str, new: str | bytes) -> bytes:
    """Replace one piece of text inside entry `index` of the reference serialisation, bytes for bytes."""
    data = dump(entries)
    start, end = span(entries, index)
    piece = data[start:end]
    if piece.count(old.encode()) != 1:
        raise ValueError(f"{old!r} is in entry {index} {piece.count(old.encode())} times, not once")
    return (
        data[:start]
        + piece.replace(old.encode(), new if isinstance(new, bytes) else new.encode())
        + data[end:]
    )


def span(entries: list[Entry], index: int) -> tuple[int, int]:
    """The byte range of entry `index` in the reference serialisation, from `{` to `}`."""
    offset = 2  # "[\n"
    for position, entry in enumerate(entries):
        text = b"    " + dump(entry).replace(b"\n", b"\n    ")
        if position == index:
            return offset + 4, offset + len(text)
        offset += len(text) + 2  # ",\n"
    raise IndexError(index)
