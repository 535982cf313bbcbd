"""Row 29, the forms of timestamps (row 4), and row 45: time, and texts that attack the screen."""

from __future__ import annotations

from typing import Any

from .cases import Corpus
from .chain import Entry, chain, dump, edited, sign


def add_to(corpus: Corpus) -> None:
    formats(corpus)
    order(corpus)
    controls(corpus)


def at(times: dict[int, str], count: int = 5) -> list[Entry]:
    entries = chain(count)
    for index, ts in times.items():
        entries[index]["ts"] = ts
    return sign(entries)


def formats(corpus: Corpus) -> None:
    good = at({2: "2025-03-01T11:14:00.123456+02:00", 3: "2025-03-01T09:51:00-00:00"})
    wrong = {
        "no_offset": "2025-03-01T09:14:00",
        "no_seconds": "2025-03-01T09:14Z",
        "date_only": "2025-03-01",
        "offset_without_colon": "2025-03-01T09:14:00+0000",
        "basic_format": "20250301T091400Z",
        "week_date": "2025-W09-6T09:14:00Z",
        "ordinal_date": "2025-060T09:14:00Z",
        "unix_seconds": "1740820440",
        "month_13": "2025-13-01T09:14:00Z",
        "february_30": "2025-02-30T09:14:00Z",
        "february_29_of_2025": "2025-02-29T09:14:00Z",
        "day_0": "2025-03-00T09:14:00Z",
        "hour_24": "2025-03-01T24:00:00Z",
        "minute_60": "2025-03-01T09:60:00Z",
        "second_61": "2025-03-01T09:14:61Z",
        "offset_24": "2025-03-01T09:14:00+24:00",
        "offset_minute_60": "2025-03-01T09:14:00+01:60",
        "empty_fraction": "2025-03-01T09:14:00.Z",
        "comma_fraction": "2025-03-01T09:14:00,5Z",
        "one_digit_month": "2025-3-01T09:14:00Z",
        "fullwidth_digits": "２０２５-03-01T09:14:00Z",
        "arabic_digits": "٢٠٢٥-03-01T09:14:00Z",
        "trailing_newline": "2025-03-01T09:14:00Z\n",
        "trailing_space": "2025-03-01T09:14:00Z ",
        "leading_space": " 2025-03-01T09:14:00Z",
        "two_zones": "2025-03-01T09:14:00Z+00:00",
        "empty": "",
        "words": "Sat, 01 Mar 2025 09:14:00 GMT",
        "minus_sign": "2025−03−01T09:14:00Z",
        "five_digit_year": "12025-03-01T09:14:00Z",
    }
    for name, ts in wrong.items():
        corpus.add(
            f"04_ts_{name}",
            f"`ts` of the middle entry is no RFC 3339 time ({name.replace('_', ' ')}), and is signed so",
            "lenient readers of dates take it, each one for another time",
            at({2: ts}),
            good,
            near_what="times with a fraction, with an offset and with -00:00",
            codes=["FIELD_FORMAT"],
            errors_exactly=["FIELD_FORMAT"],
            at={"FIELD_FORMAT": [2]},
            first_bad=2,
        )
    leap = [dict(entry, ts=entry["ts"].replace("2025-03-01", "2024-02-29")) for entry in chain()]
    corpus.add(
        "04_ts_february_29_of_2023",
        "every entry is of 29 February 2023, a day that did not exist",
        "the form is right, the date is not",
        sign([dict(entry, ts=entry["ts"].replace("2025-03-01", "2023-02-29")) for entry in chain()]),
        sign(leap),
        near_what="29 February 2024",
        codes=["FIELD_FORMAT"],
        errors_exactly=["FIELD_FORMAT"],
        at={"FIELD_FORMAT": [0, 1, 2, 3, 4]},
        first_bad=0,
    )


def order(corpus: Corpus) -> None:
    quiet: dict[str, Any] = {"errors_exactly": [], "first_bad": None, "exit": 0}
    back: dict[str, tuple[dict[int, str], list[int]]] = {
        "middle": ({2: "2025-02-28T00:00:00Z"}, [2]),
        "last": ({4: "2025-03-01T10:27:59Z", 3: "2025-03-01T10:28:00Z"}, [4]),
        "by_a_fraction": ({1: "2025-03-01T08:37:00.9Z", 2: "2025-03-01T08:37:00.10Z"}, [2]),
        "hidden_by_an_offset": ({1: "2025-03-01T08:37:00Z", 2: "2025-03-01T10:00:00+02:00"}, [2]),
    }
    forward = at(
        {
            1: "2025-03-01T11:00:00+02:00",
            2: "2025-03-01T10:00:00Z",
            3: "2025-03-01T10:00:00.000Z",
            4: "2025-03-01T09:00:00.000001-01:00",
        }
    )
    for name, (times, indexes) in back.items():
        corpus.add(
            f"29_back_{name}",
            f"one entry is older than the one before it ({name.replace('_', ' ')})",
            "a clock was set back, or an entry was written later than it says",
            at(times),
            forward,
            near_what="times that go back as texts only: offsets, equal times, fractions",
            codes=["TIME_REGRESSION"],
            at={"TIME_REGRESSION": indexes},
            **quiet,
        )
    corpus.add(
        "29_back_strict",
        "the same under --strict",
        "a warning is a failure of the policy there",
        at(back["middle"][0]),
        codes=["TIME_REGRESSION"],
        args=["--strict"],
        near_args=[],
        near_what="an honest chain, without --strict: with it, completeness would be missed",
        **(quiet | {"exit": 4}),
    )
    for name, ts in {
        "far": "2999-01-01T00:00:00Z",
        "end_of_time": "9999-12-31T23:59:59-14:00",
        "with_fraction": "9999-12-31T23:59:59.999999999Z",
    }.items():
        corpus.add(
            f"29_future_{name}",
            f"the last entry is of the time {ts}",
            "an entry cannot be of a time to come; some of these are beyond what programs can count",
            at({4: ts}),
            at({4: "2025-12-31T23:59:59.999999999Z"}),
            near_what="a time in the past with as many digits",
            codes=["FUTURE_TIME"],
            at={"FUTURE_TIME": [4]},
            **quiet,
        )
    corpus.add(
        "29_before_all_time",
        "entry 0 is of the first day of the year 1, in a zone east of Greenwich",
        "converted to UTC it lies before the first date that programs can count",
        at({0: "0001-01-01T00:00:00+14:00"}),
        at({0: "0001-01-02T00:00:00Z"}),
        near_what="one day later, in UTC",
        codes=[],
        errors_within=["FIELD_FORMAT"],
        exit=[0, 1],
    )


def controls(corpus: Corpus) -> None:
    quiet: dict[str, Any] = {
        "codes": ["CONTROL_CHARS"],
        "errors_exactly": [],
        "at": {"CONTROL_CHARS": [2]},
        "first_bad": None,
        "exit": 0,
    }
    fine = edited(
        5, 2, resigned=True, action="שלום_سلام_नमस्ते", metadata={"emoji": "👩\u200d💻", "nbsp": "a\u00a0b"}
    )
    texts = {
        "clear_screen": "\x1b[2J\x1b[H",
        "set_title": "\x1b]0;all good\x07",
        "hyperlink": "\x1b]8;;https://example.org\x1b\\",
        "carriage_return": "gate_fail\rgate_pass",
        "backspace": "fail\b\b\b\bpass",
        "newline": "ok\n[verified]",
        "tab": "a\tb",
        "nul": "a\0b",
        "del": "a\x7fb",
        "c1_csi": "\x9b2J",
        "c1_next_line": "a\x85b",
        "rtl_override": "\u202egnitset",
        "isolate": "\u2067evil\u2069",
        "embedding": "\u202aevil\u202c",
        "lrm": "a\u200eb",
        "rlm": "a\u200fb",
        "arabic_letter_mark": "a\u061cb",
    }
    members = ("actor", "action", "metadata", "name", "unknown", "cp_to")
    for number, (name, text) in enumerate(texts.items()):
        member = members[number % len(members)]
        changes: dict[str, Any] = {
            "metadata": {"metadata": {"deep": [{"note": text}]}},
            "name": {"metadata": {text: 1}},
            "unknown": {"metadata": {}, "x\u200b": [text]},
        }.get(member, {member: "z" + text})
        corpus.add(
            f"45_{name}_in_{member}",
            f"a text of entry 2 acts on a screen: {name.replace('_', ' ')}, in {member}",
            "printed as they are, they show something else than what was signed",
            edited(5, 2, resigned=True, **changes),
            fine,
            near_what="letters of scripts from right to left, a joined emoji and a no-break space",
            **quiet,
        )
    corpus.add(
        "45_in_every_entry",
        "every actor begins with an escape sequence, written raw where JSON allows it",
        "a list of entries would be taken over by the first one",
        sign([dict(entry, actor="\x9b31m\u202e" + entry["actor"]) for entry in chain()]),
        fine,
        near_what="letters of scripts from right to left",
        **(quiet | {"at": {"CONTROL_CHARS": [0, 1, 2, 3, 4]}}),
    )
    tampered = edited(5, 2, actor="\x1b[8mAGENT", action="\u202egate")
    corpus.add(
        "45_in_a_bad_entry",
        "the covered fields of entry 2 are replaced by texts with escape sequences",
        "the report has to show them, but not to print them",
        tampered,
        codes=["CONTROL_CHARS", "HMAC_MISMATCH"],
        errors_exactly=["HMAC_MISMATCH"],
        at={"CONTROL_CHARS": [2], "HMAC_MISMATCH": [2]},
        first_bad=2,
        near_what="an honest chain",
    )
    dump(fine)
