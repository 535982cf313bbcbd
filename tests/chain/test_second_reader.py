"""The product and an independent reader of chain v1 agree, on thousands of chains and any changed byte."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.chain import ChainReport, Keyring, verify_history
from second_readers.chain_v1 import COVERED, Verdict, read
from second_readers.chain_v1_maker import TAMPERINGS, Made, chain, mac, make

UPSTREAM = Path(__file__).parent.parent / "data" / "upstream"
PUBLIC = b"beamline-secret-key-v1"
SECRET = b"a secret for the bytes of one chain"


def verified(data: bytes, secret: bytes, jobs: int = 1) -> ChainReport:
    return verify_history(data, keyring=Keyring.of(secret), jobs=jobs)


def error_codes(report: ChainReport) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity == "error"}


def agree(made: Made) -> None:
    second = read(made.data, made.secret)
    assert (second.ok, second.first_bad) == (made.good, made.first_bad), made.tampering
    report = verified(made.data, made.secret)
    assert report.ok == second.ok, (made, report.findings)
    if made.tampering == "wrong_key" and report.entries > 1:
        assert error_codes(report) == {"WRONG_KEY"}, made
    else:
        assert report.first_bad == second.first_bad, (made, report.findings)


@pytest.mark.parametrize(
    "block", [pytest.param(block, marks=[pytest.mark.long] if block % 2 else []) for block in range(8)]
)
def test_both_readers_agree_on_random_chains(block: int) -> None:
    dice = random.Random(f"chains {block}")
    seen: set[str] = set()
    for _ in range(500):
        made = make(dice)
        seen.add(made.tampering)
        agree(made)
    assert seen == set(TAMPERINGS)


@pytest.mark.long
@pytest.mark.parametrize("block", range(20))
def test_both_readers_agree_on_many_more_chains(block: int) -> None:
    dice = random.Random(f"many chains {block}")
    for _ in range(2000):
        agree(make(dice))


@given(st.integers(min_value=0, max_value=2**64))
@settings(deadline=None, max_examples=200)
def test_both_readers_agree_on_any_seed(seed: int) -> None:
    agree(make(random.Random(seed)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("valid_history.json", Verdict(True, None, "")),
        ("invalid_history_broken_chain.json", Verdict(False, 1, "the link is broken")),
    ],
)
def test_upstream_samples(name: str, expected: Verdict) -> None:
    data = (UPSTREAM / "history" / name).read_bytes()
    assert read(data, PUBLIC) == expected
    report = verified(data, PUBLIC)
    assert (report.ok, report.first_bad) == (expected.ok, expected.first_bad)


def test_the_upstream_sample_with_invented_hmacs() -> None:
    """It verifies under no secret, while its links hold: to one who has a secret, the key is wrong."""
    data = (UPSTREAM / "history" / "history.sample.json").read_bytes()
    assert not read(data, PUBLIC).ok
    assert error_codes(verified(data, PUBLIC)) == {"WRONG_KEY"}


def test_the_first_entry_of_the_public_history() -> None:
    data = b"[" + (UPSTREAM / "vector-entry0.json").read_bytes() + b"]"
    assert read(data, PUBLIC).ok
    assert verified(data, PUBLIC).ok


# -- one changed byte ---------------------------------------------------------------------------


def honest_file() -> bytes:
    """A chain in the reference layout that has all kinds of members in it."""
    dice = random.Random("one chain")
    while True:
        made = make(dice)
        if made.tampering != "none" or made.data[:6] != b"[\n    ":
            continue
        entries = json.loads(made.data)
        if len(entries) == 5 and any(entry.get("metadata") for entry in entries):
            break
    before = ""
    for entry in entries:
        entry["hmac_prev"] = before
        before = entry["hmac"] = mac(SECRET, entry)
    return json.dumps(entries, indent=4, ensure_ascii=False).encode()


def large_file(size: int) -> bytes:
    """A chain in the reference layout, of more than `size` bytes, so that it is read in several blocks."""
    dice = random.Random("large chain")
    return json.dumps(chain(dice, SECRET, size // 450), indent=4, ensure_ascii=False).encode()


HONEST = honest_file()
PARSED = json.loads(HONEST)
BLOCK = 64 * 1024
WATCHED = (*COVERED, "hmac")


def content(document: Any) -> Any:
    """What the HMACs and links protect of a parsed document; None where it is no list of entries."""
    entries = document.get("entries") if isinstance(document, dict) else document
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    return [[entry.get(name) for name in WATCHED] for entry in entries]


def found_or_named(data: bytes, honest: bytes = HONEST, parsed: Any = PARSED, jobs: int = 1) -> None:
    """A changed file gives an error, or the change is of a kind that the report names."""
    if data == honest:
        return
    report = verified(data, SECRET, jobs)
    codes = {finding.code for finding in report.findings}
    try:
        document = json.loads(data.decode())
    except (ValueError, RecursionError):
        assert error_codes(report), data
        return
    if content(document) != content(parsed):
        assert error_codes(report), data
    elif error_codes(report):
        return  # an uncovered member of the wrong type, a name that stands twice, a number out of range
    elif document == parsed:
        assert "FORMAT_NONCANONICAL" in codes, data
    else:
        assert "UNCOVERED_FIELD" in codes, data
    if not error_codes(report):
        assert report.entries == report.verified == len(parsed)


def test_the_honest_file_is_one() -> None:
    report = verified(HONEST, SECRET)
    assert report.ok
    assert read(HONEST, SECRET).ok
    assert "FORMAT_NONCANONICAL" not in {finding.code for finding in report.findings}


INTERESTING = b' "\\{}[]:,\n\r\t0x\x00\xff\xc3-.eEA'


def every_offset(dice: random.Random, values: int) -> None:
    for offset in range(len(HONEST)):
        old = HONEST[offset]
        new = {dice.choice(INTERESTING), dice.randrange(256), old ^ 0x20, old ^ 1}
        for value in sorted(new - {old})[:values]:
            found_or_named(HONEST[:offset] + bytes([value]) + HONEST[offset + 1 :])


@pytest.mark.parametrize("part", [0, pytest.param(1, marks=pytest.mark.long)])
def test_any_replaced_byte_is_found_or_named(part: int) -> None:
    every_offset(random.Random(f"replaced {part}"), 1)


@pytest.mark.long
def test_many_values_of_each_byte_are_found_or_named() -> None:
    for part in range(5):
        every_offset(random.Random(f"values {part}"), 4)


def test_any_removed_byte_is_found_or_named() -> None:
    for offset in range(len(HONEST)):
        found_or_named(HONEST[:offset] + HONEST[offset + 1 :])


def test_any_added_byte_is_found_or_named() -> None:
    dice = random.Random("added")
    for offset in range(len(HONEST) + 1):
        found_or_named(HONEST[:offset] + bytes([dice.choice(INTERESTING)]) + HONEST[offset:])


def test_any_shorter_file_is_found() -> None:
    for length in range(len(HONEST)):
        errors = error_codes(verified(HONEST[:length], SECRET))
        assert errors, length
        assert errors <= {"TORN_FILE", "ENCODING"}, length  # the cut may go through a character


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_any_change_of_a_piece_is_found_or_named(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(HONEST)))
    end = data.draw(st.integers(start, min(len(HONEST), start + 40)))
    piece = data.draw(
        st.binary(max_size=20) | st.sampled_from([b"\n    },\n    {\n", b'"', b'",\n        "', b"\\u0041"])
    )
    found_or_named(HONEST[:start] + piece + HONEST[end:])


def changed_at_random(dice: random.Random, data: bytes) -> bytes:
    """One change of a few bytes, more often near a border of blocks, the ends of the file or the ends of entries."""
    around = dice.choice([0, BLOCK, 2 * BLOCK, len(data), dice.randrange(len(data))])
    start = min(max(0, around + dice.randint(-700, 700)), len(data) - 1)
    if dice.random() < 0.3:
        start = max(0, data.find(b"    },\n    {", start))
    end = start + dice.choice([0, 0, 1, 1, 2, 12, 500])
    piece = dice.choice(
        [
            bytes([dice.choice(INTERESTING)]),
            bytes([dice.randrange(256)]),
            b"",
            b"\n",
            b"    },\n    {\n",
            b"{},",
            b"[],",
            b'"x": 1,',
            b"\\u0041",
            data[start : start + 600],
            data[BLOCK : BLOCK + dice.randint(1, 900)],
        ]
    )
    return data[:start] + piece + data[end:]


def changes_of_a_large_file(seed: str, count: int, jobs: int = 1) -> None:
    honest = large_file(3 * BLOCK)
    parsed = json.loads(honest)
    dice = random.Random(seed)
    for _ in range(count):
        found_or_named(changed_at_random(dice, honest), honest, parsed, jobs)


def test_changes_around_the_borders_of_blocks_are_found_or_named() -> None:
    changes_of_a_large_file("large", 40)


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_many_changes_around_the_borders_of_blocks_are_found_or_named(part: int) -> None:
    changes_of_a_large_file(f"large {part}", 400)


@pytest.mark.long
def test_two_workers_find_or_name_them_too() -> None:
    changes_of_a_large_file("large, two workers", 60, jobs=2)
