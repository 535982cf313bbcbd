"""Secrets of a chain: one key or a ring, and the MAC that they make.

A key ring file is JSON: `{"keys": [{"kid", "alg": "HMAC-SHA256", "status": "active|retired|compromised",
"from_seq", "to_seq", "secret_file" | "secret_env"}]}`. It names where a secret is, and never holds one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from devstate.errors import UsageError
from devstate.settings import Secret

__all__ = ["PUBLIC_SECRETS", "Key", "Keyring", "Mac", "parse_keyring"]

# Secrets that are printed in public repositories: whoever reads them can forge.
PUBLIC_SECRETS = (
    "beamline-secret-key-v1",
    "dev-secret-not-for-prod",
    "default-dev-secret-do-not-use-in-production",
)

_SHORTEST_STRONG = 16


class Key(msgspec.Struct, frozen=True):
    """One secret with the entries it is declared for: `from_seq` to `to_seq` inclusive, None = open."""

    kid: str
    secret: Secret
    status: Literal["active", "retired", "compromised"] = "active"
    from_seq: int = 0
    to_seq: int | None = None

    @property
    def public(self) -> bool:
        return self.secret.reveal() in {text.encode() for text in PUBLIC_SECRETS}

    @property
    def weak(self) -> bool:
        return self.public or len(self.secret.reveal()) < _SHORTEST_STRONG


class Keyring(msgspec.Struct, frozen=True):
    """The keys that verification may use, in the order in which they are tried."""

    keys: tuple[Key, ...]

    @classmethod
    def of(cls, secret: bytes | Secret, kid: str = "default") -> Keyring:
        """A ring of one secret."""
        return cls((Key(kid, secret if isinstance(secret, Secret) else Secret(secret)),))

    @classmethod
    def public_default(cls) -> Keyring:
        """The public development secret of the format; it proves nothing about who wrote a chain."""
        return cls.of(PUBLIC_SECRETS[0].encode(), kid="public-default")

    @property
    def declared(self) -> bool:
        """True where the ring says which entries each key covers, so that a rotation is on record."""
        return any(key.from_seq or key.to_seq is not None for key in self.keys)


class Mac:
    """HMAC-SHA256 under one key, with the two key blocks hashed once (RFC 2104).

    Copying the two hash states costs less than half of `hmac.new`, and an entry needs nothing else of it.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        block = hashlib.sha256(secret).digest() if len(secret) > 64 else secret
        block = block.ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def hexdigests(self, messages: Iterable[bytes]) -> list[str]:
        """The lowercase hex MAC of each message."""
        new_inner, new_outer = self._inner.copy, self._outer.copy
        result: list[str] = []
        add = result.append
        for message in messages:
            inner = new_inner()
            inner.update(message)
            outer = new_outer()
            outer.update(inner.digest())
            add(outer.hexdigest())
        return result

    def hexdigest(self, message: bytes) -> str:
        return self.hexdigests((message,))[0]


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    kid: str
    alg: Literal["HMAC-SHA256"] = "HMAC-SHA256"
    status: Literal["active", "retired", "compromised"] = "active"
    from_seq: int = 0
    to_seq: int | None = None
    kcv: str | None = None
    secret_file: str | None = None
    secret_env: str | None = None


class _Ring(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[_Item]


def parse_keyring(
    data: bytes,
    *,
    resolve_file: Callable[[str], Secret],
    resolve_env: Callable[[str], Secret],
    path: str = "key ring",
) -> Keyring:
    """Read a key ring file; the two callables fetch a secret from a file or an environment variable.

    Raises UsageError, with the member, where the file is no key ring. A key without a place for its secret is
    left out when it is listed only for its public part.
    """
    try:
        ring = msgspec.json.decode(data, type=_Ring)
    except msgspec.DecodeError as error:
        # The message may quote a value; a ring that wrongly holds a secret must not show it.
        place = re.search(r"at `([^`]*)`", str(error))
        raise UsageError(
            f"{path} is not a key ring file",
            path=path,
            position=place.group(1) if place else None,
            remedy='Write {"keys": [{"kid": "...", "secret_env": "NAME"}]}, with the secret itself elsewhere.',
        ) from None
    keys: list[Key] = []
    seen: set[str] = set()
    for item in ring.keys:
        if item.kid in seen:
            raise UsageError(
                f"{path} lists the key {item.kid!r} twice", path=path, remedy="Name each key once."
            )
        seen.add(item.kid)
        secret = _resolve(item, resolve_file, resolve_env)
        if secret is not None:
            keys.append(Key(item.kid, secret, item.status, item.from_seq, item.to_seq))
    if not keys:
        raise UsageError(
            f"{path} names no key with a secret",
            path=path,
            remedy='Give at least one key "secret_env" or "secret_file".',
        )
    return Keyring(tuple(keys))


def _resolve(item: _Item, from_file: Callable[[str], Any], from_env: Callable[[str], Any]) -> Secret | None:
    if item.secret_file is not None:
        return from_file(item.secret_file)
    if item.secret_env is not None:
        return from_env(item.secret_env)
    return None
