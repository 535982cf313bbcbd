"""Which key verified which entries: runs, ranges, rotations, and keys that should not have been used."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain_samples import chain, codes, dump, mac, only, verified
from devstate.chain import ChainReport, Key, Keyring, Limits
from devstate.chain.keyuse import Run, judge_keys, runs_of
from devstate.chain.segment import BAD, UNCHECKED
from devstate.settings import Secret

A, B = b"the first secret of two", b"the second secret of two"


def ring(*fields: dict[str, object]) -> Keyring:
    secrets = (A, B)
    return Keyring(
        tuple(Key("ab"[number], Secret(secrets[number]), **more) for number, more in enumerate(fields))  # type: ignore[arg-type]
    )


def told(macs: bytes, keys: Keyring) -> list[tuple[str, int, int]]:
    return [(fault.code, fault.run.first, fault.run.last) for fault in judge_keys(macs, keys)[1]]


@pytest.mark.parametrize(
    ("macs", "expected"),
    [
        (b"", []),
        (b"\0", [Run(0, 0, 0)]),
        (b"\0\0\1\1\1", [Run(0, 0, 1), Run(1, 2, 4)]),
        (b"\0\xff\0\xfe\0", [Run(0, 0, 4)]),  # an entry that does not verify neither makes nor ends a run
        (b"\xff\xfe", []),
        (b"\xff\0\xff", [Run(0, 1, 1)]),
        (b"\0\xff\1\xff\1\0", [Run(0, 0, 0), Run(1, 2, 4), Run(0, 5, 5)]),
        (b"\n\n\0", [Run(10, 0, 1), Run(0, 2, 2)]),
    ],
)
def test_runs(macs: bytes, expected: list[Run]) -> None:
    assert runs_of(macs) == expected


@given(st.lists(st.sampled_from([0, 1, 2, BAD, UNCHECKED]), max_size=30))
def test_runs_of_anything(values: list[int]) -> None:
    keyed = [(at, value) for at, value in enumerate(values) if value < UNCHECKED]
    groups = [list(group) for _, group in itertools.groupby(keyed, key=lambda pair: pair[1])]
    assert runs_of(bytes(values)) == [Run(group[0][1], group[0][0], group[-1][0]) for group in groups]


@pytest.mark.parametrize(
    ("macs", "keys", "expected"),
    [
        (b"\0\0\0", ring({}, {}), []),
        (b"\0\0\1", ring({}, {}), [("KEY_UNDECLARED", 2, 2)]),
        (b"\0\0\1", ring({"to_seq": 1}, {"from_seq": 2}), []),
        (b"\0\0\1", ring({"to_seq": 0}, {"from_seq": 1}), [("KEY_OUT_OF_RANGE", 0, 1)]),
        (b"\0\0\1", ring({"to_seq": 2}, {"from_seq": 3}), [("KEY_OUT_OF_RANGE", 2, 2)]),
        (b"\0\1\0", ring({}, {}), [("KEY_UNDECLARED", 1, 1), ("KEY_OUT_OF_RANGE", 2, 2)]),
        (b"\0\xff\1", ring({}, {}), [("KEY_UNDECLARED", 2, 2)]),
        (b"\1\1", ring({}, {"status": "compromised"}), [("KEY_COMPROMISED", 0, 1)]),
        (b"\0\0", ring({}, {"status": "compromised"}), []),
        (b"\0\0", ring({"status": "retired"}), []),
        (b"\xff\xfe", ring({}, {}), []),
    ],
)
def test_what_a_ring_may_be_used_for(
    macs: bytes, keys: Keyring, expected: list[tuple[str, int, int]]
) -> None:
    assert told(macs, keys) == expected


def report(used: bytes, keys: Keyring, limits: Limits | None = None) -> ChainReport:
    """The report on a chain whose entries are signed with `A` or `B`, one letter each."""
    entries = chain(len(used))
    before = ""
    for number, letter in enumerate(used):
        fresh = entries[number] | {"hmac_prev": before}
        before = mac(fresh, A if letter == 97 else B)
        entries[number] = fresh | {"hmac": before}
    return verified(dump(entries), keys, limits=limits)


def test_a_declared_rotation_is_no_finding() -> None:
    said = report(b"aabb", ring({"to_seq": 1, "status": "retired"}, {"from_seq": 2}))
    assert said.ok
    assert said.letters == b"YYGG"
    assert said.verified == 4
    assert codes(said, "warning") == set()
    assert [(use.kid, use.first, use.last, use.status) for use in said.keys] == [
        ("a", 0, 1, "retired"),
        ("b", 2, 3, "active"),
    ]


def test_a_rotation_that_nobody_declared_is_a_warning() -> None:
    said = report(b"aabb", ring({}, {}))
    assert said.ok
    assert codes(said, "warning") == {"KEY_UNDECLARED"}
    assert only(said, "KEY_UNDECLARED").where.entry == 2
    assert "entries 2 to 3" in only(said, "KEY_UNDECLARED").message


def test_entries_outside_the_range_of_their_key_are_bad() -> None:
    said = report(b"aabb", ring({"to_seq": 0}, {"from_seq": 1}))
    assert codes(said) == {"KEY_OUT_OF_RANGE"}
    assert said.letters == b"BBGG"
    assert (said.verified, said.first_bad) == (2, 0)


def test_entries_under_a_compromised_key() -> None:
    said = report(b"aabb", ring({"status": "compromised", "to_seq": 1}, {"from_seq": 2}))
    assert codes(said) == {"KEY_COMPROMISED"}
    assert said.letters == b"RRGG"
    assert said.verified == 2
    assert said.answers.authenticity.status == "no"


def test_keys_that_alternate_do_not_flood_the_report() -> None:
    """Who has two keys can make a finding of every entry; they are counted like those of entries."""
    said = report(b"ab" * 30, ring({}, {}), Limits(findings_per_code=5))
    out = [finding for finding in said.findings if finding.code == "KEY_OUT_OF_RANGE"]
    assert len(out) == 6
    assert "53 more" in out[-1].message
    assert said.verified == 2
    assert said.letters == b"GG" + b"B" * 58
