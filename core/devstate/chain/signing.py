"""Making entries: the HMAC of a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devstate.errors import UsageError

from .entry import covered_bytes
from .keys import Key, Mac

__all__ = ["sign_entry"]


def sign_entry(members: Mapping[str, Any], key: Key) -> str:
    """The v1 HMAC of an entry whose covered members are all there (`hmac_prev` is "" for the first one).

    Raises UsageError where a covered member is missing or no string.
    """
    message = covered_bytes(dict(members))
    if message is None:
        raise UsageError(
            "an entry needs ts, actor, action, state_checksum and hmac_prev as strings",
            remedy="Give all five; hmac_prev of the first entry is an empty string.",
        )
    return Mac(key.secret.reveal()).hexdigest(message)
