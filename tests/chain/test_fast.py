"""The fast path takes only what the strict parser takes, with the same members and without a flaw."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain_samples import RING, STRICT_ONLY, chain, changed, corpus, dump, same, signed, verified
from devstate.chain import BytesSource, Layout, Limits, scan_history
from devstate.chain.entry import MEMBERS
from devstate.chain.fast import FAST_DEPTH, FastEntry, decode_block
from devstate.chain.framing import frame
from devstate.chain.index import divide
from devstate.chain.layout import REFERENCE, format_history
from devstate.chain.listing import Block
from devstate.chain.strict import parse_value

LIMITS = Limits()
LAYOUTS = [
    *(Layout(form, indent) for form in ("array", "entries") for indent in (-1, 0, 1, 2, 4)),
    Layout("array", 4, "\r\n"),
    Layout("entries", 2, "\r\n"),
]


def members_of(entry: FastEntry) -> dict[str, object]:
    return {name: value for name in MEMBERS if (value := getattr(entry, name)) is not msgspec.UNSET}


def accepted(block: bytes, layout: Layout = REFERENCE) -> bool:
    """Whether the fast path takes a block; where it does, the strict parser has to agree."""
    entries = decode_block(block, layout)
    if entries is None:
        return False
    raws = [raw for _, raw in divide(block, layout)]
    if layout.indent <= 0 and len(raws) != len(entries):
        return False  # on one line an inner object can look like the beginning of an entry; the listing refuses it
    assert len(raws) == len(entries), block
    for entry, raw in zip(entries, raws, strict=True):
        parsed = parse_value(raw, LIMITS, outer_depth=1 if layout.form == "array" else 2)
        assert parsed.flaws == (), block
        assert parsed.value == members_of(entry), block
        assert list(parsed.value) == list(members_of(entry)), block
    return True


def block_of(data: bytes, layout: Layout = REFERENCE) -> bytes:
    return data[len(layout.opening) : len(data) - len(layout.closing)]


HONEST = block_of(dump(chain(3)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_honest_block_is_taken(layout: Layout) -> None:
    entries = chain(5)
    del entries[1]["metadata"], entries[2]["cp_from"]
    entries[3]["metadata"] = {}
    assert accepted(block_of(format_history(entries, layout), layout), layout)


def test_a_block_in_another_layout_is_not_taken() -> None:
    for layout in LAYOUTS:
        data = block_of(format_history(chain(2), layout), layout)
        taken = [other for other in LAYOUTS if accepted(data, other)]
        # A block shows neither the form of its file, where there are no margins, nor anything else.
        assert layout in taken
        assert all(
            (other.gap, other.first, other.last) == (layout.gap, layout.first, layout.last) for other in taken
        )


FIRST_OF_FOUR = [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, 4))]


@pytest.mark.parametrize("part", FIRST_OF_FOUR)
def test_every_block_of_the_corpus_that_is_taken_is_strictly_right(part: int) -> None:
    taken = 0
    for name in sorted(corpus())[part::4]:
        for piece in frame(BytesSource(corpus()[name]), LIMITS, []):
            if isinstance(piece, Block):
                assert accepted(piece.data, piece.layout)
                taken += 1
    assert taken > 75


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"cp_to"', '"cp\\u005fto"'),
        ('"AGENT_1"', '"AGENT\\u005f1"'),
        ('"AGENT_1"', '"AGENT\\/1"'),
        ('"actor": "AGENT_1"', '"actor":  "AGENT_1"'),
        ('"actor": "AGENT_1"', '"actor": "AGENT_1",\n        "actor": "AGENT_1"'),
        ('"actor": "AGENT_1"', '"actor": "AGENT_1",\n        "x": "AGENT_1"'),
        ('"actor": "AGENT_1"', '"actor": null'),
        ('"actor": "AGENT_1"', '"actor": 1'),
        ('"cp_to": "CP1-LC"', '"cp_to": ["CP1-LC"]'),
        ('"metadata": {', '"metadata": {\n            "n": 1.0,'),
        ('"metadata": {', '"metadata": {\n            "n": 1e2,'),
        ('"metadata": {', '"metadata": {\n            "n": 9007199254740992,'),
        ('"metadata": {', '"metadata": {\n            "n": -9007199254740992,'),
        ('"metadata": {', '"metadata": {\n            "n": -0,'),
        ('"metadata": {', '"metadata": {\n            "n": NaN,'),
        ('"metadata": {', '"metadata": {\n            "n": "\\ud800",'),
        ('"metadata": {', '"metadata": {\n            "note": 1,'),  # "note" then stands twice
        ('"metadata": {', '"metadata": {\n            "n": {},\n            "n": {},'),
        ('"metadata": {', '"metadata": {\n            "n": "\x7f\x00",'),
        ("\n", "\r\n"),
        ("    }", "\t}"),
    ],
)
def test_what_only_a_lenient_parser_takes_is_not_taken(old: str, new: str) -> None:
    data = HONEST.decode()
    assert old in data
    assert not accepted(data.replace(old, new, 1).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("number", ["0", "-1", "9007199254740991", "-9007199254740991"])
def test_integers_that_every_program_reads_alike_are_taken(number: str) -> None:
    data = HONEST.replace(b'"metadata": {', b'"metadata": {\n            "n": %b,' % number.encode(), 1)
    assert accepted(data)


def test_the_deepest_nesting_that_is_taken() -> None:
    for levels in range(1, 12):
        value: object = "x"
        for _ in range(levels):
            value = [value]
        entries = changed(chain(2), 1, metadata={"n": value})
        # The file, the entry and the metadata are around the lists.
        assert accepted(block_of(dump(entries))) == (levels + 3 <= FAST_DEPTH - 1), levels


def test_bytes_that_are_no_utf8_are_not_taken() -> None:
    for wrong in (b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xc0\xaf"):
        assert not accepted(HONEST.replace(b"AGENT_1", b"AGENT_" + wrong, 1))


_PIECES = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\t", b"\r", b"\x00", b"\x7f", b"\xff", b"0",
    b"-", b".", b"e", b"E5", b"1", b"null", b"true", b'""', b"{}", b"\\n", b"\\u0041", b"\\ud800", b"\\/",
    b"\xc3\xbc", b"\xed\xa0\x80", b'"a": 1,', b',\n        "actor": "x"', b"\n    },\n    {\n",
]  # fmt: skip


def mutated(data: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at = dice.randrange(len(data) + 1)
        length = dice.choice((0, 0, 1, 1, 2, 5, 20))
        kind = dice.randrange(4)
        if kind == 0:
            new = dice.choice(_PIECES)
        elif kind == 1:
            new = bytes([dice.randrange(256)])
        elif kind == 2:  # another place of the same block
            start = dice.randrange(len(data))
            new = data[start : start + dice.randrange(40)]
        else:
            new = b""
        data = data[:at] + new + data[at + length :]
    return data


def rich_block(layout: Layout = REFERENCE) -> bytes:
    entries = chain(2)
    entries[0]["metadata"] = {"a": [], "b": {}, "n": -12, "t": [True, None, ["x", {"y": '\t\n"\\/ü漢😀'}]]}
    return block_of(format_history(signed(entries), layout), layout)


@given(st.integers(0, 2**64), st.sampled_from(LAYOUTS))
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_mutations_of_a_block_that_are_taken_are_strictly_right(seed: int, layout: Layout) -> None:
    accepted(mutated(rich_block(layout), random.Random(seed)), layout)


@pytest.mark.parametrize("block", range(2))
def test_mutations_by_the_thousand(block: int) -> None:
    dice = random.Random(f"mutations {block}")
    honest = rich_block()
    assert accepted(honest)
    taken = sum(accepted(mutated(honest, dice)) for _ in range(3000))
    assert 0 < taken < 2500  # both kinds were met, so the comparison was tried


@pytest.mark.nightly
def test_very_many_mutations() -> None:
    dice = random.Random("very many mutations")
    honest = rich_block()
    for _ in range(200_000):
        accepted(mutated(honest, dice))


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_shallow = st.dictionaries(
    _text, st.none() | st.booleans() | st.integers() | _text | st.lists(_text, max_size=2), max_size=3
)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_inner_objects_that_look_like_entries(layout: Layout) -> None:
    """Their text is the boundary of two entries, byte for byte, where the layout has one line."""
    inner = {"list": [{"a": 1}, {"ts": "2025-01-01T00:00:00Z", "actor": "EVIL"}, {"ts": "x"}]}
    entries = signed([members | {"metadata": inner} for members in chain(60)])
    data = format_history(entries, layout)
    report = verified(data)
    assert (report.ok, report.entries, report.verified) == (True, 60, 60)
    same(report, verified(data, limits=STRICT_ONLY))
    source = BytesSource(data)
    index = scan_history(source, keyring=RING).index
    assert [entry.members for entry in index.entries(0, 60, source)] == entries


@given(
    st.lists(
        st.fixed_dictionaries(
            {"ts": _text, "actor": _text, "action": _text},
            optional={"metadata": _shallow, "cp_from": st.none() | _text, "cp_to": _text, "extra": _text},
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(LAYOUTS),
)
@settings(deadline=None)
def test_both_ways_give_the_same_report(entries: list[dict[str, object]], layout: Layout) -> None:
    """Whatever the members say, the report does not tell which way the entries were read."""
    honest = chain(len(entries) + 2)
    mixed = [old | new for old, new in zip(honest, entries, strict=False)] + honest[len(entries) :]
    for data in (format_history(mixed, layout), format_history(signed(mixed), layout)):
        same(verified(data), verified(data, limits=STRICT_ONLY))


@pytest.mark.parametrize("part", FIRST_OF_FOUR)
def test_both_ways_agree_on_the_corpus(part: int) -> None:
    for name in sorted(corpus())[part::4]:
        data = corpus()[name]
        one, two = verified(data), verified(data, limits=STRICT_ONLY)
        if "LIMIT_EXCEEDED" in {finding.code for finding in two.findings}:
            continue  # deeper than the limit that keeps the fast path out
        same(one, two)
