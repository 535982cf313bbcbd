"""Row 38: input made to exhaust the reader."""

from __future__ import annotations

from typing import Any

from .cases import Corpus
from .chain import Entry, chain, dump, edited, sha256, sign, span, with_text

MIB = 1024 * 1024


def add_to(corpus: Corpus) -> None:
    depth(corpus)
    digits(corpus)
    size(corpus)


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def depth(corpus: Corpus) -> None:
    e = chain()

    def deep(levels: int, before: str = "") -> bytes:
        return with_text(e, 2, '"metadata": {}', f'"metadata": {{{before}"x": {nested(levels)}}}')

    # The file's array, the entry and its metadata are three levels already.
    fits = deep(61, '"t": "' + "[" * 500 + '\\"' + "{" * 500 + '", ')
    one: dict[str, Any] = {
        "codes": ["LIMIT_EXCEEDED"],
        "near_what": "exactly 64 levels, and many more brackets inside a text",
        "absent": ["LIMIT_EXCEEDED"],
    }
    for name, data in {
        "65": deep(62),
        "65_behind_backslashes": deep(62, '"t": "\\\\", "u": "\\\\\\"", '),
        "1000": deep(1000),
        "20000": deep(20000),
    }.items():
        corpus.add(
            f"38_depth_{name}",
            f"metadata is nested so that the file is {name.split('_')[0]} or more levels deep ({name})",
            "a recursive reader runs out of stack; a wrong count of quotes would hide the brackets",
            data,
            fits,
            errors_exactly=["LIMIT_EXCEEDED"],
            at={"LIMIT_EXCEEDED": [2]},
            first_bad=2,
            **one,
        )
    corpus.add(
        "38_depth_objects",
        "objects instead of lists are nested 200 levels deep in an unknown member",
        "both kinds of brackets count",
        with_text(e, 2, '"metadata": {}', '"metadata": {},\n        "x": ' + '{"a":' * 200 + "1" + "}" * 200),
        fits,
        errors_exactly=["LIMIT_EXCEEDED"],
        first_bad=2,
        **one,
    )
    for name, data in {
        "open_lists": b"[" * 40_000,
        "open_objects": b'{"a":' * 9_000,
        "closed_lists": b"[" * 20_000 + b"]" * 20_000,
    }.items():
        corpus.add(
            f"38_only_{name}",
            f"the file is nothing but brackets ({name})",
            "the shortest way to a crash of a recursive reader",
            data,
            fits,
            errors_any_of=["LIMIT_EXCEEDED", "TORN_FILE"] if "open" in name else ["LIMIT_EXCEEDED"],
            errors_within=["LIMIT_EXCEEDED", "TORN_FILE", "SHAPE", "FIELD_TYPE"],
            **(one | {"codes": [], "exit": 1}),
        )


def digits(corpus: Corpus) -> None:
    e = chain()
    more: dict[str, Any] = {"codes": ["LIMIT_EXCEEDED"], "near_what": "5000 digits in a text"}
    near = edited(5, 2, metadata={"n": "7" * 5000})
    for name, token in (("5000_digits", "7" * 5000), ("minus_5000_digits", "-" + "7" * 5000)):
        corpus.add(
            f"38_{name}",
            f"a metadata integer has 5000 digits ({name})",
            "reading it takes quadratic time, or raises an error that nobody catches",
            with_text(e, 2, '"metadata": {}', f'"metadata": {{"n": {token}}}'),
            near,
            errors_within=["LIMIT_EXCEEDED", "CANON_UNREPRESENTABLE"],
            first_bad=2,
            **more,
        )
    corpus.add(
        "38_5000_digits_behind_the_point",
        "a metadata number has 5000 digits behind its point",
        "it is a number all programs round alike; to refuse it as too long is right too, to crash is not",
        with_text(e, 2, '"metadata": {}', '"metadata": {"n": 0.' + "7" * 5000 + "}"),
        near,
        codes=[],
        errors_within=["LIMIT_EXCEEDED"],
        exit=[0, 1],
        near_what="5000 digits in a text",
    )
    corpus.add(
        "38_exponent_of_5000_digits",
        "the exponent of a metadata number has 5000 digits",
        "the number is infinite, and its exponent alone is a large integer",
        with_text(e, 2, '"metadata": {}', '"metadata": {"n": 1e' + "7" * 5000 + "}"),
        near,
        codes=[],
        errors_any_of=["LIMIT_EXCEEDED", "CANON_UNREPRESENTABLE"],
        exit=1,
        first_bad=2,
        near_what="5000 digits in a text",
    )


def of_size(size: int, index: int) -> list[Entry]:
    """A chain of five whose entry `index` takes exactly `size` bytes in the file, from `{` to `}`."""
    entries = edited(5, index, metadata={"pad": ""})
    start, end = span(entries, index)
    entries[index]["metadata"]["pad"] = "x" * (size - (end - start))
    return entries


def size(corpus: Corpus) -> None:
    for name, index in (("first", 0), ("middle", 2), ("last", 4)):
        corpus.add(
            f"38_entry_over_1_mib_{name}",
            f"the {name} entry is one byte larger than 1 MiB",
            "one entry must not take all memory",
            of_size(MIB + 1, index),
            of_size(MIB, index),
            near_what="an entry of exactly 1 MiB",
            codes=["LIMIT_EXCEEDED"],
            errors_within=["LIMIT_EXCEEDED", "CHAIN_LINK_BROKEN"],
            at={"LIMIT_EXCEEDED": [index]},
            first_bad=index,
        )
    wide = sign([dict(chain()[0], actor="A" * (2 * MIB), state_checksum=sha256("wide"))])
    corpus.add(
        "38_actor_of_2_mib",
        "the actor of the only entry is a text of 2 MiB, rightly signed",
        "covered members are bounded as the rest",
        wide,
        codes=["LIMIT_EXCEEDED"],
        errors_within=["LIMIT_EXCEEDED"],
        first_bad=0,
        near_what="an honest chain",
    )
    corpus.add(
        "38_huge_file",
        "the file is one byte larger than 1 GiB; nearly all of it is a hole",
        "it must be refused by its size, before it is read",
        None,
        chain(),
        near_what="an honest chain",
        codes=["LIMIT_EXCEEDED"],
        dynamic="huge_file",
    )
    corpus.add(
        "38_megabytes_of_spaces",
        "three megabytes of spaces stand between two entries",
        "it is valid JSON and no entry is large: no error, and no crash",
        dump(chain()).replace(b"    },\n    {", b"    }," + b" " * (3 * MIB) + b"{", 1),
        codes=["FORMAT_NONCANONICAL"],
        errors_exactly=[],
        first_bad=None,
        entries=5,
        exit=0,
    )
    corpus.add(
        "38_many_small_lists",
        "the file is a list of ten thousand empty lists",
        "each one is no entry; the report must not explode, nor hide how many there are",
        b"[" + b"[]," * 9_999 + b"[]]",
        codes=["FIELD_TYPE"],
        errors_exactly=["FIELD_TYPE"],
        first_bad=0,
        entries=10_000,
        near_what="an honest chain",
    )
