"""Explaining an entry: the covered bytes, the comparison, and never enough to forge one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain_samples import RING, SECRET, chain, dump, mac
from devstate.chain import COVERED, Entry, Explanation, Key, Keyring, explain_entry, mask_hmac, parse_entry
from devstate.settings import Secret

ENTRIES = chain(3)


def entry_of(members: dict[str, Any], index: int = 1) -> Entry:
    return parse_entry(dump(members), index=index)


def explained(index: int, keyring: Keyring | None = RING, **changes: Any) -> Explanation:
    previous = entry_of(ENTRIES[index - 1], index - 1) if index else None
    return explain_entry(entry_of(ENTRIES[index] | changes, index), previous, keyring)


def test_a_good_entry() -> None:
    said = explained(1)
    assert (said.mac, said.link, said.key, said.index) == ("good", "good", "default", 1)
    assert said.stored == said.computed == ENTRIES[1]["hmac"][:16] + "..."
    assert said.link_stored == said.link_expected == ENTRIES[0]["hmac"][:16] + "..."
    assert said.uncovered == ("cp_from", "cp_to", "metadata")


def test_the_first_entry_follows_nothing() -> None:
    said = explained(0)
    assert (said.link, said.link_stored, said.link_expected) == ("good", "", "")


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(_texts, _texts, _texts)
def test_the_ranges_are_the_bytes_of_the_members(ts: str, actor: str, action: str) -> None:
    said = explained(1, ts=ts, actor=actor, action=action)
    assert [part.name for part in said.covered] == list(COVERED)
    assert said.covered[0].start == 0
    assert said.covered[-1].end == len(said.message)
    for part, following in zip(said.covered, said.covered[1:], strict=False):
        assert part.end == following.start
    for part in said.covered:
        assert said.message[part.start : part.end].decode() == part.value
    assert [part.value for part in said.covered[:3]] == [ts, actor, action]


@pytest.mark.parametrize("name", [name for name in COVERED if name != "hmac_prev"])
def test_a_changed_member(name: str) -> None:
    value = ENTRIES[1][name] + "0"
    said = explained(1, **{name: value})
    assert (said.mac, said.key, said.link) == ("bad", None, "good")
    assert said.computed == mac(ENTRIES[1] | {name: value})[:16] + "..."


def test_a_computed_hmac_is_never_told_whole() -> None:
    """With it a reader without the secret could repair what he forged."""
    forged = mac(ENTRIES[1] | {"actor": "EVIL"})
    for keyring in (RING, Keyring((Key("other", Secret(b"another secret of this ring")), *RING.keys))):
        said = explained(1, keyring, actor="EVIL")
        assert said.computed is not None
        assert len(said.computed) == 19
        assert forged not in repr(said)
        assert forged[:17] not in repr(said)
    assert mac(ENTRIES[1]) not in repr(explained(1))


def test_the_key_that_fits_is_named() -> None:
    other = Key("first", Secret(b"a secret that signed nothing"))
    assert explained(1, Keyring((other, *RING.keys))).key == "default"
    said = explained(1, Keyring((other,)))
    assert (said.mac, said.key) == ("bad", None)
    assert SECRET.decode() not in repr(said)


def test_without_a_key_only_the_link_is_compared() -> None:
    said = explained(1, None)
    assert (said.mac, said.computed, said.key, said.link) == ("unchecked", None, None, "good")
    assert said.message


@pytest.mark.parametrize("changes", [{"actor": None}, {"ts": 5}, {"hmac_prev": None}, {"action": ["x"]}])
def test_a_member_that_is_no_text_leaves_nothing_to_sign(changes: dict[str, Any]) -> None:
    said = explained(1, **changes)
    assert (said.mac, said.computed, said.message, said.covered) == ("unchecked", None, b"", ())


def test_a_lone_surrogate_has_no_bytes() -> None:
    entry = parse_entry(dump(ENTRIES[1]).replace(b"AGENT_2", b"\\ud800"), index=1)
    assert explain_entry(entry, None, RING).mac == "unchecked"


@pytest.mark.parametrize("stored", ["", "x", "ü" * 64, "A" * 64, "\ud800"])
def test_any_stored_text_can_be_compared(stored: str) -> None:
    entry = Entry(1, 0, b"", ENTRIES[1] | {"hmac": stored})
    said = explain_entry(entry, None, RING)
    assert (said.mac, said.stored) == ("bad", mask_hmac(stored))


def test_a_broken_link() -> None:
    said = explained(1, hmac_prev="f" * 64)
    assert (said.link, said.link_stored) == ("bad", "f" * 16 + "...")
    assert said.link_expected == ENTRIES[0]["hmac"][:16] + "..."
    assert ENTRIES[0]["hmac"] not in repr(said)


@pytest.mark.parametrize(
    ("text", "masked"),
    [("", ""), ("a" * 16, "a" * 16), ("a" * 17, "a" * 16 + "..."), ("a" * 64, "a" * 16 + "...")],
)
def test_masking(text: str, masked: str) -> None:
    assert mask_hmac(text) == masked
