"""The finding codes: class, meaning and remedy of each. docs/findings.md is held to this list by a test."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["CODES", "Class", "Code"]


class Class(StrEnum):
    """What kind of failure a code is; it decides the exit status."""

    INTEGRITY = "integrity"
    UNDECIDABLE = "undecidable"
    IO = "io"
    POLICY = "policy"
    INFORMATION = "information"


class Code(NamedTuple):
    failure_class: Class
    title: str
    remedy: str


_RESTORE = (
    "Compare the entry with an earlier copy (git log -p, a backup) and restore the file; do not re-sign it."
)

CODES: dict[str, Code] = {
    # -- integrity ---------------------------------------------------------------------------------
    "HMAC_MISMATCH": Code(Class.INTEGRITY, "a covered field, or the HMAC itself, was changed", _RESTORE),
    "CHAIN_LINK_BROKEN": Code(
        Class.INTEGRITY,
        "hmac_prev is not the HMAC of the entry before",
        "An entry was inserted, removed or moved here; restore the order from an earlier copy.",
    ),
    "GENESIS_LINK": Code(
        Class.INTEGRITY,
        "the first entry's hmac_prev is neither empty nor an HMAC",
        'The first entry of a chain has "hmac_prev": ""; restore the first entry from an earlier copy.',
    ),
    "HEAD_MISSING": Code(
        Class.INTEGRITY,
        "the first entry names a predecessor that is not in the file",
        "Entries at the beginning were removed; restore them from an earlier copy.",
    ),
    "KEY_OUT_OF_RANGE": Code(
        Class.INTEGRITY,
        "an entry verifies under a key outside the range that the key covers",
        "Find out who used this key at that time; a retired key must not sign again.",
    ),
    "KEY_COMPROMISED": Code(
        Class.INTEGRITY,
        "entries verify under a key that is marked compromised",
        "Compare them with what is known from elsewhere; whoever has the key can have written them.",
    ),
    "DUPLICATE_KEY": Code(
        Class.INTEGRITY,
        "a JSON object has the same member twice",
        "Readers disagree about which one counts; remove the wrong one by restoring the file.",
    ),
    "DUPLICATE_ENTRY": Code(
        Class.INTEGRITY,
        "the same entry stands in the file more than once",
        "Remove the later copy by restoring the file; an entry is never repeated.",
    ),
    "FIELD_TYPE": Code(Class.INTEGRITY, "a field has the wrong JSON type", _RESTORE),
    "FIELD_MISSING": Code(Class.INTEGRITY, "a required field is absent", _RESTORE),
    "FIELD_FORMAT": Code(Class.INTEGRITY, "a timestamp or hexadecimal field is not in its format", _RESTORE),
    "SHAPE": Code(
        Class.INTEGRITY,
        'the file is neither an array of entries nor {"entries": [...]}',
        "Restore the file; an object of another shape is not a history.",
    ),
    "EMPTY_HISTORY": Code(
        Class.INTEGRITY,
        "the history holds no entry although the project has a state",
        "Restore the history from an earlier copy; a project with a state has at least one entry.",
    ),
    "ENCODING": Code(
        Class.INTEGRITY,
        "the bytes are not plain UTF-8 (a byte order mark, an invalid sequence, a lone surrogate)",
        "Save the file as UTF-8 without a byte order mark, from an earlier copy.",
    ),
    "CANON_UNREPRESENTABLE": Code(
        Class.INTEGRITY,
        "a number that programs do not agree on (beyond 2^53, NaN, infinite)",
        "Write such a number as a string.",
    ),
    "ARTIFACT_MISMATCH": Code(
        Class.INTEGRITY,
        "a listed artifact's bytes differ from its checksum",
        "Restore the artifact, or recompute its checksum and record the change with an entry.",
    ),
    "ARTIFACT_MISSING": Code(
        Class.INTEGRITY,
        "a listed artifact is not there",
        "Restore the file, or take it off the list and record the change with an entry.",
    ),
    "SYMLINK": Code(
        Class.INTEGRITY,
        "an artifact path leads through a symbolic link",
        "List the real file instead; links are never followed.",
    ),
    "PATH_ESCAPE": Code(
        Class.INTEGRITY,
        "an artifact path leaves the workspace, is absolute, or is no regular file",
        "List paths relative to the workspace root, without '..'.",
    ),
    "LIMIT_EXCEEDED": Code(
        Class.INTEGRITY,
        "the input is larger or deeper than the limits that protect the reader",
        "If the file is honest, raise the limit in devstate.toml; the message names the setting.",
    ),
    "TORN_FILE": Code(
        Class.INTEGRITY,
        "the JSON ends early, goes on after its end, or cannot be read at some byte",
        "An interrupted write or a damaged file; restore it. The last good entry is named.",
    ),
    "SCHEMA_INVALID": Code(
        Class.INTEGRITY,
        "the document does not satisfy its schema",
        "Correct the member that the pointer names.",
    ),
    "NO_DRIFT_FALSE": Code(
        Class.INTEGRITY,
        "state.json says that the project has drifted (no_drift is not true)",
        "Finish the work that set the flag, then set no_drift to true with an entry.",
    ),
    "UNMASKED_SECRET": Code(
        Class.INTEGRITY,
        "a document or log holds a whole HMAC or a secret that should be masked",
        "Mask it (first 16 digits and ...), and rotate a leaked secret.",
    ),
    "WAL_CORRUPT": Code(
        Class.INTEGRITY,
        "committed transactions of the engine's log are damaged or gone",
        "Copy the folder of the database first; `devstate db salvage OUT` exports what is intact behind the damage.",
    ),
    "SNAPSHOT_CORRUPT": Code(
        Class.INTEGRITY,
        "a snapshot of the engine cannot be read",
        "Opening the database uses an older snapshot and the log; take a new one with `devstate db snapshot`.",
    ),
    "STATE_MISMATCH": Code(
        Class.INTEGRITY,
        "a snapshot, or what recovery makes, is not what the log leads to",
        "Keep a copy of the folder; the log is the authority, so move the snapshot away and open it again.",
    ),
    "EVENT_CHAIN_BROKEN": Code(
        Class.INTEGRITY,
        "an event of a run does not fit its hash or the event before it",
        "Events were changed outside the engine; compare them with a copy of the database.",
    ),
    # -- cannot decide -----------------------------------------------------------------------------
    "WRONG_KEY": Code(
        Class.UNDECIDABLE,
        "all links are intact but no entry verifies: this is not the key of the chain",
        "Give the chain's own secret (BEAMLINE_HMAC_SECRET or --secret-file).",
    ),
    "KEY_MISSING": Code(
        Class.UNDECIDABLE,
        "no secret is configured and defaults are not allowed here",
        "Set BEAMLINE_HMAC_SECRET in the environment, or give --secret-file.",
    ),
    "INPUT_MISSING": Code(
        Class.UNDECIDABLE,
        "a file that the check needs does not exist",
        "Check the path (-C DIR), or make a workspace with `devstate init`.",
    ),
    "INPUT_UNREADABLE": Code(
        Class.UNDECIDABLE,
        "a file that the check needs cannot be read",
        "Check its kind and permissions.",
    ),
    "STORE_UNREADABLE": Code(
        Class.UNDECIDABLE,
        "the database has a file that this program cannot judge, or nothing to build a state on",
        "Put the missing files back from a copy, or open it with a newer DevState, as the message says.",
    ),
    # -- policy ------------------------------------------------------------------------------------
    "WEAK_KEY": Code(
        Class.UNDECIDABLE,  # an error only in CI and production; elsewhere a warning, which is policy
        "the chain is signed with a public default or a short secret: anybody can forge it",
        "Use a secret of 16 characters or more that only the writers know.",
    ),
    "FIELD_BOUNDARY_AMBIGUOUS": Code(
        Class.POLICY,
        "v1 does not fix where actor ends and action begins, and this actor is unknown",
        "Check with the actor; characters may have been moved between the two fields.",
    ),
    "TIME_REGRESSION": Code(
        Class.POLICY, "an entry is older than the one before it", "Check the clock of the writer."
    ),
    "FUTURE_TIME": Code(
        Class.POLICY, "an entry's time lies in the future", "Check the clock of the writer, and yours."
    ),
    "KEY_UNDECLARED": Code(
        Class.POLICY,
        "the key changes inside the chain without a record of the rotation",
        "Confirm the rotation with whoever holds the keys.",
    ),
    "STATE_UNBOUND": Code(
        Class.POLICY,
        "the last entry's state_checksum is not the checksum of state.json as it stands",
        "Append an entry after each change of state.json; see docs/findings.md for the circle in v1.",
    ),
    "CONTROL_CHARS": Code(
        Class.POLICY,
        "a text holds terminal control or bidirectional override characters",
        "They are shown escaped here; other tools may be fooled by them.",
    ),
    "SCHEMA_WEAKENED": Code(
        Class.POLICY,
        "the workspace's own schema accepts what the built-in one refuses",
        "Compare docs/*.schema.json with the published schema.",
    ),
    "LEFTOVER_TMP": Code(
        Class.POLICY,
        "a temporary file of an interrupted write lies beside the documents",
        "The next writing command sets it aside; look at it first if you miss a change.",
    ),
    "STALE_LOCK": Code(
        Class.POLICY,
        "a lock file names a process that is gone",
        "Nothing holds it; the next writing command takes it over.",
    ),
    "WAL_GAP": Code(
        Class.POLICY,
        "bytes of the engine's log are no entries, but no commit can have been in them",
        "Nothing is lost; check the disk if there are more of them each time.",
    ),
    "HISTORY_INDEX_BAD": Code(
        Class.POLICY,
        "the index of a sealed segment is missing or not that of its segment",
        "Nothing is lost: replay reads the segment itself, which takes longer.",
    ),
    "STORE_FILE_DAMAGED": Code(
        Class.POLICY,
        "a small file of the database (META, CLEAN) is missing or damaged, and not needed",
        "Opening the database for writing puts it right.",
    ),
    "STORE_DEGRADED": Code(
        Class.POLICY,
        "the database holds records of a kind that is not registered here",
        "Open it with the plug-in that wrote them; until then nothing old is deleted.",
    ),
    "STORE_LEFTOVER": Code(
        Class.POLICY,
        "a file in the folder of the database belongs to no part of it",
        "Look at it, then move it away; the engine does not read it.",
    ),
    # -- input and output --------------------------------------------------------------------------
    "CHANGED_DURING_READ": Code(
        Class.IO, "the file changed while it was read", "Run the check again when the writer is done."
    ),
    "IO_ERROR": Code(Class.IO, "the operating system failed a read or a write", "Check the disk."),
    # -- information -------------------------------------------------------------------------------
    "UNCOVERED_FIELD": Code(
        Class.INFORMATION,
        "members that the v1 HMAC does not cover; they can be changed unnoticed",
        "Judge nothing by them alone.",
    ),
    "COMPLETENESS_UNPROVEN": Code(
        Class.INFORMATION,
        "nothing outside the file says how many entries there should be",
        "Keep the head (count and HMAC) outside the repository and compare.",
    ),
    "FORMAT_NONCANONICAL": Code(
        Class.INFORMATION,
        "the bytes are not the reference serialisation",
        "Harmless by itself; other tools may rewrite the file.",
    ),
    "NOT_PROVABLE": Code(
        Class.INFORMATION,
        "what no check of this file can prove",
        "Read it before you rely on the verdict.",
    ),
    "WAL_TORN_TAIL": Code(
        Class.INFORMATION,
        "the engine's log ends with an unfinished transaction, as after a crash",
        "Nothing to do: the next writer cuts it off; no acknowledged commit is in it.",
    ),
    "HISTORY_PRUNED": Code(
        Class.INFORMATION,
        "the oldest history of the database was deleted, as its settings say",
        'Open the database with history="keep" where all of it is to stay.',
    ),
    "RUN_ORPHANED": Code(
        Class.INFORMATION,
        "a run was begun and not ended, and its process is gone",
        "End it with `devstate run end` or `devstate run abort`, or resume it from its program (`resume_run`).",
    ),
}
