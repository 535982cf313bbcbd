"""Joining segments: however a file is cut, judging the parts and joining them gives what one pass gives."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain_samples import RING, ZEROS, chain, changed, dump, judged, pieces_of, signed
from devstate.chain import ChainContext, Key, Keyring, Limits, listing
from devstate.chain.faults import FileFault
from devstate.chain.listing import Piece
from devstate.chain.segment import Segment, join
from devstate.settings import Secret

OTHER = b"another secret, for the later entries"
LIMITS = Limits()

Members = dict[str, Any]


def comparable(segment: Segment) -> Segment:
    """The report does not depend on the order of one entry's faults, or of the members that are not covered."""
    return msgspec.structs.replace(
        segment,
        faults=sorted(segment.faults, key=lambda fault: (fault.index, fault.code, fault.member)),
        fault_counts=dict(sorted(segment.fault_counts.items())),
        members=sorted(segment.members),
        lone_actors=dict(sorted(segment.lone_actors.items())),
    )


def tampered(dice: random.Random) -> list[Members]:
    """A chain with any number of faults, many of which show only beside the neighbours."""
    entries = chain(dice.randint(1, 12))
    for index in range(len(entries)):
        if dice.random() < 0.3:
            entries[index] |= dice.choice(
                [{"actor": "NEW"}, {"actor": ""}, {"actor": f"ONE_{index}"}, {"state_checksum": ZEROS}]
            )
        if dice.random() < 0.1:
            del entries[index]["metadata"]
    entries = signed(entries)
    for _ in range(dice.choice((0, 1, 1, 2, 4))):
        index = dice.randrange(len(entries))
        kind = dice.randrange(9)
        if kind == 0:
            entries = changed(entries, index, actor="EVIL")
        elif kind == 1:
            entries = [*entries[:index], *entries[index + 1 :]] or entries
        elif kind == 2:
            entries = changed(
                entries, index, ts=dice.choice(["2024-01-01T00:00:00Z", "no time", "", None, 5])
            )
        elif kind == 3:
            entries = changed(entries, index, hmac=dice.choice([ZEROS, "A" * 64, "", None]))
        elif kind == 4:
            entries = changed(entries, index, hmac_prev=dice.choice([ZEROS, "", "x", None]))
        elif kind == 5:
            entries = changed(
                entries, index, ts=dice.choice(["2031-01-01T00:00:00.5Z", "2024-06-01T00:00:00+02:00"])
            )
        elif kind == 6:
            other = dice.randrange(len(entries))
            entries[index], entries[other] = entries[other], entries[index]
        elif kind == 7:
            entries = changed(entries, index, extra=1, metadata="text")
        else:
            entries = [*entries[:index], dice.choice([[], 1, "entry", {}]), *entries[index:]]  # type: ignore[list-item]
            entries = [entry if isinstance(entry, dict) else {} for entry in entries]
    return entries


def tree(dice: random.Random, parts: list[Segment], cap: int) -> Segment:
    """The parts joined in an order of the dice's choice."""
    while len(parts) > 1:
        at = dice.randrange(len(parts) - 1)
        parts = [*parts[:at], join(parts[at : at + 2], cap), *parts[at + 2 :]]
    return parts[0]


def cut(dice: random.Random, pieces: list[Piece]) -> list[list[Piece]]:
    """The pieces in runs; a fault that stands before the next entry stays with it."""
    runs: list[list[Piece]] = [[]]
    for number, piece in enumerate(pieces):
        bound = number and isinstance(pieces[number - 1], FileFault)
        if runs[-1] and not bound and dice.random() < 0.4:
            runs.append([])
        runs[-1].append(piece)
    return runs


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of an entry or two, so that a small file has many borders."""
    monkeypatch.setattr(listing, "_BLOCK", 300)


RINGS = [
    RING,
    None,
    Keyring((*RING.keys, Key("second", Secret(OTHER), from_seq=3))),
    Keyring((Key("second", Secret(OTHER)), *RING.keys)),
]


def check(dice: random.Random) -> set[str]:
    limits = Limits(findings_per_code=dice.choice((1, 2, 1000)))
    entries = tampered(dice)
    context = ChainContext(state_bytes=b"state %d" % dice.randrange(12))
    ring = dice.choice(RINGS)
    data = dump(entries)
    if dice.random() < 0.15:
        at = dice.randrange(len(data))
        data = data[:at] + dice.choice([b"", b'"', b"{", b"\x00", b"\xff"]) + data[at + 1 :]
    pieces = pieces_of(data, limits)
    if not pieces:
        return set()
    latest = "2030-01-01T00:00:00"
    whole = judged(pieces, ring, context=context, limits=limits, latest=latest)
    parts = [
        judged(run, ring, begins_file=not number, context=context, limits=limits, latest=latest)
        for number, run in enumerate(cut(dice, pieces))
    ]
    joined = tree(dice, parts, limits.findings_per_code)
    assert comparable(joined) == comparable(whole), data
    return set(whole.fault_counts)


@pytest.mark.parametrize("block", range(3))
def test_a_file_in_parts_is_the_file(block: int) -> None:
    dice = random.Random(f"segments {block}")
    met: set[str] = set()
    for _ in range(250):
        met |= check(dice)
    assert met >= {
        "CHAIN_LINK_BROKEN", "HMAC_MISMATCH", "TIME_REGRESSION", "FUTURE_TIME", "FIELD_FORMAT", "FIELD_TYPE",
        "FIELD_MISSING", "TORN_FILE",
    }  # fmt: skip


@given(st.integers(0, 2**64))
@settings(deadline=None, max_examples=100)
def test_a_file_in_parts_is_the_file_for_any_seed(seed: int) -> None:
    check(random.Random(seed))


def halves(entries: list[Members], at: int) -> Segment:
    """Two parts of one file, joined."""
    pieces = [pieces_of(dump([members])) for members in entries]
    first = judged([piece for run in pieces[:at] for piece in run])
    second = judged([piece for run in pieces[at:] for piece in run], begins_file=False)
    return join([first, second], LIMITS.findings_per_code)


def test_an_honest_border() -> None:
    joined = halves(chain(4), 2)
    assert (joined.count, joined.faults, joined.errors) == (4, [], bytes(4))


def test_a_broken_link_at_the_border() -> None:
    entries = chain(4)
    joined = halves([*entries[:2], *entries[3:]], 2)
    (fault,) = joined.faults
    assert (fault.code, fault.index, fault.expected) == ("CHAIN_LINK_BROKEN", 2, entries[1]["hmac"])
    assert joined.errors == b"\0\0\1"


def test_a_time_that_goes_back_at_the_border_is_shown_as_it_stands() -> None:
    entries = signed(changed(chain(4), 2, ts="2024-01-01T02:00:00.250+02:00"))
    joined = halves(entries, 2)
    (fault,) = joined.faults
    assert (fault.code, fault.index, fault.actual) == ("TIME_REGRESSION", 2, "2024-01-01T02:00:00.250+02:00")
    assert joined.errors == bytes(4)  # a warning makes no entry bad


def test_a_time_that_cannot_be_read_does_not_hide_the_one_after_it() -> None:
    entries = changed(chain(4), 2, ts="never")
    entries = changed(entries, 3, ts="2024-01-01T00:00:00Z")
    regressions = [fault.index for fault in halves(entries, 2).faults if fault.code == "TIME_REGRESSION"]
    assert regressions == [3]


def test_an_empty_part_changes_nothing() -> None:
    part = judged(pieces_of(dump(chain(3))))
    assert join([judged([]), part, judged([])], 5) == part
    assert join([part], 5) is part


def test_a_part_may_be_a_single_entry_that_is_no_object() -> None:
    data = dump([*chain(2), 5])
    pieces = pieces_of(data)
    whole = judged(pieces)
    parts = [judged([piece], begins_file=not number) for number, piece in enumerate(pieces)]
    assert comparable(join(parts, 10)) == comparable(whole)


def test_unknown_members_hide_none_of_the_known_ones_that_the_hmac_does_not_cover() -> None:
    plain = [{name: value for name, value in entry.items() if name != "metadata"} for entry in chain(4)]
    entries = changed(plain, 1, extra_1=1, extra_2=2, extra_3=3)
    entries = signed(changed(entries, 3, metadata={"note": "after them"}))
    assert set(judged(pieces_of(dump(entries))).members) == {
        "cp_from", "cp_to", "extra_1", "extra_2", "extra_3", "metadata",
    }  # fmt: skip
