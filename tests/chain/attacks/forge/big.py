"""The same attacks inside a large file: at its ends, and around the borders of blocks of 64 KiB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .cases import Corpus
from .chain import Entry, chain, dump, metadata, sha256, sign, span

COUNT = 420
BLOCK = 64 * 1024


def base() -> list[Entry]:
    entries = chain(COUNT)
    for index in range(0, COUNT, 3):
        entries[index]["metadata"] = metadata(index + 1) | {"n": index}
    return sign(entries)


def borders(entries: list[Entry]) -> list[int]:
    """First, second, last, and the entries on both sides of each multiple of 64 KiB."""
    places = {0, 1, len(entries) - 1}
    multiple = BLOCK
    for index in range(len(entries)):
        start, end = span_of[index]
        if start <= multiple < end:
            places |= {index - 1, index, index + 1}
            multiple += BLOCK
    return sorted(places)


span_of: dict[int, tuple[int, int]] = {}


def measure(entries: list[Entry]) -> None:
    """All spans in one pass; `span` alone would be quadratic."""
    offset = 2
    for index, entry in enumerate(entries):
        text = b"    " + dump(entry).replace(b"\n", b"\n    ")
        span_of[index] = (offset + 4, offset + len(text))
        offset += len(text) + 2
    if span_of[1] != span(entries, 1):
        raise ValueError("the two ways to measure an entry differ")


def add_to(corpus: Corpus) -> None:
    entries = base()
    measure(entries)
    places = borders(entries)
    data = dump(entries)
    textual(corpus, entries, data, places)
    structural(corpus, entries, data, places)
    large(corpus)


def patched(data: bytes, places: list[int], patch: Callable[[bytes], bytes]) -> bytes:
    """The file with `patch` applied to the bytes of each of the entries at `places`."""
    pieces: list[bytes] = []
    done = 0
    for index in places:
        start, end = span_of[index]
        changed = patch(data[start:end])
        if changed == data[start:end]:
            raise ValueError(f"entry {index} is not changed")
        pieces += [data[done:start], changed]
        done = end
    return b"".join([*pieces, data[done:]])


def after(piece: bytes, insert: bytes) -> Callable[[bytes], bytes]:
    return lambda entry: entry.replace(piece, piece + insert, 1)


def textual(corpus: Corpus, entries: list[Entry], data: bytes, places: list[int]) -> None:
    tail = b"\n    }"
    error: dict[str, tuple[str, Callable[[bytes], bytes], list[str]]] = {
        "20_big_duplicate_same": (
            "DUPLICATE_KEY",
            after(b'"cp_to": "CP1-LC",', b'\n        "cp_to": "CP1-LC",'),
            [],
        ),
        "20_big_duplicate_escaped": (
            "DUPLICATE_KEY",
            after(b'"cp_to": "CP1-LC",', b'\n        "cp\\u005fto": "CP1-LC",'),
            [],
        ),
        "20_big_duplicate_in_metadata": (
            "DUPLICATE_KEY",
            lambda e: e[: -len(tail)] + b',\n        "x": {"a": 1, "a": 1}' + tail,
            [],
        ),
        "24_big_lone_surrogate": (
            "ENCODING",
            lambda e: e[: -len(tail)] + b',\n        "x": "\\udc00"' + tail,
            [],
        ),
        "24_big_invalid_utf8": ("ENCODING", lambda e: e[: -len(tail)] + b',\n        "x": "\xff"' + tail, []),
        "25_big_nan": (
            "CANON_UNREPRESENTABLE",
            lambda e: e[: -len(tail)] + b',\n        "x": NaN' + tail,
            [],
        ),
        "25_big_2_to_53": (
            "CANON_UNREPRESENTABLE",
            lambda e: e[: -len(tail)] + b',\n        "x": 9007199254740992' + tail,
            [],
        ),
        "25_big_1e400": (
            "CANON_UNREPRESENTABLE",
            lambda e: e[: -len(tail)] + b',\n        "x": 1E400' + tail,
            [],
        ),
        "27_big_cp_to_number": (
            "FIELD_TYPE",
            lambda e: e.replace(b'"cp_to": "CP1-LC"', b'"cp_to": 1', 1),
            [],
        ),
        "27_big_cp_to_missing": (
            "FIELD_MISSING",
            lambda e: e.replace(b'"cp_to": "CP1-LC",\n        ', b"", 1),
            [],
        ),
        "27_big_metadata_null": (
            "FIELD_TYPE",
            lambda e: e[: e.index(b'"metadata": ')] + b'"metadata": null' + tail,
            [],
        ),
        "38_big_depth": (
            "LIMIT_EXCEEDED",
            lambda e: e[: -len(tail)] + b',\n        "x": ' + b"[" * 63 + b"]" * 63 + tail,
            [],
        ),
        "38_big_digits": (
            "LIMIT_EXCEEDED",
            lambda e: e[: -len(tail)] + b',\n        "x": ' + b"7" * 5000 + tail,
            ["CANON_UNREPRESENTABLE"],
        ),
        "01_big_action": ("HMAC_MISMATCH", lambda e: e.replace(b'"action": "', b'"action": "x', 1), []),
        "39_big_raw_nul": (
            "TORN_FILE",
            lambda e: e.replace(b'"AGENT', b'"AG\0ENT', 1),
            ["CHAIN_LINK_BROKEN"],
        ),
        "39_big_bad_escape": (
            "TORN_FILE",
            lambda e: e.replace(b'"AGENT', b'"\\AGENT', 1),
            ["CHAIN_LINK_BROKEN"],
        ),
    }
    for slug, (code, patch, also) in error.items():
        more: dict[str, Any] = {"errors_within": [code, *also]}
        if code != "TORN_FILE":
            more |= {"at": {code: places}, "first_bad": 0, "entries": COUNT}
        for which, where in (("all", places), ("one", [places[len(places) // 2]])):
            if which == "one" and code != "TORN_FILE":
                more |= {"at": {code: where}, "first_bad": where[0]}
            corpus.add(
                f"{slug}_{which}",
                f"a large file: {slug[7:].replace('_', ' ')} in entries {', '.join(map(str, where))}",
                "a fast path over blocks must refuse what the strict reader refuses, at its borders too",
                patched(data, where, patch),
                data,
                near_what="the large file, untouched",
                codes=[code],
                **more,
            )
    harmless: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
        "22_big_escape": (lambda e: e.replace(b'"AGENT', b'"\\u0041GENT', 1), ["FORMAT_NONCANONICAL"]),
        "22_big_space": (lambda e: e.replace(b'"action": ', b'"action":  ', 1), ["FORMAT_NONCANONICAL"]),
        "22_big_unknown_member": (
            lambda e: e[: -len(tail)] + b',\n        "reviewed": true' + tail,
            ["UNCOVERED_FIELD"],
        ),
        "22_big_float": (lambda e: e[: -len(tail)] + b',\n        "score": 0.5' + tail, ["UNCOVERED_FIELD"]),
        "22_big_crlf_in_entries": (lambda e: e.replace(b"\n", b"\r\n"), ["FORMAT_NONCANONICAL"]),
        "45_big_del": (lambda e: e.replace(b'"cp_to": "', b'"cp_to": "\x7f', 1), ["CONTROL_CHARS"]),
        "22_big_nested_look": (
            lambda e: (
                e[: e.index(b'"metadata": ')]
                + b'"metadata": {"held": [\n    {\n        "a": 1\n    },\n    {\n        "b": 2\n    }\n]}'
                + tail
            ),
            ["FORMAT_NONCANONICAL"],
        ),
    }
    for slug, (patch, codes) in harmless.items():
        corpus.add(
            slug,
            f"a large file: {slug[7:].replace('_', ' ')} in entries {', '.join(map(str, places))}",
            "what a fast path does not know goes to the strict reader, and is no error there",
            patched(data, places, patch),
            data,
            near_what="the large file, untouched",
            codes=codes,
            errors_exactly=[],
            first_bad=None,
            entries=COUNT,
            exit=0,
        )


def structural(corpus: Corpus, entries: list[Entry], data: bytes, places: list[int]) -> None:
    middle = places[len(places) // 2]
    more: dict[str, Any] = {"near": data, "near_what": "the large file, untouched"}
    why = "what is true of a small file must be true across the borders of blocks"
    for index in (places[3], places[4], places[5], middle, COUNT - 2):
        corpus.add(
            f"06_big_delete_{index}",
            f"entry {index} of a large file is taken out",
            why,
            [*entries[:index], *entries[index + 1 :]],
            codes=["CHAIN_LINK_BROKEN"],
            errors_exactly=["CHAIN_LINK_BROKEN"],
            at={"CHAIN_LINK_BROKEN": [index]},
            first_bad=index,
            entries=COUNT - 1,
            **more,
        )
    corpus.add(
        "06_big_replay_far_away",
        "entry 1 of a large file is repeated near its end, many blocks later",
        why,
        [*entries[: COUNT - 2], entries[1], *entries[COUNT - 2 :]],
        codes=["CHAIN_LINK_BROKEN", "DUPLICATE_ENTRY"],
        errors_exactly=["CHAIN_LINK_BROKEN", "DUPLICATE_ENTRY"],
        at={"CHAIN_LINK_BROKEN": [COUNT - 2, COUNT - 1], "DUPLICATE_ENTRY": [COUNT - 2]},
        first_bad=COUNT - 2,
        entries=COUNT + 1,
        **more,
    )
    late = [dict(entry) for entry in entries]
    late[middle]["ts"] = "2025-02-01T00:00:00Z"
    corpus.add(
        "29_big_back",
        f"entry {middle} of a large file, on the border of a block, is older than the one before it",
        why,
        sign(late, middle),
        codes=["TIME_REGRESSION"],
        errors_exactly=[],
        at={"TIME_REGRESSION": [middle]},
        first_bad=None,
        exit=0,
        **more,
    )
    upper = [dict(entry) for entry in entries]
    for index in places:
        upper[index]["state_checksum"] = sha256(f"upper {index}").upper()
    corpus.add(
        "28_big_uppercase",
        "uppercase checksums, signed like that, at the ends of a large file and on the borders of blocks",
        why,
        sign(upper),
        codes=["FIELD_FORMAT"],
        errors_exactly=["FIELD_FORMAT"],
        at={"FIELD_FORMAT": places},
        first_bad=0,
        **more,
    )
    split = [dict(entry) for entry in entries]
    # Checked over joined columns, two wrong lengths that sum up to two right ones would pass.
    split[middle]["state_checksum"] = "a" * 63
    split[middle + 1]["state_checksum"] = "a" * 65
    split[middle + 3]["ts"] += "2025-03-01T08:00:00Z"
    split[middle + 4]["ts"] = ""
    corpus.add(
        "28_big_lengths_that_sum_up",
        "63 digits in one entry and 65 in the next; two times in one entry and none in the next; all signed",
        "a check over joined columns must still see each value",
        sign(split, middle),
        codes=["FIELD_FORMAT"],
        errors_exactly=["FIELD_FORMAT"],
        at={"FIELD_FORMAT": [middle, middle + 1, middle + 3, middle + 4]},
        first_bad=middle,
        **more,
    )
    newline = [dict(entry) for entry in entries]
    newline[middle]["ts"] = "2025-03-01T08:00:00Z\n2025-03-01T08:00:00Z"
    newline[middle + 1]["state_checksum"] = "0" * 64 + "\n" + "0" * 64
    corpus.add(
        "28_big_joined_by_newlines",
        "one member holds two right values with a line end between them, signed like that",
        "a check of values joined by line ends would take it for two entries",
        sign(newline, middle),
        codes=["FIELD_FORMAT"],
        errors_exactly=["FIELD_FORMAT"],
        at={"FIELD_FORMAT": [middle, middle + 1]},
        first_bad=middle,
        **more,
    )
    for name, cut in (("at_64_kib", BLOCK), ("at_128_kib", 2 * BLOCK), ("between", span_of[middle][1] + 1)):
        corpus.add(
            f"39_big_cut_{name}",
            f"a large file is cut {name.replace('_', ' ')}",
            why,
            data[:cut],
            codes=["TORN_FILE"],
            errors_exactly=["TORN_FILE"],
            **more,
        )
    corpus.add(
        "39_big_nul_page",
        "one page of 4096 bytes in a large file is zero",
        "a block of the disk was never written",
        data[:BLOCK] + b"\0" * 4096 + data[BLOCK + 4096 :],
        codes=["TORN_FILE"],
        errors_within=["TORN_FILE", "CHAIN_LINK_BROKEN"],
        **more,
    )
    corpus.add(
        "22_big_crlf",
        "a large file with CRLF line ends",
        "the borders of entries look different; nothing else is",
        data.replace(b"\n", b"\r\n"),
        codes=["FORMAT_NONCANONICAL"],
        errors_exactly=[],
        first_bad=None,
        entries=COUNT,
        exit=0,
        **more,
    )
    corpus.add(
        "22_big_entries_form",
        "a large file in the object form with an edited entry",
        "the other form must be read as strictly",
        dump(
            {"entries": [*entries[:middle], entries[middle] | {"actor": "AGENT_X"}, *entries[middle + 1 :]]}
        ),
        codes=["HMAC_MISMATCH"],
        errors_exactly=["HMAC_MISMATCH"],
        at={"HMAC_MISMATCH": [middle]},
        first_bad=middle,
        entries=COUNT,
        **(more | {"near": dump({"entries": entries}), "near_what": "the object form, untouched"}),
    )


def large(corpus: Corpus) -> None:
    entries = chain(6000)
    bad = [dict(entry) for entry in entries]
    bad[0]["actor"] = "AGENT_X"
    bad[2999]["action"] = "gate_skip"
    bad[3000]["hmac"] = sha256("nothing")
    bad[5999]["state_checksum"] = sha256("nothing")
    corpus.add(
        "01_large_in_parts",
        "three megabytes of entries with faults at both ends and in the middle, where work is divided",
        "several workers must find what one finds",
        bad,
        entries,
        near_what="the same file, untouched",
        codes=["HMAC_MISMATCH", "CHAIN_LINK_BROKEN"],
        errors_exactly=["HMAC_MISMATCH", "CHAIN_LINK_BROKEN"],
        at={"HMAC_MISMATCH": [0, 2999, 3000, 5999], "CHAIN_LINK_BROKEN": [3001]},
        first_bad=0,
        entries=6000,
    )
