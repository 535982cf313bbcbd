"""What verification concludes: an immutable report that every face renders."""

from __future__ import annotations

from typing import Literal

import msgspec

from devstate.findings import Finding, Severity

__all__ = ["Answer", "Answers", "ChainContext", "ChainReport", "Head", "KeyUse", "letter_meaning"]


class ChainContext(msgspec.Struct, frozen=True):
    """What verification may know beside the file itself.

    `file` is the name that findings carry; `agents` the ids of `state.agents`; `state_bytes` the bytes of
    state.json as they stand (None: there is no state); `now` an RFC 3339 time for FUTURE_TIME (None: not
    checked); `protected` is true in CI and production, where a missing or public secret is an error unless
    `allow_public_key`.
    """

    file: str = ".trae/history.json"
    agents: frozenset[str] = frozenset()
    state_bytes: bytes | None = None
    now: str | None = None
    protected: bool = False
    allow_public_key: bool = False


class Answer(msgspec.Struct, frozen=True):
    """One of the four questions, answered: `yes`, `no`, or `unknown` (it cannot be decided), and why."""

    status: Literal["yes", "no", "unknown"]
    sentence: str


class Answers(msgspec.Struct, frozen=True):
    """Integrity (was it changed?), authenticity (who can have written it?), completeness, time."""

    integrity: Answer
    authenticity: Answer
    completeness: Answer
    time: Answer


class Head(msgspec.Struct, frozen=True):
    """The last entry; `hmac` is whole (mask it in texts)."""

    index: int
    hmac: str
    ts: str
    actor: str
    action: str
    cp_to: str
    state_checksum: str


class KeyUse(msgspec.Struct, frozen=True):
    """A key that verified entries `first` to `last` (inclusive); never the secret."""

    kid: str
    first: int
    last: int
    public: bool
    weak: bool
    status: str


class ChainReport(msgspec.Struct, frozen=True):
    """The verdict on one history file; a function of its bytes, the key ring, the context and the limits.

    `letters` holds one ASCII letter an entry (see `letter_meaning`); `verified` counts the entries that are
    individually good; `first_bad` is the lowest entry with an error. `bound_entry` is the last entry whose
    state_checksum is that of state.json as it stands, `one_checksum` says that all entries name the same one.
    `sha256` is that of the whole file, in hex.
    """

    file: str
    size: int
    sha256: str
    form: Literal["array", "entries"] | None
    style: str
    entries: int
    verified: int
    first_bad: int | None
    letters: bytes
    head: Head | None
    keys: tuple[KeyUse, ...]
    answers: Answers
    findings: tuple[Finding, ...]
    checks_run: tuple[str, ...]
    checks_not_run: tuple[str, ...]
    not_provable: tuple[str, ...]
    bound_entry: int | None = None
    one_checksum: bool = False

    @property
    def ok(self) -> bool:
        """True where no finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


_LETTERS = {
    "G": "good",
    "B": "broken",
    "U": "good, but the key is public or weak",
    "Y": "good, under a retired key",
    "R": "under a compromised key",
    "E": "cannot be checked",
}


def letter_meaning(letter: str) -> str:
    """What a letter of `ChainReport.letters` says, in words."""
    return _LETTERS[letter]
