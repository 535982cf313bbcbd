"""Layouts: the reference serialisation, how a regular file is recognised, and what stands between its entries."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain_samples import chain, dump
from devstate.chain import MEMBERS, REFERENCE, Layout, detect_layout, format_history
from devstate.chain.layout import reference_text

LAYOUTS = [Layout(form, indent) for form in ("array", "entries") for indent in (1, 2, 4, 8)]

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_metadata = st.dictionaries(
    _text,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | _text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)


def document(entries: list[Any], layout: Layout) -> Any:
    return entries if layout.form == "array" else {"entries": entries}


@given(st.lists(_metadata, max_size=3), st.sampled_from(LAYOUTS))
def test_format_history_writes_what_python_writes(metadata: list[Any], layout: Layout) -> None:
    entries = [{"ts": "x", "metadata": item} for item in metadata]
    expected = json.dumps(document(entries, layout), indent=layout.indent, ensure_ascii=False).encode()
    assert format_history(entries, layout) == expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_in_a_layout_is_its_parts(layout: Layout) -> None:
    entries = chain(3)
    data = format_history(entries, layout)
    assert detect_layout(data[:128]) == layout
    assert data.startswith(layout.opening + b"{")
    assert data.endswith(b"}" + layout.closing)
    assert data.count(layout.between) == 2
    texts = [reference_text(members, layout) for members in entries]
    gap = layout.between[len(layout.margin) + 2 : -2]  # without the two braces and their lines
    assert layout.opening + gap.join(texts) + layout.closing == data


def test_the_reference_is_an_array_with_indent_4() -> None:
    entries = chain(2)
    assert Layout("array", 4) == REFERENCE
    assert format_history(entries) == dump(entries)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b"[\n]",
        b'[{"ts": ""}]',
        b'[\n{\n"ts"',  # indent 0
        b"[\n         {\n",  # nine spaces
        b"[\n\t{\n",
        b"[\r\n    {\r\n",
        b'{\n    "entries": [\n    {\n',  # the inner indent is not twice the outer one
        b'{\n    "other": [\n        {\n',
        b'\xef\xbb\xbf[\n    {\n        "ts"',
        b" [\n    {\n",
    ],
)
def test_no_regular_layout(head: bytes) -> None:
    assert detect_layout(head) is None


def test_the_reference_order_of_members() -> None:
    members = dict.fromkeys(["x", *reversed(MEMBERS), "a"], "")
    assert list(json.loads(reference_text(members))) == [*MEMBERS, "x", "a"]


def test_a_lone_surrogate_has_a_text_to_compare_with() -> None:
    assert b"\xed\xa0\x80" in reference_text({"actor": "\ud800"})
