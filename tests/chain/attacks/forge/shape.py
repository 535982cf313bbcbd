"""Row 9: files that hold no chain, or something else in its place."""

from __future__ import annotations

import json
from typing import Any

from .cases import Corpus
from .chain import chain, dump


def add_to(corpus: Corpus) -> None:
    empty: dict[str, Any] = {
        "codes": ["EMPTY_HISTORY"],
        "errors_exactly": ["EMPTY_HISTORY"],
        "first_bad": None,
    }
    for name, data in {
        "array": b"[]",
        "array_with_spaces": b" [ \n ] \n",
        "entries": b'{"entries": []}',
        "entries_and_more": b'{"version": 1, "entries": [], "count": 12}',
    }.items():
        corpus.add(
            f"09_empty_{name}",
            f"the history is emptied while a state stands beside it ({name})",
            "to a validator that loops over entries, nothing is wrong with nothing",
            data,
            data,
            near_state=None,
            near_what="the same file where no state exists: a project that has not begun",
            entries=0,
            **empty,
        )
    wrong: dict[str, bytes] = {
        "object": b'{"x": 1}',
        "empty_object": b"{}",
        "number": b"1",
        "text": b'"history"',
        "null": b"null",
        "true": b"true",
        "entries_object": b'{"entries": {}}',
        "entries_null": b'{"entries": null}',
        "entries_text": b'{"entries": "[]"}',
        "other_case": b'{"Entries": []}',
        "one_entry_bare": dump(chain()[0]),
        "entries_nested": b'{"history": {"entries": []}}',
    }
    for name, data in wrong.items():
        corpus.add(
            f"09_shape_{name}",
            f"the file is valid JSON of another shape ({name})",
            "a lookup with an empty default takes it for an empty history",
            data,
            dump({"entries": chain()}),
            near_what='the object form, {"entries": [...]}',
            codes=["SHAPE"],
            errors_exactly=["SHAPE"],
            first_bad=None,
        )
    e = chain(3)
    for name, index, element in (
        ("number", 0, 1),
        ("null", 1, None),
        ("text", 1, "entry"),
        ("array", 3, []),
        ("true", 2, True),
    ):
        elements: list[Any] = [*e[:index], element, *e[index:]]
        corpus.add(
            f"09_element_{name}",
            f"element {index} of the array is a JSON {name}, not an object",
            "a reader that keeps only objects passes over it",
            elements,
            e,
            near_what="the same entries alone",
            codes=["FIELD_TYPE"],
            errors_within=["FIELD_TYPE", "CHAIN_LINK_BROKEN", "FIELD_FORMAT"],
            at={"FIELD_TYPE": [index]},
            first_bad=index,
            entries=4,
        )
    corpus.add(
        "09_only_a_number",
        "the array holds one number and nothing else",
        "it is not empty, and holds no entry",
        b"[1]",
        codes=["FIELD_TYPE"],
        errors_exactly=["FIELD_TYPE"],
        first_bad=0,
    )
    for name, data in {"file": b"", "spaces": b" \n\t \r\n", "newline": b"\n"}.items():
        corpus.add(
            f"39_empty_{name}",
            f"the file holds nothing at all ({name})",
            "a write was cut before its first byte; it is not an empty history",
            data,
            b"[]",
            near_state=None,
            near_what="an empty list, where no state exists",
            codes=["TORN_FILE"],
            errors_exactly=["TORN_FILE"],
            first_bad=None,
        )
    lines = b"\n".join(json.dumps(entry, ensure_ascii=False).encode() for entry in e)
    corpus.add(
        "09_json_lines",
        "one entry a line, without a list around them",
        "a reader of the first value sees one object",
        lines,
        dump(e),
        near_what="the same entries as a list",
        codes=[],
        errors_any_of=["SHAPE", "TORN_FILE"],
        exit=1,
    )
