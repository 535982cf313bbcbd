"""Random v1 chains, good and tampered, for two readers to agree on. Deterministic for a `random.Random`."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

Entry = dict[str, Any]

HEXDIGITS = "0123456789abcdef"
LETTERS = "abcxyzABCXYZ0189_-. /\\\"'{}[],:üßΩЖ漢😀\u2028é"


class Made(NamedTuple):
    data: bytes
    secret: bytes  # the one to verify with
    tampering: str  # what was done; "none" for a good chain
    good: bool
    first_bad: int | None  # the lowest entry at fault; None for a good chain, or where only the key is wrong


def make(dice: random.Random) -> Made:
    """One chain of 1 to 12 entries, with one of the tamperings or none, in one of several layouts."""
    secret = text(dice, 16, 40).encode()
    entries = chain(dice, secret, dice.randint(1, 12))
    name = dice.choice(list(TAMPERINGS))
    tampered, verify_with, first_bad = TAMPERINGS[name](dice, entries, secret)
    good = name == "none" or name == "uncovered"
    return Made(layout(dice, tampered), verify_with, name, good, None if good else first_bad)


def text(dice: random.Random, least: int, most: int) -> str:
    return "".join(dice.choice(LETTERS) for _ in range(dice.randint(least, most)))


def digits(dice: random.Random) -> str:
    return "".join(dice.choice(HEXDIGITS) for _ in range(64))


def mac(secret: bytes, entry: Entry) -> str:
    message = entry["ts"] + entry["actor"] + entry["action"] + entry["state_checksum"] + entry["hmac_prev"]
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()


def chain(dice: random.Random, secret: bytes, count: int) -> list[Entry]:
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=dice.randint(0, 10**7))
    before = ""
    entries: list[Entry] = []
    for _ in range(count):
        moment += timedelta(seconds=dice.randint(0, 9999))
        entry: Entry = {
            "ts": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "actor": text(dice, 1, 12),
            "action": text(dice, 1, 20),
            "cp_from": dice.choice([None, "CP0-LC", "CP1-LC"]),
            "cp_to": dice.choice(["CP1-LC", "CP2-LC"]),
            "state_checksum": digits(dice),
            "hmac_prev": before,
            "hmac": "",
            "metadata": value(dice, 3) if dice.random() < 0.5 else {},
        }
        if dice.random() < 0.1:
            del entry["metadata"]
        before = entry["hmac"] = mac(secret, entry)
        entries.append(entry)
    return entries


def value(dice: random.Random, depth: int) -> dict[str, Any]:
    """A JSON object with members of every kind."""
    made: dict[str, Any] = {}
    for _ in range(dice.randint(0, 3)):
        kinds: list[Callable[[], Any]] = [
            lambda: text(dice, 0, 15),
            lambda: dice.randint(-(2**53) + 1, 2**53 - 1),
            lambda: dice.choice([True, False, None, 0.5, 1e-7, -2.25]),
            lambda: [text(dice, 0, 5) for _ in range(dice.randint(0, 3))],
        ]
        if depth:
            kinds.append(lambda: value(dice, depth - 1))
        made[text(dice, 0, 8)] = dice.choice(kinds)()
    return made


def layout(dice: random.Random, entries: list[Entry]) -> bytes:
    """The reference serialisation three times out of four; else another layout of the same content."""
    document: Any = entries
    choice = dice.randrange(12)
    if choice == 0:
        document = {"entries": entries}
    if choice == 1:
        return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()
    if choice == 2:
        return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"
    return json.dumps(document, ensure_ascii=False, indent=4).encode()


Tampered = tuple[list[Entry], bytes, int | None]


def untouched(dice: random.Random, entries: list[Entry], secret: bytes) -> Tampered:
    return entries, secret, None


def uncovered(dice: random.Random, entries: list[Entry], secret: bytes) -> Tampered:
    index = dice.randrange(len(entries))
    change = dice.choice([{"cp_to": "CP9-X"}, {"cp_from": "CP8-X"}, {"metadata": {"x": 1}}, {"extra": [1]}])
    entries[index] = entries[index] | change
    return entries, secret, None


def covered_edit(dice: random.Random, entries: list[Entry], secret: bytes) -> Tampered:
    """Another value of the same form in one covered member, or in the HMAC itself."""
    index = dice.randrange(len(entries))
    entry = dict(entries[index])
    name = dice.choice(["ts", "actor", "action", "state_checksum", "hmac_prev", "hmac"])
    old = entry[name]
    while entry[name] == old:
        if name == "ts":
            entry[name] = f"2024-0{dice.randint(1, 9)}-1{dice.randint(0, 9)}T00:00:00Z"
        elif name in ("actor", "action"):
            entry[name] = text(dice, 1, 12)
        else:
            entry[name] = digits(dice)
    entries[index] = entry
    return entries, secret, index


def one_character(dice: random.Random, entries: list[Entry], secret: bytes) -> Tampered:
    index = dice.randrange(len(entries))
    entry = dict(entries[index])
    name = dice.choice(["actor", "action", "state_checksum", "hmac"])
    place = dice.randrange(len(entry[name]))
    entry[name] = entry[name][:place] + ("b" if entry[name][place] != "b" else "c") + entry[name][place + 1 :]
    entries[index] = entry
    return entries, secret, index


def delete(dice: random.Random, entries: list[Entry], secret: bytes) -> Tampered:
    if len(entries) < 2:
        return covered_edit(dice, entries, secret)
    index = dice.randrange(len(entries) - 1)  # a missing tail is nothing that v1 can show
    return entries[:index] + entries[index + 1 :], secret, index


def swap(dice: random.Random, entries: list[Entry], secret: bytes) -> Tampered:
    if len(entries) < 2:
        return covered_edit(dice, entries, secret)
    one, two = sorted(dice.sample(range(len(entries)), 2))
    entries[one], entries[two] = entries[two], entries[one]
    return entries, secret, one


def insert(dice: random.Random, entries: list[Entry], secret: bytes) -> Tampered:
    """A forged entry, rightly linked to the one before it but signed with another secret."""
    index = dice.randrange(len(entries) + 1)
    forged = chain(dice, b"the forger's own secret", 1)[0]
    forged["hmac_prev"] = entries[index - 1]["hmac"] if index else ""
    forged["hmac"] = mac(b"the forger's own secret", forged)
    return [*entries[:index], forged, *entries[index:]], secret, index


def replay(dice: random.Random, entries: list[Entry], secret: bytes) -> Tampered:
    source = dice.randrange(len(entries))
    target = dice.randint(source + 1, len(entries))
    return [*entries[:target], dict(entries[source]), *entries[target:]], secret, target


def wrong_key(dice: random.Random, entries: list[Entry], secret: bytes) -> Tampered:
    return entries, b"quite another secret of good length", 0


TAMPERINGS: dict[str, Callable[[random.Random, list[Entry], bytes], Tampered]] = {
    "none": untouched,
    "uncovered": uncovered,
    "covered_edit": covered_edit,
    "one_character": one_character,
    "delete": delete,
    "swap": swap,
    "insert": insert,
    "replay": replay,
    "wrong_key": wrong_key,
}
