"""Signing: the public vector of the format, and what cannot be signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chain_samples import RING, SECRET, chain, mac
from devstate.chain import COVERED, PUBLIC_SECRETS, Key, Keyring, covered_bytes, sign_entry, verify_history
from devstate.errors import UsageError
from devstate.settings import Secret

VECTOR = json.loads((Path(__file__).parent.parent / "data" / "upstream" / "vector-entry0.json").read_bytes())
KEY = RING.keys[0]


def test_the_vector() -> None:
    (public,) = Keyring.public_default().keys
    expected = "ccac19f73809dc46977672d9ad30d9ad85eaf1556161d6ef4c5fbfa8a5246152"
    assert VECTOR["hmac"] == expected
    assert sign_entry(VECTOR, public) == expected


@pytest.mark.parametrize("secret", PUBLIC_SECRETS[1:])
def test_the_vector_is_of_one_secret(secret: str) -> None:
    assert sign_entry(VECTOR, Key("other", Secret(secret.encode()))) != VECTOR["hmac"]


def test_signed_entries_verify() -> None:
    entries: list[dict[str, Any]] = []
    for members in chain(5):
        fresh = members | {"hmac_prev": entries[-1]["hmac"] if entries else "", "actor": "Ä漢😀"}
        entries.append(fresh | {"hmac": sign_entry(fresh, KEY)})
        assert entries[-1]["hmac"] == mac(fresh)
    assert verify_history(json.dumps(entries).encode(), keyring=RING).ok


@pytest.mark.parametrize("name", ["cp_from", "cp_to", "metadata", "hmac", "anything"])
def test_what_the_mac_does_not_cover(name: str) -> None:
    members = chain(1)[0]
    assert sign_entry(members | {name: "another"}, KEY) == sign_entry(members, KEY)


@pytest.mark.parametrize("name", COVERED)
def test_what_the_mac_covers(name: str) -> None:
    members = chain(2)[1]
    assert sign_entry(members | {name: members[name] + "0"}, KEY) != sign_entry(members, KEY)
    for wrong in (None, 5, ["x"], True):
        with pytest.raises(UsageError) as caught:
            sign_entry(members | {name: wrong}, KEY)
        assert SECRET.decode() not in repr(caught.value)
    with pytest.raises(UsageError):
        sign_entry({key: value for key, value in members.items() if key != name}, KEY)


def test_the_message_has_no_delimiter() -> None:
    """Why FIELD_BOUNDARY_AMBIGUOUS exists: characters can move between two members unnoticed."""
    members = chain(1)[0]
    moved = members | {"actor": members["actor"] + "s", "action": members["action"][1:]}
    assert covered_bytes(members) == covered_bytes(moved)


def test_a_lone_surrogate_cannot_be_signed() -> None:
    assert covered_bytes(chain(1)[0] | {"actor": "\ud800"}) is None
