"""Row 25: numbers that programs do not agree on."""

from __future__ import annotations

from typing import Any

from .cases import Corpus
from .chain import chain, edited, with_text

GOOD = {
    "a": 2**53 - 1,
    "b": -(2**53) + 1,
    "c": 1.5,
    "d": 1e300,
    "e": "9007199254740993",
    "f": "NaN",
    "g": "1E400",
}


def add_to(corpus: Corpus) -> None:
    e = chain()
    more: dict[str, Any] = {
        "codes": ["CANON_UNREPRESENTABLE"],
        "errors_exactly": ["CANON_UNREPRESENTABLE"],
        "near_what": "the largest numbers all programs agree on, and the others as text",
    }
    good = edited(5, 2, metadata=GOOD)
    tokens = {
        "2_to_53": "9007199254740992",
        "2_to_53_plus_1": "9007199254740993",
        "minus_2_to_53": "-9007199254740992",
        "2_to_63": "9223372036854775808",
        "2_to_64": "18446744073709551616",
        "400_digits": "7" * 400,
        "nan": "NaN",
        "infinity": "Infinity",
        "minus_infinity": "-Infinity",
        "1e400": "1E400",
        "minus_1e400": "-1e400",
        "digits_to_infinity": "1" + "0" * 309 + ".0",
    }
    for name, token in tokens.items():
        corpus.add(
            f"25_{name}",
            f"a metadata number is {token if len(token) < 30 else name}",
            "readers round it, refuse it or make it infinite: they no longer hold the same document",
            with_text(e, 2, '"metadata": {}', f'"metadata": {{\n            "n": {token}\n        }}'),
            good,
            at={"CANON_UNREPRESENTABLE": [2]},
            first_bad=2,
            **more,
        )
    corpus.add(
        "25_nested",
        "such a number stands deep in a list of the last entry",
        "a check of the first level only would miss it",
        with_text(e, 0, '"README.md"', '{"x": [[9007199254740993]]}'),
        good,
        at={"CANON_UNREPRESENTABLE": [0]},
        first_bad=0,
        **more,
    )
    corpus.add(
        "25_unknown_member",
        "an unknown member of an entry is NaN",
        "unknown members are kept, and so have to be representable",
        with_text(e, 2, '"metadata": {}', '"metadata": {},\n        "score": NaN'),
        good,
        at={"CANON_UNREPRESENTABLE": [2]},
        first_bad=2,
        **more,
    )
    corpus.add(
        "25_covered_nan",
        "the actor of an entry is the token NaN",
        "it is neither a text nor JSON",
        with_text(e, 2, f'"{e[2]["actor"]}"', "NaN"),
        good,
        errors_any_of=["CANON_UNREPRESENTABLE", "FIELD_TYPE"],
        errors_within=["CANON_UNREPRESENTABLE", "FIELD_TYPE", "HMAC_MISMATCH"],
        first_bad=2,
        exit=1,
    )
    harmless: dict[str, tuple[str, list[str]]] = {
        "minus_zero": ("-0", ["FORMAT_NONCANONICAL"]),
        "minus_zero_float": ("-0.0", []),
        "exponent": ("1E2", ["FORMAT_NONCANONICAL"]),
        "long_fraction": ("0." + "1" * 300, ["FORMAT_NONCANONICAL"]),
    }
    for name, (token, codes) in harmless.items():
        corpus.add(
            f"25_harmless_{name}",
            f"a metadata number is spelled in an unusual way ({name})",
            "all programs read the same number; at most the spelling is noted",
            with_text(e, 2, '"metadata": {}', f'"metadata": {{\n            "n": {token}\n        }}'),
            good,
            codes=codes,
            errors_exactly=[],
            first_bad=None,
            exit=0,
        )
    corpus.add(
        "25_float_to_int",
        "a metadata number 1.0 is changed to 1",
        "canonical JSON gives the same bytes for both: no check can tell, and the report says so",
        edited(5, 2, metadata={"n": 1}),
        edited(5, 2, metadata={"n": 1.0}),
        near_what="the number as it was, 1.0",
        codes=["NOT_PROVABLE", "UNCOVERED_FIELD"],
        errors_exactly=[],
        first_bad=None,
        exit=0,
    )
