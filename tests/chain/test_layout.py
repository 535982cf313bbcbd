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

LAYOUTS = [
    Layout(form, indent, eol)
    for form in ("array", "entries")
    for indent in (-1, 0, 1, 2, 4, 8)
    for eol in ("\n", "\r\n")
    if indent > 0 or eol == "\n"
]

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
    style: dict[str, Any] = {"indent": layout.indent} if layout.indent > 0 else {}
    if layout.indent < 0:
        style["separators"] = (",", ":")
    expected = json.dumps(document(entries, layout), ensure_ascii=False, **style).replace("\n", layout.eol)
    assert format_history(entries, layout) == expected.encode()


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_file_in_a_layout_is_its_parts(layout: Layout) -> None:
    entries = chain(3)
    data = format_history(entries, layout)
    assert detect_layout(data[:128]) == layout
    assert data.startswith(layout.opening + layout.first)
    assert data.endswith(layout.last + layout.closing)
    assert layout.between == layout.last + layout.gap + layout.first
    assert data.count(layout.between) == 2
    texts = [reference_text(members, layout) for members in entries]
    assert layout.opening + layout.gap.join(texts) + layout.closing == data


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
        b'[{"actor": "", "ts": ""}]',  # on one line an entry is known by its first member
        b'[{"ts" : ""}]',
        b'[\n{\n"ts"',  # indent 0
        b"[\n         {\n",  # nine spaces
        b"[\n\t{\n",
        b"[\r\n    {\n",
        b"[\r    {\r",
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
