"""Findings about an entry say where: the pointer, the byte and the line of what is meant."""

from __future__ import annotations

from typing import Any

import pytest

from chain_samples import chain, changed, dump, only, signed, verified
from devstate.chain.placing import member_offset


def history(**members: Any) -> bytes:
    return dump(signed(changed(chain(4), 2, **members)))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("before", "after", "code", "pointer", "meant"),
    [
        (b'"b": 2', b'"a": 2', "DUPLICATE_KEY", "/2/metadata/deep/0/a", b'"a": 2'),
        (b'"b": 2', b'"b": 1e400', "CANON_UNREPRESENTABLE", "/2/metadata/deep/0/b", b"1e400"),
        (b'"b": 2', b'"b": "\\ud800"', "ENCODING", "/2/metadata/deep/0/b", b'"\\ud800"'),
        (b'"b": 2', b'"b": "x\xff"', "ENCODING", "/2/metadata/deep/0/b", b"\xff"),
    ],
)
def test_a_fault_deep_inside_is_placed_exactly(
    before: bytes, after: bytes, code: str, pointer: str, meant: bytes, wrapped: bool
) -> None:
    # The names "metadata" and "deep" stand elsewhere in the entry too: looking for them would mislead.
    data = history(actor='"metadata"', metadata={"deep": [{"a": 1, "b": 2}]})
    if wrapped:
        data, pointer = b'{"entries": ' + data + b"}", "/entries" + pointer
    data = data.replace(before, after)
    where = only(verified(data), code).where
    at = data.index(meant)
    assert (where.entry, where.pointer, where.offset) == (2, pointer, at)
    assert where.line == data[:at].count(b"\n") + 1


def test_a_fault_of_a_member_is_placed_at_its_name() -> None:
    data = history(cp_to=5)
    where = only(verified(data), "FIELD_TYPE").where
    at = data.index(b'"cp_to": 5')
    assert (where.pointer, where.offset, where.line) == ("/2/cp_to", at, data[:at].count(b"\n") + 1)


@pytest.mark.parametrize(
    ("member", "offset"), [("/a", 1), ("/b~1~0", 9), ("/b~1~0/0/x", 9), ("/none", 0), ("", 0)]
)
def test_the_name_of_a_top_level_member(member: str, offset: int) -> None:
    assert member_offset(b'{"a": 1, "b/~": [{"x": 2}]}', member) == offset
