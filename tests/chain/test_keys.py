"""Keys: the MAC itself, weak and public secrets, key ring files, and that no secret is ever told."""

from __future__ import annotations

import hashlib
import hmac
import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.chain import PUBLIC_SECRETS, Key, Keyring, parse_keyring
from devstate.chain.keys import Mac
from devstate.errors import UsageError
from devstate.settings import Secret

CANARY = "canary-b7f1-secret"

# RFC 4231, section 4: key, data, HMAC-SHA256 (case 5 is truncated there and left out).
RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


@pytest.mark.parametrize(("key", "data", "expected"), RFC_4231)
def test_vectors_of_rfc_4231(key: bytes, data: bytes, expected: str) -> None:
    assert Mac(key).hexdigest(data) == expected


@given(st.binary(max_size=200), st.lists(st.binary(max_size=300), max_size=4))
def test_the_mac_is_that_of_the_standard_library(secret: bytes, messages: list[bytes]) -> None:
    mac = Mac(secret)
    expected = [hmac.new(secret, message, hashlib.sha256).hexdigest() for message in messages]
    assert mac.hexdigests(messages) == expected
    assert mac.hexdigests(messages) == expected  # the key's states are not used up


@pytest.mark.parametrize(
    ("secret", "public", "weak"),
    [
        *((text.encode(), True, True) for text in PUBLIC_SECRETS),
        (b"", False, True),
        (b"x" * 15, False, True),
        (b"x" * 16, False, False),
        ("ü" * 8, False, False),
    ],
)
def test_public_and_weak_secrets(secret: bytes | str, public: bool, weak: bool) -> None:
    raw = secret.encode() if isinstance(secret, str) else secret
    (key,) = Keyring.of(raw).keys
    assert (key.public, key.weak) == (public, weak)


def test_the_public_default_is_the_first_of_the_public_secrets() -> None:
    (key,) = Keyring.public_default().keys
    assert key.secret.reveal() == PUBLIC_SECRETS[0].encode()
    assert key.public


@pytest.mark.parametrize(
    ("keys", "declared"),
    [
        ([{}], False),
        ([{}, {}], False),
        ([{"from_seq": 1}], True),
        ([{"to_seq": 0}], True),
        ([{"from_seq": 0, "to_seq": None}], False),
    ],
)
def test_a_ring_that_declares_ranges(keys: list[dict[str, Any]], declared: bool) -> None:
    ring = Keyring(tuple(Key(f"k{n}", Secret(b"s"), **fields) for n, fields in enumerate(keys)))
    assert ring.declared is declared


# -- key ring files ---------------------------------------------------------------------------------


def parsed(document: object, secrets: dict[str, bytes] | None = None) -> Keyring:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    known = secrets or {}
    return parse_keyring(
        data,
        resolve_file=lambda path: Secret(known[f"file {path}"]),
        resolve_env=lambda name: Secret(known[f"env {name}"]),
        path="ring.json",
    )


def test_a_ring_file() -> None:
    ring = parsed(
        {
            "keys": [
                {"kid": "old", "status": "retired", "to_seq": 9, "secret_env": "OLD", "kcv": "00" * 8},
                {"kid": "known of", "status": "compromised"},
                {"kid": "new", "alg": "HMAC-SHA256", "from_seq": 10, "secret_file": "new.key"},
            ]
        },
        {"env OLD": b"one", "file new.key": b"two"},
    )
    assert [(key.kid, key.secret.reveal(), key.status, key.from_seq, key.to_seq) for key in ring.keys] == [
        ("old", b"one", "retired", 0, 9),
        ("new", b"two", "active", 10, None),
    ]


@pytest.mark.parametrize(
    ("document", "position"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"keys": 5}', "$.keys"),
        (b'{"keys": [{"secret_env": "X"}]}', "$.keys[0]"),
        (b'{"keys": [{"kid": "a", "alg": "HMAC-MD5"}]}', "$.keys[0].alg"),
        (b'{"keys": [{"kid": "a", "status": "lost"}]}', "$.keys[0].status"),
        (b'{"keys": [{"kid": "a", "from_seq": "1"}]}', "$.keys[0].from_seq"),
        (b'{"keys": [{"kid": "a"}], "version": 2}', None),
        (b'{"keys": [{"kid": "a", "secret": "%b"}]}' % CANARY.encode(), "$.keys[0]"),
        (b'{"keys": [{"kid": "a", "status": "%b"}]}' % CANARY.encode(), "$.keys[0].status"),
        (b'{"keys": "%b"}' % CANARY.encode(), "$.keys"),
        (b'{"keys": [{"kid": "a", "%b": 1}]}' % CANARY.encode(), "$.keys[0]"),
        (b"%b" % CANARY.encode(), None),
        (b'\xff{"keys": []}', None),
    ],
)
def test_what_is_no_ring_is_refused_and_not_repeated(document: bytes, position: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(document)
    error = caught.value
    if position is not None:
        assert error.position == position
    shown = "".join(traceback.format_exception(error)) + repr(error) + f"{error.remedy}{error.position}"
    assert CANARY not in shown
    assert error.path == "ring.json"
    assert error.remedy


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "names no key with a secret"),
        ([{"kid": "a"}], "names no key with a secret"),
        ([{"kid": "a", "secret_env": "A"}, {"kid": "a", "secret_env": "A"}], "twice"),
    ],
)
def test_rings_that_mean_nothing(keys: list[dict[str, str]], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parsed({"keys": keys}, {"env A": b"a"})


def test_no_text_of_a_key_tells_its_secret() -> None:
    ring = Keyring.of(CANARY.encode(), kid="mine")
    for text in (repr(ring), str(ring), f"{ring}", repr(ring.keys[0]), f"{ring.keys[0].secret!r:>40}"):
        assert CANARY not in text
    assert "mine" in repr(ring)
