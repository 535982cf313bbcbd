"""Rows 6 to 8, 12 and 44: entries moved, added, removed, repeated; histories cut off and rewritten."""

from __future__ import annotations

from typing import Any

from .cases import Corpus
from .chain import OTHER_SECRET, Entry, chain, mac, metadata, sha256, sign, timestamp


def add_to(corpus: Corpus) -> None:
    moved(corpus)
    inserted(corpus)
    repeated(corpus)
    cut(corpus)
    unprovable(corpus)


def link(
    corpus: Corpus, slug: str, what: str, why: str, entries: list[Entry], broken: list[int], **more: Any
) -> None:
    expect: dict[str, Any] = {
        "codes": ["CHAIN_LINK_BROKEN"],
        "errors_exactly": ["CHAIN_LINK_BROKEN"],
        "at": {"CHAIN_LINK_BROKEN": broken},
        "first_bad": broken[0],
        "entries": len(entries),
    } | more
    corpus.add(slug, what, why, entries, chain(7), near_what="the same entries in their order", **expect)


def moved(corpus: Corpus) -> None:
    e = chain(7)
    why = "every entry verifies by itself; only the links tell the order"
    link(
        corpus,
        "06_swap_neighbours",
        "entries 2 and 3 change places",
        why,
        [*e[:2], e[3], e[2], *e[4:]],
        [2, 3, 4],
    )
    link(corpus, "06_swap_last_two", "the last two entries change places", why, [*e[:5], e[6], e[5]], [5, 6])
    link(
        corpus,
        "06_move_one_back",
        "entry 5 is moved to position 2",
        why,
        [*e[:2], e[5], *e[2:5], e[6]],
        [2, 3, 6],
    )
    link(
        corpus,
        "06_swap_first_two",
        "the first two entries change places",
        why,
        [e[1], e[0], *e[2:]],
        [1, 2],
        codes=["CHAIN_LINK_BROKEN", "HEAD_MISSING"],
        errors_exactly=None,
        errors_within=["CHAIN_LINK_BROKEN", "HEAD_MISSING", "FIELD_FORMAT"],
        first_bad=0,
    )
    link(
        corpus,
        "06_reversed",
        "the whole file is in reverse order",
        why,
        e[::-1],
        [1, 2, 3, 4, 5, 6],
        codes=["CHAIN_LINK_BROKEN", "HEAD_MISSING"],
        errors_exactly=None,
        errors_within=["CHAIN_LINK_BROKEN", "HEAD_MISSING", "FIELD_FORMAT"],
        first_bad=0,
    )


def inserted(corpus: Corpus) -> None:
    e = chain(7)
    foreign: Entry = dict(e[3], actor="AGENT_7_QA", action="gate_pass", hmac_prev=e[2]["hmac"])
    foreign["hmac"] = mac(foreign, OTHER_SECRET)
    link(
        corpus,
        "06_insert_forged",
        "an entry signed with another secret, rightly linked to entry 2, is inserted after it",
        "a forger without the secret can copy the link, not the HMAC",
        [*e[:3], foreign, *e[3:]],
        [4],
        codes=["CHAIN_LINK_BROKEN", "HMAC_MISMATCH"],
        errors_exactly=["CHAIN_LINK_BROKEN", "HMAC_MISMATCH"],
        at={"CHAIN_LINK_BROKEN": [4], "HMAC_MISMATCH": [3]},
        first_bad=3,
    )
    sibling: Entry = dict(e[3], action="gate_pass_again")
    sibling["hmac"] = mac(sibling)
    link(
        corpus,
        "06_insert_sibling",
        "a second, validly signed successor of entry 2 stands before the real one",
        "two writers held the key and did not know of each other; both HMACs are right",
        [*e[:3], sibling, *e[3:]],
        [4],
        errors_exactly=None,
        errors_within=["CHAIN_LINK_BROKEN", "FORK_SIBLINGS"],
    )
    other = sign([dict(entry, action=entry["action"] + "_b") for entry in chain(3)])
    link(
        corpus,
        "06_second_chain_behind",
        "another chain of the same key, with its own genesis, is put behind this one",
        "all HMACs are right, and the second part begins as a chain may begin",
        [*e, *other],
        [7],
        errors_exactly=None,
        errors_within=["CHAIN_LINK_BROKEN", "FIELD_FORMAT"],
    )
    for name, kept, broken in (
        ("one", [*e[:3], *e[4:]], 3),
        ("several", [*e[:2], *e[5:]], 2),
        ("next_to_last", [*e[:5], e[6]], 5),
    ):
        link(
            corpus,
            f"06_delete_{name}",
            f"entries are taken out of the middle ({name})",
            "something should look as if it had never happened",
            kept,
            [broken],
        )


def repeated(corpus: Corpus) -> None:
    e = chain(7)
    both = ["CHAIN_LINK_BROKEN", "DUPLICATE_ENTRY"]
    for name, entries, broken, twin in (
        ("at_once", [*e[:3], e[2], *e[3:]], [3], 3),
        ("later", [*e[:6], e[2], e[6]], [6, 7], 6),
        ("at_the_end", [*e, e[4]], [7], 7),
        ("the_last", [*e, e[6]], [7], 7),
    ):
        link(
            corpus,
            f"06_replay_{name}",
            f"an entry is repeated, byte for byte ({name})",
            "an approval is counted twice",
            entries,
            broken,
            codes=both,
            errors_exactly=both,
            at={"CHAIN_LINK_BROKEN": broken, "DUPLICATE_ENTRY": [twin]},
        )
    link(
        corpus,
        "06_replay_the_first",
        "the genesis entry is repeated at the end",
        "its empty link asks for nothing",
        [*e, e[0]],
        [7],
        codes=both,
        errors_exactly=None,
        errors_within=[*both, "FIELD_FORMAT"],
        at={"DUPLICATE_ENTRY": [7]},
    )
    link(
        corpus,
        "06_replay_disguised",
        "an entry is repeated with other metadata and another cp_to",
        "the copies differ only where the HMAC does not look",
        [*e[:4], dict(e[3], cp_to="CP2-LC", metadata=metadata(1)), *e[4:]],
        [4],
        errors_exactly=None,
        errors_within=both,
    )


def cut(corpus: Corpus) -> None:
    e = chain(7)
    for name, kept in (("first", e[1:]), ("first_three", e[3:]), ("all_but_the_last", e[6:])):
        corpus.add(
            f"07_{name}",
            f"entries at the beginning are removed: {name.replace('_', ' ')}",
            "a validator that does not look at the first link takes the rest for a chain",
            kept,
            e,
            near_what="the whole chain",
            codes=["HEAD_MISSING"],
            errors_exactly=["HEAD_MISSING"],
            at={"HEAD_MISSING": [0]},
            first_bad=0,
            entries=len(kept),
        )
    same = chain(7, same_checksum=True)
    for name, kept in (("one", same[:6]), ("most", same[:1])):
        corpus.add(
            f"08_tail_{name}",
            f"the newest entries are cut off ({name}); all entries name the same state",
            "what is left is a perfect chain: nothing inside the file can tell",
            kept,
            same,
            near_what="the whole chain",
            codes=["COMPLETENESS_UNPROVEN"],
            errors_exactly=[],
            first_bad=None,
            entries=len(kept),
            exit=0,
        )


def unprovable(corpus: Corpus) -> None:
    rewritten = sign([dict(entry, actor="AGENT_2_ROUTER_CORE") for entry in chain(5)])
    corpus.add(
        "12_rewritten_with_the_key",
        "a holder of the key gives every entry another actor and signs the whole chain again",
        "nothing in the file can tell; the report has to say that it cannot prove this",
        rewritten,
        codes=["NOT_PROVABLE", "COMPLETENESS_UNPROVEN"],
        errors_exactly=[],
        first_bad=None,
        exit=0,
    )
    silent = chain(5)
    silent[3].update(ts=timestamp(40))
    silent[4].update(ts=timestamp(41))
    corpus.add(
        "44_never_logged",
        "an event of the day between entries 2 and 3 was never written down",
        "no check of a file finds what was never in it; the report has to say so",
        sign(silent, 3),
        codes=["NOT_PROVABLE"],
        errors_exactly=[],
        first_bad=None,
        exit=0,
    )
    lonely = chain(1)
    corpus.add(
        "12_one_entry_of_a_new_log",
        "the history is replaced by one new genesis entry that names the present state",
        "a perfect chain of one; completeness cannot be proven",
        sign([dict(lonely[0], ts="2025-06-01T00:00:00Z", metadata={"was": sha256("gone")})]),
        codes=["NOT_PROVABLE", "COMPLETENESS_UNPROVEN"],
        errors_exactly=[],
        first_bad=None,
        exit=0,
    )
