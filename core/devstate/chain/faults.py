"""A fault: what is wrong at one entry or byte, as verification collects it before it is put into words."""

from __future__ import annotations

import msgspec

__all__ = ["WARNINGS", "Fault", "FileFault"]

# Codes that do not make an entry bad.
WARNINGS = frozenset(
    {"TIME_REGRESSION", "FUTURE_TIME", "CONTROL_CHARS", "FIELD_BOUNDARY_AMBIGUOUS", "KEY_UNDECLARED"}
)


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """`offset` is the byte to look at; `member` a JSON pointer inside the entry ("" = the entry itself).

    HMACs in `expected` and `actual` are masked where they are computed, whole where they are stored.
    """

    code: str
    index: int
    offset: int
    member: str = ""
    expected: str | None = None
    actual: str | None = None
    detail: str = ""


class FileFault(msgspec.Struct, frozen=True, array_like=True):
    """A fault of the file as a whole. `at_next`: it stands directly before the next entry."""

    code: str
    offset: int
    detail: str
    at_next: bool = False
