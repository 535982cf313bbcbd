"""Rows 20, 21, 23 and 24: one text that two readers read differently, or that one of them cannot read."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from .cases import Corpus
from .chain import Entry, chain, dump, edited, sign, with_text


def add_to(corpus: Corpus) -> None:
    duplicates(corpus)
    lookalikes(corpus)
    encodings(corpus)
    surrogates(corpus)


def duplicates(corpus: Corpus) -> None:
    e = chain()
    for name, index in (("first", 0), ("middle", 2), ("last", 4)):
        actor = e[index]["actor"]
        for order, first, second in (("evil_first", "AGENT_X", actor), ("evil_last", actor, "AGENT_X")):
            corpus.add(
                f"20_actor_{name}_{order}",
                f"`actor` stands twice in the {name} entry, with two values ({order})",
                "one reader takes the first, another the last: they verify and show different things",
                with_text(
                    e, index, f'"actor": "{actor}"', f'"actor": "{first}",\n        "actor": "{second}"'
                ),
                codes=["DUPLICATE_KEY"],
                errors_within=["DUPLICATE_KEY", "HMAC_MISMATCH"],
                at={"DUPLICATE_KEY": [index]},
                first_bad=index,
                entries=5,
            )
    same = e[2]["action"]
    pieces: dict[str, tuple[str, str]] = {
        "same_value": (f'"action": "{same}"', f'"action": "{same}",\n        "action": "{same}"'),
        "escaped_name": (f'"action": "{same}"', f'"\\u0061ction": "gate_skip",\n        "action": "{same}"'),
        "hmac": (f'"hmac": "{e[2]["hmac"]}"', f'"hmac": "{e[0]["hmac"]}",\n        "hmac": "{e[2]["hmac"]}"'),
        "cp_to": ('"cp_to": "CP1-LC"', '"cp_to": "CP1-LC",\n        "cp_to": "CP2-LC"'),
        "metadata": ('"metadata": {}', '"metadata": {"approved": true},\n        "metadata": {}'),
        "inside_metadata": (
            '"metadata": {}',
            '"metadata": {\n            "a": 1,\n            "a": 2\n        }',
        ),
        "deep_inside": ('"metadata": {}', '"metadata": {"x": [{"y": {"z": 1, "z": 1}}]}'),
        "unknown_member": ('"metadata": {}', '"metadata": {},\n        "x": 1,\n        "x": 2'),
    }
    for name, (old, new) in pieces.items():
        corpus.add(
            f"20_{name}",
            f"a member name stands twice in one object of the middle entry ({name})",
            "an ordinary JSON reader keeps one of them and says nothing",
            with_text(e, 2, old, new),
            codes=["DUPLICATE_KEY"],
            errors_within=["DUPLICATE_KEY", "HMAC_MISMATCH", "CHAIN_LINK_BROKEN"]
            if name in ("escaped_name", "hmac")
            else ["DUPLICATE_KEY"],
            at={"DUPLICATE_KEY": [2]},
            first_bad=2,
        )
    whole = dump({"entries": e})
    corpus.add(
        "20_entries_twice",
        "the object form has `entries` twice: an empty one and the real one",
        "a reader of the first member sees an empty history",
        whole.replace(b'"entries": [', b'"entries": [],\n    "entries": [', 1),
        whole,
        near_what="the object form, once",
        codes=["DUPLICATE_KEY"],
    )
    twins = edited(5, 2, metadata={"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}], "A": 2, "": 3, " ": 4})
    corpus.add(
        "20_entries_twice_real_first",
        "the object form has `entries` twice: the real one, then another that leaves the last entry out",
        "a reader of the last member sees a shorter history",
        dump({"entries": e})[:-2] + b',\n    "entries": ' + dump(e[:4]) + b"\n}",
        twins,
        near_what="the same names in different objects, and names that differ in case",
        codes=["DUPLICATE_KEY"],
    )


def lookalikes(corpus: Corpus) -> None:
    composed = edited(5, 2, resigned=True, action="prüfung_bestanden")
    decomposed = [dict(entry) for entry in composed]
    decomposed[2]["action"] = unicodedata.normalize("NFD", composed[2]["action"])
    e = chain()
    swaps: dict[str, tuple[list[Entry], Any]] = {
        "cyrillic_a": (edited(5, 2, actor=e[2]["actor"].replace("A", "\u0410", 1)), e),
        "nfd": (decomposed, composed),
        "nfc": (composed_of(decomposed), sign([dict(entry) for entry in decomposed])),
        "fullwidth": (edited(5, 2, actor="\uff21" + e[2]["actor"][1:]), e),
        "zero_width": (edited(5, 2, actor=e[2]["actor"] + "\u200b"), e),
        "soft_hyphen": (edited(5, 2, action=e[2]["action"] + "\u00ad"), e),
        "trailing_space": (edited(5, 2, action=e[2]["action"] + " "), e),
        "case": (edited(5, 2, actor=e[2]["actor"].lower()), e),
    }
    for name, (bad, good) in swaps.items():
        corpus.add(
            f"21_{name}",
            f"a covered text is replaced by one that looks the same ({name})",
            "who normalises before the HMAC takes the wrong text for the right one",
            bad,
            good,
            near_what="the text as it was signed, also where it is not in a normal form",
            codes=["HMAC_MISMATCH"],
            errors_exactly=["HMAC_MISMATCH"],
            at={"HMAC_MISMATCH": [2]},
            first_bad=2,
        )


def composed_of(decomposed: list[Entry]) -> list[Entry]:
    """A chain signed over the decomposed text that then holds the composed one."""
    entries = sign([dict(entry) for entry in decomposed])
    entries[2]["action"] = unicodedata.normalize("NFC", entries[2]["action"])
    return entries


def encodings(corpus: Corpus) -> None:
    e = chain()
    text = dump(e)
    accents = edited(5, 2, resigned=True, actor="ÅGENT_ΩЖ漢😀", metadata={"ключ": "значение 😀"})
    more: dict[str, Any] = {
        "codes": ["ENCODING"],
        "near_what": "the same file with letters of many scripts as UTF-8",
    }
    corpus.add(
        "23_bom",
        "a UTF-8 byte order mark stands before the file",
        "editors add it; strict readers stop at it",
        b"\xef\xbb\xbf" + text,
        accents,
        errors_exactly=["ENCODING"],
        **more,
    )
    corpus.add(
        "23_bom_twice",
        "two byte order marks stand before the file",
        "a reader that takes one off meets the other",
        b"\xef\xbb\xbf\xef\xbb\xbf" + text,
        accents,
        **more,
    )
    for name, codec in (("utf16", "utf-16"), ("utf16le", "utf-16-le"), ("utf32", "utf-32")):
        corpus.add(
            f"23_{name}",
            f"the file is saved as {codec.upper()}",
            "JSON readers that guess the encoding accept it",
            text.decode().encode(codec),
            accents,
            **(
                more
                | {"codes": [], "errors_any_of": ["ENCODING", "TORN_FILE"], "exit": 1, "absent": ["ENCODING"]}
            ),
        )
    broken: dict[str, bytes] = {
        "stray_ff": b"\xff",
        "latin1": "ü".encode("latin-1"),
        "overlong_slash": b"\xc0\xaf",
        "overlong_nul": b"\xc0\x80",
        "surrogate_as_utf8": b"\xed\xa0\x80",
        "beyond_10ffff": b"\xf4\x90\x80\x80",
        "cut_short": b"\xe2\x82",
        "continuation_alone": b"\x80",
    }
    for name, piece in broken.items():
        corpus.add(
            f"24_metadata_{name}",
            f"a metadata text holds bytes that are no UTF-8 ({name})",
            "a decoder that replaces or ignores them changes the text silently",
            with_text(e, 0, '"entry 0"', b'"entry ' + piece + b'0"'),
            accents,
            at={"ENCODING": [0]},
            errors_exactly=["ENCODING"],
            first_bad=0,
            **more,
        )
    for name in ("stray_ff", "latin1", "surrogate_as_utf8"):
        corpus.add(
            f"24_actor_{name}",
            f"a covered text holds bytes that are no UTF-8 ({name})",
            "the covered bytes and the decoded text are not the same thing",
            with_text(e, 4, f'"{e[4]["actor"]}"', b'"' + e[4]["actor"].encode() + broken[name] + b'"'),
            accents,
            errors_within=["ENCODING", "HMAC_MISMATCH"],
            first_bad=4,
            **more,
        )
    corpus.add(
        "24_between_entries",
        "one byte that is no UTF-8 stands between two entries",
        "it is in no entry; skipping it would be a silent skip",
        text.replace(b"    },\n    {", b"    },\xa0\n    {", 1),
        accents,
        **(
            more
            | {"codes": [], "errors_any_of": ["ENCODING", "TORN_FILE"], "exit": 1, "absent": ["ENCODING"]}
        ),
    )


def surrogates(corpus: Corpus) -> None:
    e = chain()
    fine = with_text(
        e, 2, '"metadata": {}', '"metadata": {"emoji": "\\ud83d\\ude00", "text": "\\\\ud800 \\\\\\\\udc00"}'
    )
    lone: dict[str, str] = {
        "high": "\\ud800",
        "high_uppercase": "\\uD83D",
        "low": "\\udc00",
        "reversed_pair": "\\ude00\\ud83d",
        "high_then_letter": "\\ud83dx\\ude00",
        "high_twice": "\\ud83d\\ud83d\\ude00",
        "behind_a_backslash": "\\\\\\ud800",
    }
    more: dict[str, Any] = {
        "codes": ["ENCODING"],
        "near_what": "a proper pair, and the same letters behind an escaped backslash",
        "absent": ["ENCODING"],
        "first_bad": 2,
        "at": {"ENCODING": [2]},
    }
    why = "it has no UTF-8 form: readers crash, drop it or put something else in its place"
    for name, piece in lone.items():
        corpus.add(
            f"24_escaped_{name}",
            f"metadata holds an escaped lone surrogate ({name})",
            why,
            with_text(e, 2, '"metadata": {}', f'"metadata": {{"x": "{piece}"}}'),
            fine,
            errors_exactly=["ENCODING"],
            **more,
        )
    corpus.add(
        "24_escaped_in_a_name",
        "the name of a metadata member is a lone surrogate",
        why,
        with_text(e, 2, '"metadata": {}', '"metadata": {"\\udfff": 1}'),
        fine,
        errors_exactly=["ENCODING"],
        **more,
    )
    for member in ("actor", "action"):
        value = e[2][member]
        signed = edited(5, 2, resigned=True, **{member: value + "\ud800"})
        data = dump(signed).replace(b"\xed\xa0\x80", b"\\ud800")
        corpus.add(
            f"24_escaped_in_{member}",
            f"`{member}`, which is covered, ends in an escaped lone surrogate, signed with its raw bytes",
            why,
            data,
            fine,
            errors_within=["ENCODING", "HMAC_MISMATCH"],
            **more,
        )
    json.loads(fine)  # the near-miss is valid JSON
