"""Row 22 and its traps: other layouts of the same content, and content that looks like layout."""

from __future__ import annotations

import json
from typing import Any

from .cases import Corpus
from .chain import Entry, chain, dump, edited, metadata, sign, span, with_text


def add_to(corpus: Corpus) -> None:
    styles(corpus)
    near_the_reference(corpus)
    separators(corpus)
    nested_look(corpus)


def info(
    corpus: Corpus, slug: str, what: str, why: str, history: Any, near: Any = "honest", **more: Any
) -> None:
    expect: dict[str, Any] = {
        "codes": ["FORMAT_NONCANONICAL"],
        "errors_exactly": [],
        "first_bad": None,
        "exit": 0,
    }
    corpus.add(slug, what, why, history, near, **(expect | more))


def styles(corpus: Corpus) -> None:
    e = edited(5, 2, resigned=True, actor="ÅGENT_7", metadata={"note": "a/b ü 😀"})
    text = dump(e)
    plain = dump(chain())
    variants: dict[str, bytes] = {
        "minified": json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode(),
        "one_line": json.dumps(e, ensure_ascii=False).encode(),
        "indent_2": json.dumps(e, ensure_ascii=False, indent=2).encode(),
        "tabs": json.dumps(e, ensure_ascii=False, indent="\t").encode(),
        "crlf": text.replace(b"\n", b"\r\n"),
        "cr": text.replace(b"\n", b"\r"),
        "ascii_escapes": json.dumps(e, indent=4).encode(),
        "uppercase_escapes": json.dumps(e, indent=4).encode().replace(b"\\u00c5", b"\\u00C5"),
        "escaped_letter": plain.replace(b'"actor": "A', b'"actor": "\\u0041', 1),
        "escaped_name": plain.replace(b'"actor"', b'"\\u0061ctor"', 1),
        "escaped_slash": text.replace(b"a/b", b"a\\/b"),
        "trailing_newline": text + b"\n",
        "trailing_spaces": text + b"   ",
        "leading_newline": b"\n" + text,
        "space_before_colon": plain.replace(b'"action":', b'"action" :', 1),
        "space_in_the_last_entry": plain[::-1].replace(b" :", b"  :", 1)[::-1],
        "blank_line_between": plain.replace(b"    },\n    {", b"    },\n\n    {", 1),
        "comma_on_its_own_line": plain.replace(b"    },\n    {", b"    }\n    ,\n    {", 1),
        "order_of_members": dump([e[0], dict(reversed(e[1].items())), *e[2:]]),
        "order_in_the_last": dump([*e[:4], dict(reversed(e[4].items()))]),
        "spread_metadata": plain.replace(b'"metadata": {}', b'"metadata": {\n        }', 1),
    }
    for name, data in variants.items():
        info(
            corpus,
            f"22_{name}",
            f"the same entries in another layout ({name})",
            "the content and the HMACs are the same; only the bytes are not the reference ones",
            data,
            e if b"\xc3\x85" in data else chain(),
            near_what="the same entries in the reference layout",
        )
    for name, extra in (("before", {"version": 2, "entries": e}), ("behind", {"entries": e, "note": "x"})):
        info(
            corpus,
            f"22_entries_form_member_{name}",
            f"the object form has another member {name} `entries`",
            "unknown members are kept",
            dump(extra),
            dump({"entries": e}),
            near_what="the object form alone",
            absent=[],
            entries=5,
        )


def near_the_reference(corpus: Corpus) -> None:
    tricky = {
        "short": '\\ " / \u007f',
        "separators": "\u2028\u2029",
        "braces": "} , { ] [ }, {",
        "numbers": [0, -1, 2**53 - 1, 1.5, -0.5, 1e22, 1e-7, True, None],
        "empty": [{}, [], "", {"": {}}],
    }
    good = edited(5, 2, metadata=tricky)
    data = dump(good)
    info(
        corpus,
        "22_escaped_separator",
        "U+2028 is written as an escape where the reference writes it raw",
        "a serialiser made for scripts does this",
        data.replace("\u2028".encode(), b"\\u2028"),
        good,
        near_what="the characters that serialisers disagree on, all as the reference writes them",
    )
    info(
        corpus,
        "22_number_spelling",
        "a metadata number is spelled in another way: 1.50 for 1.5",
        "the value is the same, the bytes are not",
        data.replace(b"            1.5,", b"            1.50,").replace(b"1.5,", b"1.50,"),
        good,
    )
    controls = edited(5, 2, metadata={"all": "".join(map(chr, range(32)))})
    info(
        corpus,
        "22_control_escape_spelling",
        "a tab is written as \\u0009 where the reference writes \\t",
        "the short escapes are part of the reference",
        dump(controls).replace(b"\\t", b"\\u0009"),
        controls,
        near_what="all control characters, escaped as the reference does",
    )


SEPARATOR = "\n    },\n    {\n"


def separators(corpus: Corpus) -> None:
    e = edited(5, 2, resigned=True, action="gate" + SEPARATOR + "pass", metadata={SEPARATOR: [SEPARATOR * 3]})
    corpus.add(
        "22_separator_in_strings",
        "texts of one entry hold the very characters that stand between entries, escaped",
        "a reader that cuts the file by that pattern must not be fooled",
        e,
        codes=[],
        errors_exactly=[],
        first_bad=None,
        entries=5,
        exit=0,
    )
    bad = [dict(entry) for entry in e]
    bad[3]["action"] = "gate_skip"
    corpus.add(
        "01_behind_separator_in_strings",
        "a covered field is edited in the entry behind one whose texts hold the separator of entries",
        "a reader that cuts wrongly counts wrongly",
        bad,
        e,
        codes=["HMAC_MISMATCH"],
        errors_exactly=["HMAC_MISMATCH"],
        at={"HMAC_MISMATCH": [3]},
        first_bad=3,
        entries=5,
    )


def as_nested_lines(entries: list[Entry]) -> str:
    """The entries as they would stand between the brackets of the file, at the file's own indentation."""
    return dump(entries).decode()[2:-2]


def nested_look(corpus: Corpus) -> None:
    """Objects nested in metadata, laid out as if they were entries of the file."""
    e = chain()
    inner = chain(3, last=None)
    look = '"metadata": {"held": [\n' + as_nested_lines(inner) + "\n]}"
    info(
        corpus,
        "22_nested_as_entries",
        "metadata of entry 2 holds a list of objects that are laid out exactly as entries of the file",
        "a reader that cuts at line patterns would count eight entries; there are five",
        with_text(e, 2, '"metadata": {}', look),
        entries=5,
    )
    forged = sign([dict(entry, actor="AGENT_7_QA", metadata=metadata(0)) for entry in chain(3)])
    hidden = '"metadata": {"held": [\n' + as_nested_lines(forged) + "\n]}"
    info(
        corpus,
        "22_nested_in_the_last",
        "the last entry's metadata is the list, so the line pattern also stands before the end",
        "the head of the chain is entry 2, not an object inside it",
        with_text(chain(3), 2, '"metadata": {}', hidden),
        chain(3),
        entries=3,
    )
    start, _ = span(e, 3)
    data = dump(e)
    corpus.add(
        "09_second_half_nested",
        "two brackets make the second half of the file one list inside the list; the lines stay as they were",
        "by its lines the file is unchanged; by JSON the last element is a list",
        data[:start] + b"[" + data[start:-2] + b"]\n]",
        codes=["FIELD_TYPE"],
        errors_within=["FIELD_TYPE", "CHAIN_LINK_BROKEN"],
        first_bad=3,
        entries=4,
    )
    swallowed = with_text(
        e, 2, '"metadata": {}', '"metadata": {"rest": [{\n    },\n    {\n    },\n    {\n    }]}'
    )
    info(
        corpus,
        "22_bare_pattern_in_metadata",
        "metadata holds empty objects whose lines are the bare separator of entries",
        "the pieces between two patterns are empty, and are not entries",
        swallowed,
        entries=5,
    )
