"""Recalling blocks: a scan that follows another one says exactly what a scan by itself says."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain_samples import chain, dump
from devstate.chain import (
    BlockCache,
    BytesSource,
    ChainContext,
    ChainReport,
    Keyring,
    Layout,
    fast,
    format_history,
    recall,
    scan_history,
)
from devstate.chain.keys import Mac

SECRET = b"a secret of sixteen and more"
RING = Keyring.of(SECRET)
ENTRIES = chain(420, secret=SECRET)
LAYOUTS = (Layout("array", 4), Layout("entries", 2), Layout("array", -1), Layout("array", 4, "\r\n"))


def report(data: bytes, cache: BlockCache | None, ring: Keyring | None = RING) -> ChainReport:
    return scan_history(BytesSource(data), keyring=ring, context=ChainContext(), cache=cache).report


def edited(data: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    at = chance.randrange(len(data))
    kind = chance.randrange(4)
    if kind == 0:
        return data[:at] + bytes((chance.choice(b'0a"}{, \n'),)) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[at + chance.randrange(1, 600) :]
    if kind == 2:
        return data[:at] + chance.randbytes(3).hex().encode() + data[at:]
    return data


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(LAYOUTS), st.lists(st.integers(0, 2**32), min_size=1, max_size=4))
def test_scans_in_a_row_say_what_each_says_by_itself(layout: Layout, seeds: list[int]) -> None:
    cache = BlockCache()
    data = format_history(ENTRIES, layout)
    for seed in seeds:
        assert report(data, cache) == report(data, None)
        data = edited(data, seed)
        assert report(data, cache) == report(data, None)


def test_what_did_not_change_is_neither_decoded_nor_maced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dump(ENTRIES)
    cache = BlockCache()
    assert report(data, cache).ok
    decoded: list[int] = []
    maced: list[int] = []
    whole, take = fast.decode_block, Mac.hexdigests
    monkeypatch.setattr(
        "devstate.chain.listing.decode_block", lambda block, layout: decoded.append(1) or whole(block, layout)
    )
    monkeypatch.setattr(Mac, "hexdigests", lambda self, messages: maced.append(1) or take(self, messages))
    assert report(data, cache).verified == len(ENTRIES)
    assert (decoded, maced) == ([], [])
    changed = data.replace(ENTRIES[-1]["hmac"].encode(), b"0" * 64)
    assert report(changed, cache).first_bad == len(ENTRIES) - 1
    assert len(decoded) == 1


def test_a_moved_block_is_judged_at_its_place() -> None:
    """A block that is known to be good by itself is not good everywhere."""
    cache = BlockCache()
    data = dump(ENTRIES)
    assert report(data, cache).ok
    twice = dump([*ENTRIES, *ENTRIES])
    found = report(twice, cache)
    assert found == report(twice, None)
    assert "CHAIN_LINK_BROKEN" in {finding.code for finding in found.findings}


def test_another_key_ring_recalls_nothing() -> None:
    cache = BlockCache()
    data = dump(ENTRIES)
    assert report(data, cache).ok
    wrong = report(data, cache, Keyring.of(b"another secret of some length"))
    assert "WRONG_KEY" in {finding.code for finding in wrong.findings}
    assert "KEY_MISSING" in {finding.code for finding in report(data, cache, None).findings}
    assert report(data, cache).ok


def test_a_large_file_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dump(ENTRIES)
    monkeypatch.setattr(recall, "_MOST_BYTES", len(data) - 1)
    cache = BlockCache()
    assert cache.begin(RING, len(data)) is None
    assert report(data, cache).ok
