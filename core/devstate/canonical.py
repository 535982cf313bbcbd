"""Canonical JSON: the one byte form of a value, by RFC 8785 (JCS).

`rfc8785` is the reference. Where nothing in a value touches the points in which ordinary JSON encoders differ
from JCS (numbers with a fraction or beyond 2**53, the order of keys outside the low part of Unicode), msgspec
gives the same bytes many times faster; a property test holds the two together.
"""

from __future__ import annotations

from typing import cast

import msgspec

from devstate.errors import DevStateError

__all__ = ["CanonicalError", "canonical_json"]


class CanonicalError(DevStateError):
    """No canonical JSON form: NaN, an integer from 2**53 on, a lone surrogate, too deep, not JSON at all."""

    code = "CANON_UNREPRESENTABLE"
    exit_code = 1


_encode = msgspec.json.Encoder(order="sorted").encode

_INTEGER_LIMIT = 2**53


def canonical_json(value: object) -> bytes:
    """The RFC 8785 form, in UTF-8, of dicts with text keys, lists, tuples, texts, numbers, booleans, None.

    Raises CanonicalError.
    """
    try:
        if _simple(value):
            return _encode(value)
        import rfc8785

        # The library's type of values is recursive and wants to know the inside of `object`.
        return rfc8785.dumps(value)  # pyright: ignore[reportArgumentType]
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise CanonicalError(
            "the value has no canonical JSON form: "
            + ("it is nested too deeply" if deep else _reason(error)),
            remedy="Use finite numbers, integers below 2**53, and text without lone surrogates.",
        ) from None


def _simple(value: object) -> bool:
    """Whether msgspec's encoding, with sorted keys, is the canonical one.

    Exact types only: a subclass may encode differently. Keys below U+D800 sort alike as code points (UTF-8)
    and as UTF-16 code units, which JCS asks for. Strings are escaped alike by both; a lone surrogate in one
    makes both fail.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -_INTEGER_LIMIT < cast(int, value) < _INTEGER_LIMIT
    if kind is dict:
        for key, item in cast(dict[object, object], value).items():
            if type(key) is not str or not (key.isascii() or max(key) < "\ud800"):
                return False
            if type(item) is not str and not _simple(item):
                return False
        return True
    if kind is list or kind is tuple:
        return all(_simple(item) for item in cast(list[object], value))
    return False


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a text holds a lone surrogate"
    text = str(error)
    return text if len(text) <= 120 else text[:100] + "..."
