"""The plan for a new workspace: a state, a history with its first entry, and what git shall ignore."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from devstate.chain import Key, format_history, sign_entry
from devstate.durable import OS, Files, kind_of, read_bounded
from devstate.errors import DevStateError, PlanRefused, WorkspaceNotFound
from devstate.plans import Plan

from .discovery import find_root
from .gitignore import with_ignored
from .places import FOLDER, HISTORY, LOCK, STATE
from .planning import plan_files

__all__ = ["plan_init", "require_new"]

_FIRST_CHECKPOINT = "CP0-LC"
_GITIGNORE = ".gitignore"


def plan_init(
    root: str, *, key: Key, actor: str, now: str, project: str | None = None, files: Files = OS
) -> Plan:
    """A plan for an empty workspace in the folder `root` (made if missing), signed with `key`.

    `project` is the folder's name unless given; `now` is an RFC 3339 time. Raises PlanRefused where there
    is a workspace already.
    """
    require_new(root, files=files)
    state = _state(project or os.path.basename(os.path.abspath(root)) or "project", now)
    history = _history(actor, now, hashlib.sha256(state).hexdigest(), key)
    warnings = [*_warn_of_key(key), *_warn_of_parent(root, files)]
    contents: dict[str, bytes] = {}
    try:
        ignored = _gitignore(root, files)
        if ignored is not None:
            contents[_GITIGNORE] = ignored
    except DevStateError as error:
        warnings.append(
            f"{_GITIGNORE} is left as it is: {error.message}. Add the lines of {FOLDER}/ yourself."
        )
    contents |= {STATE: state, HISTORY: history}
    return plan_files(
        root,
        contents,
        action="init",
        requires=(f"the lock {LOCK}", f"the key {key.kid!r} to sign the first entry"),
        warnings=tuple(warnings),
        files=files,
    )


def require_new(root: str, *, files: Files = OS) -> None:
    """Raise PlanRefused where `root` holds a workspace, or something that is in the way of one."""
    folder = os.path.join(root, FOLDER)
    if kind_of(folder, files=files) not in (None, "folder"):
        raise PlanRefused(
            f"{folder} is not a folder", path=folder, remedy="Move it away, or make the workspace elsewhere."
        )
    for document in (STATE, HISTORY):
        place = os.path.join(root, document)
        if kind_of(place, files=files) is not None:
            raise PlanRefused(
                f"{root} is a workspace already: {document} exists",
                path=place,
                remedy=f"Look at it with `devstate -C {root} status`, or make a new one in another folder.",
            )


def _state(project: str, now: str) -> bytes:
    return _document(
        {
            "project": project,
            "version": "1.0",
            "current_cp": _FIRST_CHECKPOINT,
            "no_drift": True,
            "agents": [],
            "artifact_checksums": [],
            "updated_at": now,
        }
    )


def _history(actor: str, now: str, checksum: str, key: Key) -> bytes:
    entry: dict[str, Any] = {
        "ts": now,
        "actor": actor,
        "action": "init_workspace",
        "cp_from": None,
        "cp_to": _FIRST_CHECKPOINT,
        "state_checksum": checksum,
        "hmac_prev": "",
    }
    entry["hmac"] = sign_entry(entry, key)
    entry["metadata"] = {}
    return format_history([entry])


def _document(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=4, ensure_ascii=False).encode("utf-8", "replace")


def _gitignore(root: str, files: Files) -> bytes | None:
    place = os.path.join(root, _GITIGNORE)
    if kind_of(place, files=files) is None:
        return with_ignored(None)
    return with_ignored(read_bounded(place, limit=1 << 20, files=files).data)


def _warn_of_key(key: Key) -> list[str]:
    if key.public:
        return [
            "The first entry is signed with a public development key, which proves nothing about its writer. "
            "Set BEAMLINE_HMAC_SECRET before you make a workspace that others shall trust."
        ]
    return ["The first entry is signed with a secret of less than 16 characters."] if key.weak else []


def _warn_of_parent(root: str, files: Files) -> list[str]:
    try:
        outer = find_root(os.path.dirname(os.path.abspath(root)), files=files)
    except (WorkspaceNotFound, DevStateError):
        return []
    return [f"{outer} is a workspace too; below {root}, commands will use the new one."]
