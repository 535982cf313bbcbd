"""How each fault is planted: the steps of the recipes in `devstate.demo.tampers`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from devstate.chain.keys import Mac

from .building import STATE
from .edits import RowsEdit, edit_row, middle
from .history import PUBLIC_SECRET, signed
from .project import artifact_item
from .rows import Row
from .templates import json_text

__all__ = [
    "KEYRING",
    "OTHER_SECRET",
    "STATUS",
    "add_keyring",
    "drifted",
    "edit_artifact",
    "edit_state",
    "folder_for_history",
    "insert_signed",
    "leak_hmac",
    "leave_lock",
    "leave_temporary",
    "link_artifact",
    "list_outside",
    "nested",
    "no_entries",
    "own_schema",
    "put_metadata",
    "remove_artifact",
    "unknown_status",
]

# Made-up secrets of demos, written beside the demo on purpose; they protect nothing.
OTHER_SECRET = b"a-secret-that-only-this-demo-uses"
KEYRING = "demo-keyring.json"
_SECRET_FILES = {"demo-keys/first.secret": PUBLIC_SECRET, "demo-keys/second.secret": OTHER_SECRET}

STATUS = "done"  # a reasonable word for a status, but none of the format's


def no_entries(texts: Iterator[str], entries: int) -> Iterator[str]:
    return iter(())


def insert_signed(texts: Iterator[str], entries: int) -> Iterator[str]:
    """Put an entry of the chain's own key after the middle one; the next entry does not name it."""
    for index, text in enumerate(texts):
        yield text
        if index == middle(entries):
            members = json.loads(text)
            row = Row(
                members["ts"],
                "AGENT_8",
                "gate_override",
                members["cp_to"],
                members["cp_to"],
                members["state_checksum"],
                json_text({"approved_by": "AGENT_1"}, level=2),
            )
            yield from signed([row], lambda index: Mac(PUBLIC_SECRET), first_prev=members["hmac"])


def put_metadata(value: object) -> RowsEdit:
    """Give the entry in the middle other metadata, signed or not: v1 does not cover it."""
    text = json_text(value, level=2)
    return edit_row(middle, lambda row: row._replace(metadata=text))


def nested(depth: int) -> object:
    """An object that is `depth` arrays deep."""
    value: object = "deep"
    for _ in range(depth):
        value = [value]
    return {"nested": value}


def unknown_status(state: dict[str, Any], files: dict[str, bytes]) -> None:
    state["agents"][2]["status"] = STATUS


def own_schema(state: dict[str, Any], files: dict[str, bytes]) -> None:
    unknown_status(state, files)
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}
    files["docs/STATE.schema.json"] = json.dumps(schema, indent=4).encode()


def drifted(state: dict[str, Any], files: dict[str, bytes]) -> None:
    state["no_drift"] = False


def list_outside(state: dict[str, Any], files: dict[str, bytes]) -> None:
    state["artifact_checksums"].append(artifact_item("../outside.txt", b"", state["updated_at"]))


def edit_state(files: dict[str, bytes], links: dict[str, str]) -> None:
    files[STATE] = files[STATE].replace(b'"version": "1.0"', b'"version": "1.1"')


def edit_artifact(files: dict[str, bytes], links: dict[str, str]) -> None:
    files["src/ledger/balance.py"] += b"\n# a line that nobody recorded\n"


def remove_artifact(files: dict[str, bytes], links: dict[str, str]) -> None:
    del files["src/router/retry.py"]


def link_artifact(files: dict[str, bytes], links: dict[str, str]) -> None:
    files["docs/architecture.current.md"] = files.pop("docs/architecture.md")
    links["docs/architecture.md"] = "architecture.current.md"


def leave_temporary(files: dict[str, bytes], links: dict[str, str]) -> None:
    files[STATE + ".tmp"] = files[STATE][: len(files[STATE]) // 2]


def leave_lock(files: dict[str, bytes], links: dict[str, str]) -> None:
    # Linux gives no process a number above 4194304, so this one is surely gone.
    holder = {"pid": 4_194_399, "host": "build-host", "user": "agent", "command": "history append"}
    files[".trae/.lock"] = json.dumps({"holder": holder, "since": "2026-05-29T17:59:00Z"}).encode() + b"\n"


def folder_for_history(files: dict[str, bytes], links: dict[str, str]) -> None:
    files[".trae/history.json/README"] = b"A folder where the history should be.\n"


def leak_hmac(files: dict[str, bytes], links: dict[str, str]) -> None:
    leaked = sha256(b"a leaked HMAC").hexdigest()
    files["logs/build.log"] = f"2026-05-29T17:59:00Z INFO appended entry hmac={leaked}\n".encode()


def add_keyring(files: dict[str, bytes], links: dict[str, str]) -> None:
    files.update({path: secret + b"\n" for path, secret in _SECRET_FILES.items()})
    keys = [
        {
            "kid": kid,
            "alg": "HMAC-SHA256",
            "status": "active",
            "from_seq": 0,
            "to_seq": None,
            "secret_file": path,
        }
        for kid, path in zip(("first", "second"), _SECRET_FILES, strict=True)
    ]
    files[KEYRING] = json.dumps({"keys": keys}, indent=4).encode()
