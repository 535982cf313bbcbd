"""A second reader of chain v1, written from the format's description alone: a few lines, json and hmac.

It says whether a history is good, and where it first is not. It knows one key, no limits and no warnings.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import Any, NamedTuple

COVERED = ("ts", "actor", "action", "state_checksum", "hmac_prev")
REQUIRED = (*COVERED, "cp_to", "hmac")
HEX = re.compile(r"[0-9a-f]{64}\Z")
TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
)


class Verdict(NamedTuple):
    ok: bool
    first_bad: int | None  # None where the file itself is at fault, or nothing is
    reason: str


def read(data: bytes, secret: bytes) -> Verdict:
    """Judge the bytes of a history file."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except ValueError as error:
        return Verdict(False, None, f"no JSON: {error}")
    entries = document.get("entries") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        return Verdict(False, None, "no list of entries")
    before = ""
    for index, entry in enumerate(entries):
        reason = fault(entry, before, secret)
        if reason:
            return Verdict(False, index, reason)
        before = entry["hmac"]
    return Verdict(True, None, "")


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def fault(entry: Any, before: str, secret: bytes) -> str:
    """What is wrong with one entry behind one whose HMAC is `before`; empty when nothing is."""
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in REQUIRED):
        return "a member is missing or no text"
    if not isinstance(entry.get("metadata", {}), dict) or not isinstance(entry.get("cp_from"), str | None):
        return "metadata or cp_from is of another type"
    if entry["hmac_prev"] != before:
        return "the link is broken"
    if not HEX.match(entry["hmac"]) or not HEX.match(entry["state_checksum"]) or not is_time(entry["ts"]):
        return "a member is not in its form"
    message = "".join(entry[name] for name in COVERED).encode("utf-8", "surrogatepass")
    good = hmac.compare_digest(hmac.new(secret, message, hashlib.sha256).hexdigest(), entry["hmac"])
    return "" if good else "the HMAC differs"


def is_time(text: str) -> bool:
    if not TIME.match(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
