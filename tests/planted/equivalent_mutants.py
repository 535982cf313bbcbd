"""Mutants that change nothing anyone could notice, each with the reason. Named as in `mutants.Mutant.key`."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["EQUIVALENT"]

_Key = tuple[str, str, str]
_BLOCK = "how much is read, written or hashed at a time: the bytes are the same"
_TASTE = "how much memory or how many tries to allow: the results are the same"


def _all(reason: str, module: str, code: str, *changes: str) -> Iterator[tuple[_Key, str]]:
    for change in changes:
        yield (module, code, change), reason


EQUIVALENT: dict[_Key, str] = dict(
    [
        *_all(_BLOCK, "segments", "_FIRST_READ: Final = 4096", "4096 to 4097", "4096 to 4095"),
        *_all(
            "it is asked only where there is one, which is the first and the last",
            "snapshot_writing",
            'output.add(parts[0] if len(parts) == 1 else b"".join(parts))',
            "0 to -1",
        ),
        *_all(
            _BLOCK,
            "snapshot_writing",
            "_WRITE_BYTES: Final = 1 << 20",
            *("1 to 2", "20 to 21", "20 to 19"),
        ),
        *_all(_BLOCK, "snapshot_reading", "_READ_BYTES: Final = 1 << 20", "1 to 2", "20 to 21", "20 to 19"),
        *_all(_BLOCK, "repair", "_BLOCK = 1 << 20", "1 to 2", "20 to 21", "20 to 19"),
        *_all(_BLOCK, "snapshot_writing", "size = 0", "0 to 1", "0 to -1"),
        *_all(_BLOCK, "snapshot_writing", "parts, size = [], 0", "0 to 1", "0 to -1"),
        *_all(
            "a block that ends where the checksum begins has nothing of it, by either way",
            "snapshot_writing",
            "if done + len(data) <= end:",
            "<= to <",
        ),
        *_all(
            "a tail is asked about only where nothing is lost, and this is the end before a loss",
            "recovery",
            "tail_bytes=0,",
            *("0 to 1", "0 to -1"),
        ),
        *_all(
            _BLOCK,
            "snapshot_writing",
            "if size >= _WRITE_BYTES or len(parts) >= 1 << 16:",
            *(">= to >", ">= to <", "or to and", ">= to > (2)", ">= to < (2)"),
            *("1 to 2", "1 to 0", "16 to 17", "16 to 15", "<< to >>"),
        ),
        *_all(
            "no section comes near that many records",
            "snapshot_writing",
            "_SECTION_RECORDS: Final = (1 << 32) - 1",
            *("- to +", "1 to 2", "32 to 33", "32 to 31", "1 to 2 (2)", "1 to 0 (2)"),
        ),
        *_all(
            "no snapshot comes near that size",
            "snapshot_reading",
            "_NO_LIMIT: Final = (1 << 63) - 1  # a snapshot is as large as the database",
            *("- to +", "1 to 2", "63 to 64", "63 to 62", "1 to 2 (2)", "1 to 0 (2)"),
        ),
        *_all(
            "254 types with names do not come near that size, and what does is refused by either limit",
            "snapshot_reading",
            "_SMALL_SECTION: Final = 1 << 20  # of meta and end, with names and counts of at most 254 types",
            *("1 to 2", "20 to 21", "20 to 19"),
        ),
        *_all(
            "more bytes than the longest header has change nothing of it",
            "snapshot_reading",
            "_LONGEST_ARRAY_HEADER: Final = 5",
            "5 to 6",
        ),
        *_all(
            _BLOCK,
            "segments",
            "more = max(needed - left, 3 * len(data), _together(positions, place))",
            *("3 to 4", "3 to 2"),
        ),
        *_all(
            "nothing is read yet, so each of these is set anew before it is looked at",
            "segments",
            'data, start, exhausted = b"", 0, False  # what was read last, and whether its segment ends with it',
            *("0 to 1", "0 to -1", "False to True"),
        ),
        *_all(_TASTE, "commit", "_SETTLING_ATTEMPTS: Final = 100", "100 to 101", "100 to 99"),
        *_all(
            _TASTE,
            "segments",
            "_ATTEMPTS: Final = 3  # a segment moves once in its life, from wal/ to history/",
            "3 to 4",
        ),
        *_all(
            _TASTE,
            "timeline",
            "CHECKPOINT_BYTES = 64 << 20",
            *("64 to 65", "64 to 63", "20 to 21", "20 to 19"),
        ),
        *_all(_TASTE, "timeline", "_RECORD_BYTES = 120", "120 to 121", "120 to 119"),
        *_all(_TASTE, "timeline", "self._interval *= 2", "2 to 3"),
        *_all("an estimate of memory, off by one byte", "timeline", "self._held = 0", "0 to 1", "0 to -1"),
        *_all(
            "one part joined is that part",
            "snapshot_writing",
            'output.add(parts[0] if len(parts) == 1 else b"".join(parts))',
            "1 to 0",
        ),
        *_all(
            "how far apart checkpoints are: the steps are the same",
            "timeline",
            "self._interval = isqrt(max(total - 1, 0)) + 1",
            *("- to +", "1 to 2", "1 to 0", "0 to 1", "1 to 2 (2)"),
        ),
        *_all(
            "settling fails only where that broke the log, and a log in memory never does",
            "commit",
            'self.fail(log.broken if log is not None and log.broken else "the log could not be mended")',
            "and to or",
        ),
        *_all(
            "an estimate of memory, off by one record",
            "timeline",
            "self._stepper, self._entries = Stepper(self._registry.instances(), self._run), 0",
            *("0 to 1", "0 to -1"),
        ),
        *_all(
            "an estimate of memory, off by one record",
            "timeline",
            "self._entries = 0  # applied to get to the position: an upper bound for its records",
            *("0 to 1", "0 to -1"),
        ),
        *_all(
            "what is not taken the quick way is looked at again, and taken all the same",
            "walk",
            "and marker.ts >= last_ts",
            ">= to >",
        ),
        *_all(
            "descriptor 0 is another file's as long as the program has its input",
            "wal_writer",
            "if self._fd >= 0:",
            *("0 to 1", ">= to >"),
        ),
        *_all(
            "the version that a reader sees at its own commit is the newest one, by either way",
            "map_primitive",
            "record = newest if newest[0] <= cv else visible_at(newest, cv)",
            "<= to <",
        ),
        *_all(
            "the version that a reader sees at its own commit is the newest one, by either way",
            "map_primitive",
            "if record[0] > cv:",
            "> to >=",
        ),
        *_all(
            "what is chained is let go when the last reader that needs it leaves; this only looks again",
            "commit",
            "self.versions.trim(cv)",
            "call dropped",
        ),
        *_all(
            "readers of a commit of one record go the slower way for a moment, which comes to the same",
            "commit",
            "partly = len(changes) > 1 or changes[0][4][1] is None",
            *("> to >=", "1 to 0"),
        ),
        *_all(
            "it is asked only where there is one, which is the first and the last",
            "commit",
            "partly = len(changes) > 1 or changes[0][4][1] is None",
            "0 to -1",
        ),
        *_all(
            "what is unpacked is one number, the first and the last",
            "envelope",
            "length: int = _unpack_u32(data, offset)[0]",
            *("0 to -1", "0 to -1 (2)"),
        ),
        *_all(
            "segments are listed once for each start, so there is one, the first and the last",
            "following",
            "path = again[0].path",
            "0 to -1",
        ),
        *_all(
            "the versions of a database that is closed, where this is -1: none is of a commit before 1",
            "snapshotting",
            "primitives.versions.leave(reader, max(committer.visible, 0))",
            "0 to -1",
        ),
        *_all("any negative number is no descriptor", "following", "self._fd = -1", "1 to 2"),
        *_all(
            "descriptor 0 is another file's as long as the program has its input",
            "following",
            "if self._fd >= 0:",
            *("0 to 1", ">= to >"),
        ),
        *_all(
            "descriptor 0 is another file's as long as the program has its input",
            "following",
            "if self._fd < 0:",
            *("0 to 1", "< to <="),
        ),
        *_all("one more read, of no bytes", "segments", "while done < size:", "< to <="),
        *_all(
            "what is longer than the limit is none of these files, with what more of it was read or without",
            "identity",
            "part = retried(files.pread, fd, SMALL_FILE_LIMIT - len(data), len(data))",
            "- to +",
        ),
        *_all(
            "a checkpoint of the step where the cursor is has the same state",
            "timeline",
            "if step < here or nearest > here:",
            "> to >=",
        ),
        *_all(
            "segments are listed once for each start, so there is one, the first and the last",
            "segments",
            "path = again[0].path",
            "0 to -1",
        ),
        *_all(
            "what has neither a log nor memory has an obstacle to all writing, which is told first",
            "commit",
            "raise read_only()",
            "raise dropped",
        ),
        *_all(
            "what is intact again begins behind the defect, never before it",
            "verdicts",
            "size = max(0, self._resumed - self.pending.lsn)",
            "0 to -1",
        ),
        *_all(
            "it is asked only where there is one, which is the first and the last",
            "framing",
            "entry_type, payload = entries[0][:2]",
            "0 to -1",
        ),
        *_all(
            _BLOCK,
            "snapshot_writing",
            "self._pending, self._pending_bytes = [], 0",
            *("0 to 1", "0 to -1"),
        ),
        *_all(
            "one more look, which finds the same",
            "following",
            "moved = segment.start == self.start",
            "== to !=",
        ),
        *_all(
            "the indexes of archived segments are written again, as they were",
            "snapshotting",
            "for segment in list_segments(root, history=False, files=files):",
            "False to True",
        ),
    ]
)
