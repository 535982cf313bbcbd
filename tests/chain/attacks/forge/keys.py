"""Rows 16 to 18: keys that everybody knows, keys that are not the right one, and keys that changed."""

from __future__ import annotations

import json
from typing import Any

from .cases import Corpus
from .chain import ENV, OTHER_SECRET, SECRET, Entry, chain, edited, sign

PUBLIC = (
    "beamline-secret-key-v1",
    "dev-secret-not-for-prod",
    "default-dev-secret-do-not-use-in-production",
)
RING = "keyring.json"


def add_to(corpus: Corpus) -> None:
    weak(corpus)
    wrong(corpus)
    rings(corpus)


def given(secret: str, **more: str) -> dict[str, str]:
    return {"BEAMLINE_HMAC_SECRET": secret, **more}


def weak(corpus: Corpus) -> None:
    why = "whoever reads the source of the tools can forge every entry"
    for number, secret in enumerate(PUBLIC):
        weak_chain: dict[str, Any] = {
            "codes": ["WEAK_KEY"],
            "near": chain(),
            "near_what": "the same entries under a private secret",
            "first_bad": None,
        }
        history = chain(secret=secret)
        corpus.add(
            f"16_public_{number}_in_ci",
            f"the chain is signed with the public default number {number}, and CI is true",
            why,
            history,
            env=given(secret, CI="true"),
            near_env=given(SECRET, CI="true"),
            errors_exactly=["WEAK_KEY"],
            exit=3,
            **weak_chain,
        )
        corpus.add(
            f"16_public_{number}_in_development",
            f"the chain is signed with the public default number {number}, on a developer's machine",
            why,
            history,
            env=given(secret),
            near_env=ENV,
            errors_exactly=[],
            exit=0,
            **weak_chain,
        )
    public = chain(secret=PUBLIC[0])
    variants: dict[str, dict[str, Any]] = {
        "github": {"env": given(PUBLIC[0], GITHUB_ACTIONS="true"), "exit": 3, "errors_exactly": ["WEAK_KEY"]},
        "gitlab": {"env": given(PUBLIC[0], GITLAB_CI="true"), "exit": 3, "errors_exactly": ["WEAK_KEY"]},
        "drone": {"env": given(PUBLIC[0], DRONE="true"), "exit": 3, "errors_exactly": ["WEAK_KEY"]},
        "production": {"env": given(PUBLIC[0], PRODUCTION="true"), "exit": 3, "errors_exactly": ["WEAK_KEY"]},
        "alias": {"env": {"HMAC_SECRET": PUBLIC[0], "CI": "true"}, "exit": 3, "errors_exactly": ["WEAK_KEY"]},
        "ci_is_false": {"env": given(PUBLIC[0], CI="false"), "exit": 0, "errors_exactly": []},
        "no_secret_in_development": {"env": {}, "exit": 0, "errors_exactly": []},
        "allowed_by_flag": {
            "env": given(PUBLIC[0], CI="true"),
            "args": ["--allow-public-key"],
            "exit": 0,
            "errors_exactly": [],
        },
        "allowed_by_environment": {
            "env": given(PUBLIC[0], CI="true", ALLOW_DEFAULT_HMAC_SECRET="true"),
            "exit": 0,
            "errors_exactly": [],
        },
        "allowed_but_strict": {
            "env": given(PUBLIC[0], CI="true"),
            "args": ["--allow-public-key", "--strict"],
            "near_args": [],
            "exit": 4,
            "errors_exactly": [],
        },
    }
    for name, more in variants.items():
        corpus.add(
            f"16_{name}",
            f"the chain is signed with the public default; {name.replace('_', ' ')}",
            why,
            public,
            near_what="the same entries under a private secret",
            near_env=ENV,
            codes=["WEAK_KEY"],
            **more,
        )
    for length, code in ((1, "WEAK_KEY"), (15, "WEAK_KEY")):
        secret = "s3cretive-sh0rt!"[:length]
        corpus.add(
            f"16_{length}_characters",
            f"the secret has {length} characters, and CI is true",
            "it can be found by trying",
            chain(secret=secret),
            chain(secret="s3cretive-sh0rt!"),
            near_what="a secret of 16 characters",
            env=given(secret, CI="true"),
            near_env=given("s3cretive-sh0rt!", CI="true"),
            codes=[code],
            errors_exactly=[code],
            exit=3,
        )
    corpus.add(
        "16_and_tampered",
        "a chain under the public default has an edited entry too, and CI is true",
        "tampering outweighs a weak key: exit 1 over 3",
        sign_then_edit(PUBLIC[0]),
        env=given(PUBLIC[0], CI="true"),
        near_env=given(SECRET, CI="true"),
        codes=["WEAK_KEY", "HMAC_MISMATCH"],
        errors_exactly=["WEAK_KEY", "HMAC_MISMATCH"],
        first_bad=2,
        exit=1,
        near_what="an untouched chain under a private secret",
    )
    corpus.add(
        "16_no_secret_in_ci",
        "no secret is given, and CI is true",
        "the public default must not be used there without a word",
        public,
        chain(),
        env={"CI": "true"},
        near_env=given(SECRET, CI="true"),
        codes=["KEY_MISSING"],
        exit=3,
        near_what="a private secret is given",
    )


def sign_then_edit(secret: str) -> list[Entry]:
    entries = chain(secret=secret)
    entries[2]["action"] = "gate_skip"
    return entries


def wrong(corpus: Corpus) -> None:
    honest = chain()
    right: dict[str, Any] = {
        "near": honest,
        "near_env": ENV,
        "near_what": "the same chain with its own secret",
    }
    alone: dict[str, Any] = {"codes": ["WRONG_KEY"], "errors_exactly": ["WRONG_KEY"], "exit": 3} | right
    other = given(OTHER_SECRET)
    corpus.add(
        "17_another_secret",
        "an untouched chain is verified with another secret",
        "it is not tampering, and must not look like it",
        honest,
        env=other,
        **alone,
    )
    corpus.add(
        "17_two_entries",
        "an untouched chain of two entries is verified with another secret",
        "two are enough to tell: the links hold",
        chain(2),
        env=other,
        **(alone | {"near": chain(2)}),
    )
    corpus.add(
        "17_no_secret_in_development",
        "no secret is given on a developer's machine, and the chain has a private one",
        "the public default is tried; it is the wrong key",
        honest,
        env={},
        **alone,
    )
    corpus.add(
        "17_secret_with_a_newline",
        "the secret is given with a line end that the writers did not use",
        "a copied secret is a common mistake; whoever strips it silently cannot verify a chain that has one",
        honest,
        env=given(SECRET + "\n"),
        **alone,
    )
    corpus.add(
        "17_many_entries",
        "an untouched chain of 400 entries is verified with another secret",
        "one finding, not four hundred",
        chain(400),
        env=other,
        **(alone | {"near": chain(400)}),
    )
    mixed: dict[str, tuple[list[Entry], list[str], dict[str, Any]]] = {
        "one_entry": (chain(1), ["HMAC_MISMATCH"], {"first_bad": 0}),
        "and_a_broken_link": (
            [*honest[:2], *honest[3:]],
            ["HMAC_MISMATCH", "CHAIN_LINK_BROKEN"],
            {"at": {"CHAIN_LINK_BROKEN": [2], "HMAC_MISMATCH": [0, 1, 2, 3]}, "first_bad": 0},
        ),
        "and_a_bad_format": (
            edited(5, 2, resigned=True, state_checksum="0" * 63),
            ["HMAC_MISMATCH", "FIELD_FORMAT"],
            {"first_bad": 0},
        ),
        "but_one_fits": (
            sign(chain(), 4, OTHER_SECRET),
            ["HMAC_MISMATCH"],
            {"at": {"HMAC_MISMATCH": [0, 1, 2, 3]}, "first_bad": 0},
        ),
    }
    for name, (history, codes, more) in mixed.items():
        corpus.add(
            f"17_not_decided_{name}",
            f"another secret is given: {name.replace('_', ' ')}",
            "where links or formats fail, or one HMAC fits, the wrong key explains too little",
            history,
            env=other,
            codes=codes,
            errors_exactly=codes,
            exit=1,
            **(more | right),
        )

    corpus.add(
        "17_and_a_missing_head",
        "another secret is given, and the beginning of the file is missing",
        "the links between the entries hold, so the key may be wrong; the missing head is an error all the same",
        honest[1:],
        env=other,
        codes=["HEAD_MISSING"],
        errors_within=["HEAD_MISSING", "WRONG_KEY", "HMAC_MISMATCH"],
        first_bad=0,
        exit=1,
        **right,
    )


def ring(*keys: dict[str, Any]) -> dict[str, bytes]:
    return {RING: json.dumps({"keys": list(keys)}, indent=2).encode() + b"\n"}


def key(kid: str, variable: str, **more: Any) -> dict[str, Any]:
    return {
        "kid": kid,
        "alg": "HMAC-SHA256",
        "status": "active",
        "from_seq": 0,
        "to_seq": None,
        "secret_env": variable,
    } | more


def rings(corpus: Corpus) -> None:
    env = {"RING_KEY_ONE": SECRET, "RING_KEY_TWO": OTHER_SECRET}
    one, two = key("k1", "RING_KEY_ONE"), key("k2", "RING_KEY_TWO")
    both = ring(one, two)
    rotated = sign(chain(6), 3, OTHER_SECRET)
    base: dict[str, Any] = {
        "env": env,
        "args": ["--keyring", "{workspace}/" + RING],
        "files": both,
        "near_files": both,
        "near": chain(6),
        "near_what": "the whole chain under the first key of the ring",
    }
    corpus.add(
        "18_rotated",
        "from entry 3 on the chain is signed with the second key of the ring, without a word about it",
        "v1 has no key id: it looks like tampering to who has one key only",
        rotated,
        codes=["KEY_UNDECLARED"],
        errors_exactly=[],
        first_bad=None,
        exit=0,
        **base,
    )
    ranges = ring(
        key("k1", "RING_KEY_ONE", status="retired", to_seq=2), key("k2", "RING_KEY_TWO", from_seq=3)
    )
    corpus.add(
        "18_rotated_as_declared",
        "the same, and the ring says which entries each key signed",
        "a declared rotation is no fault",
        rotated,
        codes=[],
        errors_exactly=[],
        first_bad=None,
        exit=0,
        **(base | {"files": ranges, "near_files": ranges, "near": rotated, "near_what": "the case itself"}),
    )
    corpus.add(
        "18_retired_key_signs_again",
        "the first key is retired after entry 2, and signs the last entry",
        "a stolen old key is used for new entries",
        sign(sign(chain(6), 3, OTHER_SECRET), 5, SECRET),
        codes=["KEY_OUT_OF_RANGE"],
        errors_exactly=["KEY_OUT_OF_RANGE"],
        at={"KEY_OUT_OF_RANGE": [5]},
        first_bad=5,
        **(
            base
            | {"files": ranges, "near_files": ranges, "near": rotated, "near_what": "each key in its range"}
        ),
    )
    corpus.add(
        "18_back_and_forth",
        "the keys of the ring change with every entry",
        "ranges have to be contiguous: a key that was left is not taken up again",
        alternating(),
        codes=[],
        errors_any_of=["HMAC_MISMATCH", "KEY_OUT_OF_RANGE"],
        exit=1,
        **base,
    )
    corpus.add(
        "18_third_key",
        "entries 2 and 3 are signed with a key that is not in the ring",
        "the other keys explain the rest, so it is no wrong key",
        sign(sign(chain(6), 2, "a-third-secret-0123456789"), 4, SECRET),
        codes=["HMAC_MISMATCH"],
        errors_within=["HMAC_MISMATCH", "KEY_OUT_OF_RANGE"],
        at={"HMAC_MISMATCH": [2, 3]},
        first_bad=2,
        **base,
    )
    corpus.add(
        "18_no_key_of_the_ring",
        "the chain is signed with a key that is not in the ring",
        "all links hold and no key fits",
        chain(6, secret="a-third-secret-0123456789"),
        codes=["WRONG_KEY"],
        errors_exactly=["WRONG_KEY"],
        exit=3,
        **base,
    )


def alternating() -> list[Entry]:
    entries = chain(6)
    for index in range(6):
        sign(entries, index, (SECRET, OTHER_SECRET)[index % 2])
    return entries
