"""Which key verified which entries, and whether that is how a ring may be used."""

from __future__ import annotations

import re

import msgspec

from .keys import Keyring
from .report import KeyUse
from .segment import BAD, UNCHECKED

__all__ = ["KeyFault", "Run", "judge_keys", "runs_of"]


_EQUAL_BYTES = re.compile(rb"(.)\1*+", re.DOTALL)


class Run(msgspec.Struct, frozen=True):
    """Entries `first` to `last` (inclusive) verified under the same key of the ring."""

    key: int
    first: int
    last: int


class KeyFault(msgspec.Struct, frozen=True):
    """Something about the use of a key, over a run of entries."""

    code: str
    run: Run
    detail: str


def runs_of(macs: bytes) -> list[Run]:
    """The runs of equal keys; entries that did not verify neither make nor break a run."""
    keyed: list[Run] = []
    for found in _EQUAL_BYTES.finditer(macs):
        value = macs[found.start()]
        if value in (BAD, UNCHECKED):
            continue
        if keyed and keyed[-1].key == value:
            keyed[-1] = Run(value, keyed[-1].first, found.end() - 1)
        else:
            keyed.append(Run(value, found.start(), found.end() - 1))
    return keyed


def judge_keys(macs: bytes, ring: Keyring) -> tuple[tuple[KeyUse, ...], list[KeyFault]]:
    """How the ring was used. A key covers one contiguous range, and the declared one where it is declared."""
    uses: list[KeyUse] = []
    faults: list[KeyFault] = []
    left: set[int] = set()
    before: Run | None = None
    for run in runs_of(macs):
        key = ring.keys[run.key]
        uses.append(KeyUse(key.kid, run.first, run.last, key.public, key.weak, key.status))
        outside = run.first < key.from_seq or (key.to_seq is not None and run.last > key.to_seq)
        if run.key in left:
            faults.append(
                KeyFault(
                    "KEY_OUT_OF_RANGE", run, f"the chain comes back to key {key.kid!r} after another key"
                )
            )
        elif outside:
            until = "on" if key.to_seq is None else f"to {key.to_seq}"
            detail = f"key {key.kid!r} is declared for entries from {key.from_seq} {until}"
            faults.append(KeyFault("KEY_OUT_OF_RANGE", run, detail))
        elif before is not None and not ring.declared:
            old = ring.keys[before.key].kid
            faults.append(KeyFault("KEY_UNDECLARED", run, f"the key changes from {old!r} to {key.kid!r}"))
        if key.status == "compromised":
            faults.append(KeyFault("KEY_COMPROMISED", run, f"key {key.kid!r} is marked compromised"))
        if before is not None:
            left.add(before.key)
        before = run
    return tuple(uses), faults
