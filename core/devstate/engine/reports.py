"""What reading a log found: defects, gaps, the end, and lost data as a report for a person.

Positions are LSNs (bytes since the database was made); `offset` is a byte in the file `segment` (a path).
"""

from __future__ import annotations

import msgspec

__all__ = ["REASONS", "CorruptionReport", "Defect", "Gap", "WalkEnd", "reason_in_words"]

REASONS = {
    "short": "the bytes end inside an entry, or a length was changed",
    "zeros": "zero bytes where an entry should be",
    "length": "a length that no entry has",
    "checksum": "the checksum of an entry is wrong",
    "foreign": "an entry of another database, or an old one",
    "commit": "a commit marker that does not fit the entries before it",
    "position": "a commit that was written for another place of the log",
    "time": "a commit that is older than the one before it",
    "duplicate": "a commit that is in the log already",
    "sequence": "commits between two others are missing",
    "missing": "a part of the log is missing",
    "overlap": "two files of the log claim the same place",
    "nested": "entries inside a damaged entry: nobody can tell whether they are a part of the log",
    "gaps": "more damaged places than are let pass",
    "inapplicable": "an intact commit that does not fit the state before it",
    "vanished": "bytes that were there after a clean close are gone",
    "unfinished": "entries without a commit marker",
}
"""Each `reason` and what it means."""


def reason_in_words(reason: str) -> str:
    """The meaning of a reason; the reason itself where it is not one of the known words."""
    return REASONS.get(reason, reason)


class Defect(msgspec.Struct, frozen=True, gc=False):
    """A place in the log that is not what must be there. `reason` is one of REASONS, `detail` says more."""

    reason: str
    lsn: int
    segment: str
    offset: int
    detail: str = ""


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Bytes that were passed over: the commits around them follow each other, so none was in them."""

    lsn: int
    bytes: int
    reason: str


class CorruptionReport(msgspec.Struct, frozen=True):
    """Committed data that is damaged, with what is known of it.

    `last_cv` is the last commit that is intact with all before it, None where one transaction alone was read
    and nothing else is known. `first_cv_after` is the first commit found
    intact behind the damage, None where none is. `commits_destroyed` counts those that are gone for certain,
    `destroyed_cvs` the first and last of them; at the end of the log there may be more that nobody can count.
    `intact_commits_cut` are whole behind the damage, of the runs `runs_cut` (UUID text), and are cut off
    together with everything else from `end_lsn` on: `bytes_cut` bytes.
    """

    segment: str
    lsn: int
    offset: int
    reason: str
    last_cv: int | None = None
    detail: str = ""
    end_lsn: int = 0
    first_cv_after: int | None = None
    commits_destroyed: int = 0
    destroyed_cvs: tuple[int, int] | None = None
    intact_commits_cut: int = 0
    runs_cut: tuple[str, ...] = ()
    bytes_cut: int = 0

    def sentences(self) -> list[str]:
        """The report in words: what and where, what is lost, what to do."""
        more = f" ({self.detail})" if self.detail else ""
        told = [f"{self.segment}, byte {self.offset} (LSN {self.lsn}): {reason_in_words(self.reason)}{more}."]
        if self.last_cv is None:
            return [*told, "Nothing was changed. `devstate db check` shows all damage."]
        told.append(
            f"Everything up to commit {self.last_cv} is intact."
            if self.last_cv
            else "No commit before it is intact."
        )
        if self.destroyed_cvs is not None:
            first, last = self.destroyed_cvs
            which = (
                f"commit {first} is"
                if first == last
                else f"{self.commits_destroyed} commits between {first} and {last} are"
            )
            told.append(f"{which[0].upper()}{which[1:]} destroyed.")
        elif self.intact_commits_cut:
            told.append(
                "No commit is known to be destroyed, but those behind the damage are not where they belong."
            )
        else:
            told.append("Nothing behind it can be read, so nobody can say how many commits stood there.")
        if self.intact_commits_cut:
            runs = len(self.runs_cut)
            told.append(
                f"{_counted(self.intact_commits_cut, 'later commit')} of {_counted(runs, 'run')} "
                f"can still be read, but must not be applied without those before them."
            )
        told += [
            f"Opening up to commit {self.last_cv} sets {_counted(self.bytes_cut, 'byte')} aside.",
            "Nothing was changed. Copy the folder of the database before anything else.",
            "`devstate db check` shows all damage; `devstate db salvage OUT` writes the later commits to a file.",
            "`devstate db recover --on-corruption read_only` opens what is intact and writes nothing; "
            "`devstate db recover --on-corruption prefix` cuts the log there and keeps the rest in quarantine/.",
        ]
        return told


class WalkEnd(msgspec.Struct, frozen=True):
    """What a walk found besides the transactions.

    `end_lsn` is where the log is good to: the end of the last valid commit, or of an abort or snapshot marker
    after it with nothing unfinished between. `log_end` is where its bytes end. `tail_bytes` are those behind
    `end_lsn`, and `tail_reason` (one of REASONS) says why they do not count; None where there are none, and
    where `lost` speaks of them. `max_sequence` is the highest transaction counter in any intact entry (-1: none).
    `orphaned_transactions` have entries but no marker. `unframed_entries` have no transaction. `entries` counts
    all intact ones up to the damage, markers too; `transactions` those that were yielded.
    """

    end_lsn: int
    last_cv: int
    last_ts: int
    max_sequence: int
    log_end: int
    tail_bytes: int = 0
    tail_reason: str | None = None
    tail_defect: Defect | None = None
    orphaned_transactions: int = 0
    aborted_transactions: int = 0
    gaps: tuple[Gap, ...] = ()
    unframed_entries: int = 0
    lost: CorruptionReport | None = None
    entries: int = 0
    transactions: int = 0


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
