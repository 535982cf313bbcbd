"""Explaining one entry: the very bytes that its HMAC covers, and how stored and computed values compare."""

from __future__ import annotations

from hmac import compare_digest
from typing import Literal

import msgspec

from .entry import COVERED, Entry, covered_bytes, mask_hmac
from .keys import Keyring, Mac

__all__ = ["Covered", "Explanation", "explain_entry"]


class Covered(msgspec.Struct, frozen=True):
    """A covered member and the bytes of the message that it fills, `start` to `end` (exclusive)."""

    name: str
    value: str
    start: int
    end: int


class Explanation(msgspec.Struct, frozen=True):
    """`stored`, `computed` and the links are masked. `computed` is None where the MAC could not be taken."""

    index: int
    message: bytes
    covered: tuple[Covered, ...]
    uncovered: tuple[str, ...]
    stored: str
    computed: str | None
    mac: Literal["good", "bad", "unchecked"]
    key: str | None
    link_stored: str
    link_expected: str
    link: Literal["good", "bad"]


def explain_entry(entry: Entry, previous: Entry | None, keyring: Keyring | None) -> Explanation:
    """Take one entry apart; `previous` is the entry before it, None for the first one of the file."""
    message = covered_bytes(entry.members)
    covered: list[Covered] = []
    position = 0
    for name in COVERED if message is not None else ():
        value = entry.members[name]
        end = position + len(value.encode())
        covered.append(Covered(name, value, position, end))
        position = end
    computed, key = _mac(message, entry.hmac, keyring)
    if computed is None:
        mac: Literal["good", "bad", "unchecked"] = "unchecked"
    else:
        mac = "good" if key is not None else "bad"
    expected = previous.hmac if previous is not None else ""
    return Explanation(
        index=entry.index,
        message=message or b"",
        covered=tuple(covered),
        uncovered=tuple(name for name in entry.members if name not in COVERED and name != "hmac"),
        stored=mask_hmac(entry.hmac),
        computed=computed,
        mac=mac,
        key=key,
        link_stored=mask_hmac(entry.hmac_prev),
        link_expected=mask_hmac(expected),
        link="good" if entry.hmac_prev == expected else "bad",
    )


def _mac(message: bytes | None, stored: str, keyring: Keyring | None) -> tuple[str | None, str | None]:
    """The masked MAC, and the name of the key under which it equals the stored one."""
    if message is None or keyring is None:
        return None, None
    first: str | None = None
    for key in keyring.keys:
        computed = Mac(key.secret.reveal()).hexdigest(message)
        if compare_digest(computed.encode(), stored.encode("utf-8", "replace")):
            return mask_hmac(computed), key.kid
        first = first or computed
    return (mask_hmac(first) if first else None), None
