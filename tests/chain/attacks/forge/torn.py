"""Row 39: writes that were cut, overwritten, doubled or damaged."""

from __future__ import annotations

from typing import Any

from .cases import Corpus
from .chain import chain, dump, edited, span


def add_to(corpus: Corpus) -> None:
    cut_short(corpus)
    too_long(corpus)
    damaged(corpus)


def torn(
    corpus: Corpus, slug: str, what: str, why: str, data: bytes, near: Any = "honest", **more: Any
) -> None:
    expect: dict[str, Any] = {"codes": ["TORN_FILE"], "exit": 1}
    corpus.add(slug, what, why, data, near, **(expect | more))


def cut_short(corpus: Corpus) -> None:
    e = edited(5, 3, metadata={"note": 'ü\\"\u0001 end', "n": 12.5, "t": True})
    text = dump(e)
    start, end = span(e, 3)

    def inside(piece: bytes, offset: int) -> int:
        return text.index(piece, start) + offset

    places: dict[str, int] = {
        "after_the_bracket": 1,
        "after_the_brace": start + 1,
        "in_a_name": inside(b'"actor"', 3),
        "after_a_name": inside(b'"actor"', 7),
        "after_a_colon": inside(b'"actor":', 8),
        "in_a_text": inside(b'"actor": "', 14),
        "after_a_backslash": inside(b"\\\\", 1),
        "in_a_unicode_escape": inside(b"\\u0001", 4),
        "in_a_number": inside(b"12.5", 3),
        "in_a_word": inside(b"true", 2),
        "after_a_comma": inside(b'",', 2),
        "in_the_hmac": inside(b'"hmac": "', 40),
        "before_the_brace": end - 1,
        "after_the_entry": end,
        "after_its_comma": end + 1,
        "before_the_end": len(text) - 1,
        "before_the_last_line": len(text) - 2,
    }
    for name, place in places.items():
        torn(
            corpus,
            f"39_cut_{name}",
            f"the file ends early: {name.replace('_', ' ')}",
            "the machine stopped while the file was written in place",
            text[:place],
            e,
            errors_exactly=["TORN_FILE"],
            near_what="the whole file",
        )
    torn(
        corpus,
        "39_cut_in_a_character",
        "the file ends in the middle of a character of two bytes",
        "what is left is neither complete JSON nor complete UTF-8",
        text[: inside("ü".encode(), 1)],
        e,
        near_what="the whole file",
        codes=[],
        errors_any_of=["TORN_FILE", "ENCODING"],
        absent=["TORN_FILE"],
    )


def too_long(corpus: Corpus) -> None:
    text = dump(chain())
    tails: dict[str, bytes] = {
        "letter": b"x",
        "nul": b"\0",
        "nul_page": b"\0" * 4096,
        "bracket": b"]",
        "comma": b",",
        "empty_list": b"\n[]",
        "second_list": b"\n" + text,
        "rest_of_a_longer_file": text[-90:],
        "no_break_space": "\u00a0".encode(),
        "vertical_tab": b"\x0b",
        "comment": b"\n// end",
        "ctrl_z": b"\x1a",
    }
    for name, tail in tails.items():
        torn(
            corpus,
            f"39_tail_{name}",
            f"the file goes on after its end ({name.replace('_', ' ')})",
            "a shorter text was written over a longer one, or two writers wrote one file",
            text + tail,
            text + b"\n",
            near_what="only a line end follows",
            errors_exactly=["TORN_FILE"],
        )
    torn(
        corpus,
        "39_head_garbage",
        "bytes stand before the first bracket",
        "a log line was written into the file",
        b"INFO " + text,
        errors_exactly=["TORN_FILE"],
    )
    torn(
        corpus, "39_head_nul", "one NUL byte stands before the first bracket", "a sparse write", b"\0" + text
    )


def damaged(corpus: Corpus) -> None:
    e = chain(7)
    text = dump(e)
    start, end = span(e, 3)
    entry = text[start:end]
    broken: dict[str, bytes] = {
        "no_quote": entry.replace(b'"action": "', b'"action": ', 1),
        "no_colon": entry.replace(b'"action":', b'"action"', 1),
        "no_comma": entry.replace(b'",\n', b'"\n', 1),
        "comma_before_brace": entry.replace(b"\n    }", b",\n    }"),
        "bad_escape": entry.replace(b"AGENT", b"AGEN\\x54", 1),
        "raw_newline": entry.replace(b"AGENT", b"AGENT\n", 1),
        "raw_tab": entry.replace(b"AGENT", b"AGENT\t", 1),
        "raw_nul": entry.replace(b"AGENT", b"AGENT\0", 1),
        "page_of_nul": entry[:60] + b"\0" * 120 + entry[180:],
        "single_quotes": entry.replace(b'"', b"'"),
        "comment": entry.replace(b'"action"', b'/* x */ "action"', 1),
        "name_without_quotes": entry.replace(b'"action"', b"action", 1),
        "python_words": entry.replace(b"true", b"True").replace(b"null", b"None"),
        "leading_zero": entry.replace(b'"metadata": {', b'"x": 012,\n        "metadata": {', 1),
        "plus_sign": entry.replace(b'"metadata": {', b'"x": +1,\n        "metadata": {', 1),
        "bare_point": entry.replace(b'"metadata": {', b'"x": .5,\n        "metadata": {', 1),
        "point_at_the_end": entry.replace(b'"metadata": {', b'"x": 1.,\n        "metadata": {', 1),
        "hexadecimal_number": entry.replace(b'"metadata": {', b'"x": 0x10,\n        "metadata": {', 1),
        "underscore_number": entry.replace(b'"metadata": {', b'"x": 1_0,\n        "metadata": {', 1),
        "merge_conflict": b"<<<<<<< HEAD\n" + entry + b"\n=======",
    }
    for name, bad in broken.items():
        if bad == entry:
            raise ValueError(f"{name} changes nothing")
        torn(
            corpus,
            f"39_inside_{name}",
            f"entry 3 is no JSON any more ({name.replace('_', ' ')}); the entries around it are whole",
            "a bad block, or an edit by hand",
            text[:start] + bad + text[end:],
            e,
            near_what="the whole file",
            errors_within=["TORN_FILE", "CHAIN_LINK_BROKEN"],
        )
    tampered = [dict(item) for item in e]
    tampered[5]["action"] = "gate_skip"
    data = dump(tampered)
    corpus.add(
        "39_inside_and_a_later_edit",
        "entry 3 is no JSON any more, and entry 5 has an edited covered field",
        "the damage must not hide what stands behind it: the layout tells where the next entry begins",
        data[:start] + broken["no_quote"] + data[end:],
        e,
        near_what="the whole file",
        codes=["TORN_FILE", "HMAC_MISMATCH"],
        errors_within=["TORN_FILE", "HMAC_MISMATCH", "CHAIN_LINK_BROKEN"],
        at={"HMAC_MISMATCH": [5]},
    )
    between = text.replace(b"    },\n    {", b"    }\n    {", 1)
    for name, bad in {
        "no_comma_between": between,
        "two_commas_between": text.replace(b"    },\n    {", b"    },,\n    {", 1),
        "comma_at_the_end": text[:-2] + b",\n]",
        "comma_at_the_beginning": b"[," + text[1:],
        "brace_for_bracket": text[:-1] + b"}",
        "letter_between": text.replace(b"    },\n    {", b"    },\nx   {", 1),
        "comment_between": text.replace(b"    },\n    {", b"    },\n    // next\n    {", 1),
        "nul_between": text.replace(b"    },\n    {", b"    },\0   {", 1),
    }.items():
        torn(
            corpus,
            f"39_{name}",
            f"the entries are whole, what stands between or around them is not ({name.replace('_', ' ')})",
            "a reader that looks for entries, not for a list of them, sees nothing",
            bad,
            e,
            near_what="the whole file",
            errors_within=["TORN_FILE", "CHAIN_LINK_BROKEN", "FIELD_TYPE"],
        )
