"""Taking secrets and whole HMACs out of what a recording keeps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from devstate.chain import mask_hmac
from devstate.trae import mask

__all__ = ["Masker"]

_MASKED = "[MASKED]"
# Members of entries and documents that hold an HMAC or a seal.
_HMAC_MEMBERS = frozenset({"hmac", "hmac_prev", "mac", "prev_hmac", "seal", "signature"})
_HMAC = re.compile(r"[0-9A-Fa-f]{64}")
# A shorter secret is a part of too many words: it counts only where it stands alone.
_LEAST = 4


class Masker:
    """Masks the secrets that it is made with, and HMACs. Nothing shows the secrets."""

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self._texts = tuple(secret.decode("utf-8", "replace") for secret in self._secrets)

    def text(self, text: str) -> str:
        """The text with each secret as `[MASKED]` and each HMAC cut to 16 digits."""
        if text in self._texts:
            return _MASKED
        for secret in self._texts:
            if len(secret) >= _LEAST and secret in text:
                text = text.replace(secret, _MASKED)
        return mask(text, secrets=self._secrets)

    def words(self, words: Iterable[str]) -> list[str]:
        """The words of a command line. One that is no UTF-8 gets replacement characters."""
        return [
            self.text(word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")) for word in words
        ]

    def value(self, value: Any) -> Any:
        """A JSON value with every text in it masked, the names of members too.

        The value itself is not changed. Its depth is bounded by who parsed it.
        """
        if isinstance(value, str):
            return self._within(value)
        if isinstance(value, list):
            return [self.value(item) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            return {
                self._within(name): mask_hmac(item)
                if name in _HMAC_MEMBERS and isinstance(item, str) and _HMAC.fullmatch(item)
                else self.value(item)
                for name, item in cast("dict[str, Any]", value).items()
            }
        return value

    def _within(self, text: str) -> str:
        """One of many texts: only secrets are looked for, which most do not hold."""
        return self.text(text) if any(secret in text for secret in self._texts) else text
