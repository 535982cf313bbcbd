"""Rows 1 to 5 and 26 to 28: the members of an entry, what the HMAC covers of them and what it does not."""

from __future__ import annotations

from typing import Any

from .cases import Corpus
from .chain import COVERED, STATE, chain, edited, mac, resign, sha256, sign, without

EDITS: dict[str, Any] = {
    "ts": "2025-03-01T08:00:01Z",
    "actor": "AGENT_7_QAX",
    "action": "gate_skip",
    "state_checksum": sha256("another state"),
    "hmac_prev": sha256("another predecessor"),
    "hmac": sha256("another hmac"),
}
POSITIONS = {"first": 0, "middle": 2, "last": 4}


def add_to(corpus: Corpus) -> None:
    covered_edits(corpus)
    uncovered_edits(corpus)
    moved_bytes(corpus)
    wrong_types(corpus)
    missing(corpus)
    hexadecimal(corpus)


def covered_edits(corpus: Corpus) -> None:
    for member, value in EDITS.items():
        for name, index in POSITIONS.items():
            codes, at = ["HMAC_MISMATCH"], {"HMAC_MISMATCH": [index]}
            if member == "hmac_prev":
                code = "HEAD_MISSING" if index == 0 else "CHAIN_LINK_BROKEN"
                codes, at = [*codes, code], at | {code: [index]}
            if member == "hmac" and index < 4:
                codes, at = [*codes, "CHAIN_LINK_BROKEN"], at | {"CHAIN_LINK_BROKEN": [index + 1]}
            corpus.add(
                f"01_{member}_{name}",
                f"`{member}` of the {name} entry is replaced by another well-formed value",
                "an editor without the secret changes what is on record",
                edited(5, index, **{member: value}),
                codes=codes,
                errors_exactly=codes,
                at=at,
                first_bad=index,
                entries=5,
            )
    corpus.add(
        "01_one_digit_of_the_hmac",
        "the last digit of one stored HMAC is another one",
        "a comparison of prefixes, or of masked values, would let it pass",
        edited(5, 4, hmac=flip(chain()[4]["hmac"])),
        codes=["HMAC_MISMATCH"],
        errors_exactly=["HMAC_MISMATCH"],
        first_bad=4,
    )


def flip(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def uncovered_edits(corpus: Corpus) -> None:
    changes: dict[str, dict[str, Any]] = {
        "cp_from": {"cp_from": "CP0-LC"},
        "cp_to": {"cp_to": "CP9-DONE"},
        "metadata": {"metadata": {"approved_by": "nobody"}},
        "added_member": {"approved": True},
    }
    for name, change in changes.items():
        corpus.add(
            f"02_{name}",
            f"an uncovered member is changed or added in the middle entry: {', '.join(change)}",
            "the v1 HMAC does not cover it, so nobody can notice; the report has to say so",
            edited(5, 2, **change),
            codes=["UNCOVERED_FIELD"],
            errors_exactly=[],
            first_bad=None,
            exit=0,
        )


def moved_bytes(corpus: Corpus) -> None:
    quiet: dict[str, Any] = {"codes": ["FIELD_BOUNDARY_AMBIGUOUS"], "errors_exactly": [], "exit": 0}
    entries = chain()
    actor, action = entries[2]["actor"], entries[2]["action"]
    stranger = edited(5, 2, resigned=True, actor="BUILD_BOT", action="gate_pass")
    for slug, moved in {
        "03_action_into_actor": (actor + action[:1], action[1:]),
        "03_actor_into_action": (actor[:-1], actor[-1:] + action),
        "03_all_into_actor": (actor + action, ""),
        "03_all_into_action": ("", actor + action),
    }.items():
        corpus.add(
            slug,
            "bytes are moved between actor and action of one entry; the HMAC stays valid",
            "v1 glues the fields together without a delimiter",
            edited(5, 2, actor=moved[0], action=moved[1]),
            stranger,
            near_what="an agent that the state does not list, and whose name begins with no known agent's",
            **quiet,
        )
    corpus.add(
        "03_known_from_other_entries",
        "the same, in a workspace whose state lists no agents: the actor is known from other entries",
        "agents need not be listed to be known",
        edited(7, 2, actor=actor + action[:1], action=action[1:]),
        state=None,
        near_state=None,
        **quiet,
    )
    swapped = "bytes are moved across a field border; the HMAC stays valid"
    shifts: dict[str, dict[str, str]] = {
        "04_ts_into_actor": {"ts": entries[2]["ts"][:-1], "actor": "Z" + actor},
        "04_actor_into_ts": {"ts": entries[2]["ts"] + actor[:1], "actor": actor[1:]},
        "04_checksum_into_action": {
            "action": action + entries[2]["state_checksum"][:2],
            "state_checksum": entries[2]["state_checksum"][2:],
        },
        "04_action_into_checksum": {
            "action": action[:-1],
            "state_checksum": action[-1:] + entries[2]["state_checksum"],
        },
        "04_all_into_ts": {"ts": entries[2]["ts"] + actor, "actor": ""},
        "04_link_into_checksum": {
            "state_checksum": entries[2]["state_checksum"] + entries[2]["hmac_prev"],
            "hmac_prev": "",
        },
    }
    for slug, change in shifts.items():
        corpus.add(
            slug,
            swapped,
            "only the formats of the fields tell",
            edited(5, 2, **change),
            codes=["FIELD_FORMAT"],
            errors_within=["FIELD_FORMAT", "CHAIN_LINK_BROKEN"] if "link" in slug else ["FIELD_FORMAT"],
            first_bad=2,
        )
    first = entries[0]["state_checksum"]
    corpus.add(
        "05_half_the_checksum",
        "the second half of entry 0's state_checksum is moved into its hmac_prev; the HMAC stays valid",
        "a validator that skips the link of entry 0 takes it",
        edited(5, 0, state_checksum=first[:32], hmac_prev=first[32:]),
        codes=["GENESIS_LINK"],
        errors_within=["GENESIS_LINK", "FIELD_FORMAT"],
        first_bad=0,
    )
    corpus.add(
        "05_whole_checksum",
        "the whole state_checksum of entry 0 is moved into its hmac_prev; the HMAC stays valid",
        "64 hex digits look like the HMAC of a predecessor",
        edited(5, 0, state_checksum="", hmac_prev=first),
        codes=["HEAD_MISSING", "FIELD_FORMAT"],
        errors_exactly=["HEAD_MISSING", "FIELD_FORMAT"],
        first_bad=0,
    )
    wide = chain()
    wide[0]["action"] = "import_" + sha256("an imported file")
    sign(wide)
    rolled = [dict(entry) for entry in wide]
    rolled[0].update(action="import_", state_checksum=sha256("an imported file"), hmac_prev=first)
    corpus.add(
        "05_rolled_through_three_fields",
        "the action of entry 0 ends in 64 hex digits; every border is moved by 64, so all formats are right",
        "HMAC and formats hold; only the genesis rule is left to notice",
        rolled,
        wide,
        codes=["HEAD_MISSING"],
        errors_exactly=["HEAD_MISSING"],
        first_bad=0,
    )
    corpus.add(
        "05_a_space",
        "hmac_prev of entry 0 is one space, signed by the key holder",
        "it is neither empty nor an HMAC",
        edited(5, 0, resigned=True, hmac_prev=" "),
        codes=["GENESIS_LINK"],
        errors_within=["GENESIS_LINK", "FIELD_FORMAT"],
        first_bad=0,
    )


def wrong_types(corpus: Corpus) -> None:
    values: dict[str, Any] = {"number": 7, "null": None, "true": True, "array": ["x"], "object": {"x": "y"}}
    for member in ("ts", "actor", "action", "state_checksum"):
        for name, value in values.items():
            index = {"ts": 0, "actor": 2, "action": 4, "state_checksum": 3}[member]
            corpus.add(
                f"27_{member}_{name}",
                f"`{member}` of entry {index} is a JSON {name}, and the HMAC is taken over its text",
                "a program that formats members into the message accepts it",
                edited(5, index, resigned=True, **{member: value}),
                codes=["FIELD_TYPE"],
                errors_within=["FIELD_TYPE", "HMAC_MISMATCH"],
                first_bad=index,
                entries=5,
            )
    for member, index, value in (
        ("hmac", 4, None),
        ("hmac", 1, 12),
        ("hmac_prev", 2, None),
        ("hmac_prev", 2, 5),
    ):
        kind = "null" if value is None else "number"
        corpus.add(
            f"{'26' if member == 'hmac_prev' else '27'}_{member}_{index}_{kind}",
            f"`{member}` of entry {index} is a JSON {kind}",
            "nothing can be compared with it",
            resign(edited(5, index, **{member: value}), index)
            if member == "hmac_prev"
            else edited(5, index, **{member: value}),
            codes=["FIELD_TYPE"],
            errors_within=["FIELD_TYPE", "HMAC_MISMATCH", "CHAIN_LINK_BROKEN"],
            first_bad=index,
        )
    for name, value in (("null", None), ("number", 0), ("false", False), ("array", [])):
        signed_as_empty = edited(5, 0, hmac_prev=value)
        corpus.add(
            f"26_genesis_{name}",
            f"hmac_prev of entry 0 is a JSON {name}; the HMAC is the one of an empty link",
            "programs that turn it into an empty text accept it",
            signed_as_empty,
            codes=["FIELD_TYPE"],
            errors_within=["FIELD_TYPE", "HMAC_MISMATCH"],
            first_bad=0,
        )
    for name, change in {
        "cp_to_null": {"cp_to": None},
        "cp_to_number": {"cp_to": 1},
        "cp_from_number": {"cp_from": 1},
        "metadata_null": {"metadata": None},
        "metadata_array": {"metadata": []},
        "metadata_text": {"metadata": "{}"},
    }.items():
        near = chain()
        del near[2]["cp_from"], near[2]["metadata"]
        near[3]["cp_from"] = None
        corpus.add(
            f"27_{name}",
            f"an uncovered member has the wrong JSON type in the middle entry: {name}",
            "the HMAC does not see it; readers that trust the type fall over it",
            edited(5, 2, **change),
            near,
            near_what="cp_from and metadata are absent from one entry, cp_from is null in another",
            codes=["FIELD_TYPE"],
            errors_exactly=["FIELD_TYPE"],
            at={"FIELD_TYPE": [2]},
            first_bad=2,
        )


def missing(corpus: Corpus) -> None:
    for name, index in POSITIONS.items():
        corpus.add(
            f"26_missing_{name}",
            f"the {name} entry has no hmac_prev; its HMAC is taken with an empty one",
            "a lookup with an empty default accepts it",
            without(5, index, "hmac_prev") if index == 0 else resign(without(5, index, "hmac_prev"), index),
            codes=["FIELD_MISSING"],
            errors_within=["FIELD_MISSING", "CHAIN_LINK_BROKEN", "HMAC_MISMATCH"],
            first_bad=index,
        )
    for member in ("ts", "actor", "action", "state_checksum", "hmac", "cp_to"):
        corpus.add(
            f"27_missing_{member}",
            f"the middle entry has no `{member}`; where it is covered, the HMAC is taken with an empty one",
            "a lookup with an empty default accepts it",
            without(5, 2, member, resigned=member in COVERED),
            codes=["FIELD_MISSING"],
            errors_within=["FIELD_MISSING", "HMAC_MISMATCH", "CHAIN_LINK_BROKEN"],
            first_bad=2,
        )
    corpus.add(
        "27_empty_object",
        "an empty object stands between two entries",
        "it has nothing to verify, so a loop over its members finds no fault",
        [*chain(5)[:3], {}, *chain(5)[3:]],
        codes=["FIELD_MISSING"],
        errors_within=["FIELD_MISSING", "HMAC_MISMATCH", "CHAIN_LINK_BROKEN"],
        first_bad=3,
        entries=6,
    )


def hexadecimal(corpus: Corpus) -> None:
    good = sha256("a state")
    shapes: dict[str, str] = {
        "uppercase": good.upper(),
        "one_uppercase_digit": upper_one(good),
        "63_digits": good[:-1],
        "65_digits": good + "0",
        "empty": "",
        "prefix_0x": "0x" + good[2:],
        "space_inside": good[:31] + " " + good[32:],
        "trailing_space": good + " ",
        "trailing_newline": good + "\n",
        "not_hex": good[:-1] + "g",
        "fullwidth_digits": "".join(chr(0xFF10 + int(c)) if c.isdigit() else c for c in good),
        "underscore": good[:31] + "_" + good[32:],
    }
    for name, value in shapes.items():
        corpus.add(
            f"28_checksum_{name}",
            f"state_checksum of the middle entry is not 64 lowercase hex digits ({name}), and is signed so",
            "the HMAC holds; two spellings of one checksum would pass for two states",
            edited(5, 2, resigned=True, state_checksum=value),
            edited(5, 2, resigned=True, state_checksum=good),
            near_what="the same checksum in its one right spelling",
            codes=["FIELD_FORMAT"],
            errors_exactly=["FIELD_FORMAT"],
            at={"FIELD_FORMAT": [2]},
            first_bad=2,
        )
    within = ["FIELD_FORMAT", "HMAC_MISMATCH", "CHAIN_LINK_BROKEN"]
    for name, index in POSITIONS.items():
        entries = chain()
        entries[index]["hmac"] = entries[index]["hmac"].upper()
        corpus.add(
            f"28_hmac_uppercase_{name}",
            f"the stored HMAC of the {name} entry is written in uppercase",
            "a comparison of the decoded bytes accepts it; the next link then differs in spelling",
            entries,
            codes=["FIELD_FORMAT"],
            errors_within=within,
            first_bad=index,
        )
    both = chain()
    both[2]["hmac"] = both[2]["hmac"].upper()
    sign(both, 3)
    corpus.add(
        "28_link_uppercase",
        "an HMAC and the link to it are uppercase alike, and everything after is signed on top",
        "links compared with each other are equal; the formats are not right",
        both,
        codes=["FIELD_FORMAT"],
        errors_within=within,
        first_bad=2,
    )
    for name, text in (("trailing_newline", "\n"), ("nul", "\0")):
        entries = chain()
        entries[4]["hmac"] = mac(entries[4]) + text
        corpus.add(
            f"28_hmac_{name}",
            f"one more character follows the right HMAC of the last entry ({name})",
            "a pattern that ends in `$`, or a comparison of C strings, accepts it",
            entries,
            codes=["FIELD_FORMAT"],
            errors_within=within,
            first_bad=4,
        )
    whole = sign([dict(entry, state_checksum=entry["state_checksum"].upper()) for entry in chain()])
    corpus.add(
        "28_all_uppercase",
        "every state_checksum is uppercase, and all is signed like that",
        "no entry differs from its neighbours; each one is wrong",
        whole,
        state=STATE,
        codes=["FIELD_FORMAT"],
        errors_exactly=["FIELD_FORMAT"],
        at={"FIELD_FORMAT": [0, 1, 2, 3, 4]},
        first_bad=0,
    )


def upper_one(text: str) -> str:
    place = next(i for i, c in enumerate(text) if c in "abcdef")
    return text[:place] + text[place].upper() + text[place + 1 :]
