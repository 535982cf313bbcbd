"""The faults that a demo can be given: one for each thing that a check of this version finds.

The table is what `devstate init --demo --tamper NAME` offers; the sentence is what it prints. A name is the
finding code, with a suffix where one code can be met in several ways.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal

import msgspec

from devstate.errors import UsageError

from .edits import (
    cut_short,
    edit_entry,
    edit_row,
    first,
    halve_indent,
    insert_copy,
    last,
    leave_out,
    middle,
    put_before,
    put_instead,
    swap,
)
from .history import PUBLIC_SECRET
from .planting import (
    KEYRING,
    OTHER_SECRET,
    STATUS,
    add_keyring,
    drifted,
    edit_artifact,
    edit_state,
    folder_for_history,
    insert_signed,
    leak_hmac,
    leave_lock,
    leave_temporary,
    link_artifact,
    list_outside,
    nested,
    no_entries,
    own_schema,
    put_metadata,
    remove_artifact,
    unknown_status,
)
from .recipe import Recipe

__all__ = ["TAMPERS", "Tamper", "find_tamper"]


class Tamper(msgspec.Struct, frozen=True):
    """A fault to plant.

    `code` is the finding that it must give, `sentence` what was done, for people. `found_by` is the least
    command that finds it, `arguments` what that needs besides. `also` are the codes of warnings and errors
    that `validate` gives with it of necessity.
    """

    name: str
    code: str
    sentence: str
    recipe: Recipe
    found_by: Literal["verify", "validate", "mask check"] = "verify"
    arguments: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


_ALL = (
    Tamper(
        "HMAC_MISMATCH",
        "HMAC_MISMATCH",
        "the action of the entry in the middle was changed after it was signed",
        Recipe(entries=edit_entry(middle, r'"action": "\w+"', '"action": "gate_override"')),
    ),
    Tamper(
        "CHAIN_LINK_BROKEN",
        "CHAIN_LINK_BROKEN",
        "the entry in the middle was deleted",
        Recipe(entries=leave_out(middle)),
    ),
    Tamper(
        "CHAIN_LINK_BROKEN-INSERTED",
        "CHAIN_LINK_BROKEN",
        "an entry was inserted after the one in the middle, by somebody who knows the secret",
        Recipe(entries=insert_signed),
    ),
    Tamper(
        "CHAIN_LINK_BROKEN-REORDERED",
        "CHAIN_LINK_BROKEN",
        "the entry in the middle and the next one changed places",
        Recipe(entries=swap(middle)),
        also=("TIME_REGRESSION",),
    ),
    Tamper(
        "DUPLICATE_ENTRY",
        "DUPLICATE_ENTRY",
        "the entry in the middle was repeated",
        Recipe(entries=insert_copy(middle)),
        also=("CHAIN_LINK_BROKEN",),
    ),
    Tamper(
        "GENESIS_LINK",
        "GENESIS_LINK",
        "the first entry names a predecessor that cannot be one",
        Recipe(first_prev="genesis"),
    ),
    Tamper(
        "HEAD_MISSING",
        "HEAD_MISSING",
        "the first entry was deleted",
        Recipe(entries=leave_out(first)),
    ),
    Tamper(
        "EMPTY_HISTORY",
        "EMPTY_HISTORY",
        "all entries were deleted: the history is an empty list",
        Recipe(entries=no_entries),
    ),
    Tamper(
        "SHAPE",
        "SHAPE",
        "the history was replaced by an object of another shape",
        Recipe(layout=put_instead(b'{"x": 1}')),
    ),
    Tamper(
        "DUPLICATE_KEY",
        "DUPLICATE_KEY",
        "the entry in the middle has two actions; programs disagree about which one counts",
        Recipe(entries=edit_entry(middle, r'"action": ', '"action": "gate_override",\n        "action": ')),
    ),
    Tamper(
        "ENCODING",
        "ENCODING",
        "the history begins with a byte order mark",
        Recipe(layout=put_before(b"\xef\xbb\xbf")),
    ),
    Tamper(
        "FIELD_TYPE",
        "FIELD_TYPE",
        "hmac_prev of the first entry is null instead of an empty text",
        Recipe(entries=edit_entry(first, r'"hmac_prev": ""', '"hmac_prev": null')),
        also=("SCHEMA_INVALID",),
    ),
    Tamper(
        "FIELD_MISSING",
        "FIELD_MISSING",
        "cp_to of the entry in the middle was taken out; v1 does not cover it",
        Recipe(entries=edit_entry(middle, r'\n +"cp_to": "[^"]*",', "")),
        also=("SCHEMA_INVALID",),
    ),
    Tamper(
        "FIELD_FORMAT",
        "FIELD_FORMAT",
        "the last character of a time was moved to the front of the actor; the v1 HMAC stays right",
        Recipe(entries=edit_entry(middle, r'Z",(\n +"actor": ")', r'",\1Z')),
    ),
    Tamper(
        "CANON_UNREPRESENTABLE",
        "CANON_UNREPRESENTABLE",
        "the metadata of the entry in the middle holds a number that programs round differently",
        Recipe(rows=put_metadata({"amount_minor": 2**53 + 1})),
    ),
    Tamper(
        "TORN_FILE",
        "TORN_FILE",
        "the history ends in the middle of its last entry, as after an interrupted write",
        Recipe(layout=cut_short(300)),
        also=("STATE_UNBOUND",),
    ),
    Tamper(
        "LIMIT_EXCEEDED",
        "LIMIT_EXCEEDED",
        "the metadata of the entry in the middle is nested 100 levels deep",
        Recipe(rows=put_metadata(nested(100))),
    ),
    Tamper(
        "WRONG_KEY",
        "WRONG_KEY",
        "the whole history was signed with a secret that you do not have",
        Recipe(secrets=((first, OTHER_SECRET),)),
    ),
    Tamper(
        "KEY_UNDECLARED",
        "KEY_UNDECLARED",
        f"the secret changes in the middle without a record of it; verify with --keyring {KEYRING}",
        Recipe(secrets=((first, PUBLIC_SECRET), (middle, OTHER_SECRET)), afterwards=add_keyring),
        arguments=("--keyring", KEYRING),
    ),
    Tamper(
        "TIME_REGRESSION",
        "TIME_REGRESSION",
        "the entry in the middle claims to be older than the one before",
        Recipe(rows=edit_row(middle, lambda row: row._replace(ts="2025-12-31T23:59:59Z"))),
    ),
    Tamper(
        "FUTURE_TIME",
        "FUTURE_TIME",
        "the last entry claims to be from the year 2199",
        Recipe(rows=edit_row(last, lambda row: row._replace(ts="2199-01-01T00:00:00Z"))),
    ),
    Tamper(
        "FIELD_BOUNDARY_AMBIGUOUS",
        "FIELD_BOUNDARY_AMBIGUOUS",
        "the first letter of an action was moved to the end of the actor; the v1 HMAC stays right",
        Recipe(entries=edit_entry(middle, r'"(,\n +"action": ")(\w)', r'\2"\1')),
    ),
    Tamper(
        "CONTROL_CHARS",
        "CONTROL_CHARS",
        "a note in the entry in the middle holds a terminal escape and a text direction override",
        Recipe(rows=put_metadata({"note": "all tests \x1b[32mpassed\x1b[0m \u202edessap\u202c"})),
    ),
    Tamper(
        "STATE_UNBOUND",
        "STATE_UNBOUND",
        "state.json was edited without an entry",
        Recipe(afterwards=edit_state),
    ),
    Tamper(
        "ARTIFACT_MISMATCH",
        "ARTIFACT_MISMATCH",
        "a line was added to src/ledger/balance.py, which the state lists",
        Recipe(afterwards=edit_artifact),
        "validate",
    ),
    Tamper(
        "ARTIFACT_MISSING",
        "ARTIFACT_MISSING",
        "src/router/retry.py, which the state lists, was removed",
        Recipe(afterwards=remove_artifact),
        "validate",
    ),
    Tamper(
        "SYMLINK",
        "SYMLINK",
        "docs/architecture.md, which the state lists, is a symbolic link now",
        Recipe(afterwards=link_artifact),
        "validate",
    ),
    Tamper(
        "PATH_ESCAPE",
        "PATH_ESCAPE",
        "the state lists a file outside the workspace",
        Recipe(state=list_outside),
        "validate",
    ),
    Tamper(
        "SCHEMA_INVALID",
        "SCHEMA_INVALID",
        f'an agent has the status "{STATUS}", which the format does not know',
        Recipe(state=unknown_status),
        "validate",
    ),
    Tamper(
        "SCHEMA_WEAKENED",
        "SCHEMA_WEAKENED",
        f'the project\'s own docs/STATE.schema.json accepts the status "{STATUS}", the format does not',
        Recipe(state=own_schema),
        "validate",
    ),
    Tamper(
        "NO_DRIFT_FALSE",
        "NO_DRIFT_FALSE",
        "the state says that the project has drifted",
        Recipe(state=drifted),
        "validate",
    ),
    Tamper(
        "FORMAT_NONCANONICAL",
        "FORMAT_NONCANONICAL",
        "the history is laid out with two spaces a level; nothing else changed",
        Recipe(layout=halve_indent),
    ),
    Tamper(
        "LEFTOVER_TMP",
        "LEFTOVER_TMP",
        "half a state.json.tmp lies in .trae, as after an interrupted write",
        Recipe(afterwards=leave_temporary),
        "validate",
    ),
    Tamper(
        "STALE_LOCK",
        "STALE_LOCK",
        "the lock file names a process that is gone",
        Recipe(afterwards=leave_lock),
        "validate",
    ),
    Tamper(
        "INPUT_MISSING",
        "INPUT_MISSING",
        "there is no history.json",
        Recipe(history=False),
    ),
    Tamper(
        "INPUT_UNREADABLE",
        "INPUT_UNREADABLE",
        "a folder stands where history.json should be",
        Recipe(history=False, afterwards=folder_for_history),
    ),
    Tamper(
        "UNMASKED_SECRET",
        "UNMASKED_SECRET",
        "logs/build.log holds a whole HMAC (devstate mask check logs)",
        Recipe(afterwards=leak_hmac),
        "mask check",
        ("logs",),
    ),
)

TAMPERS: Final = MappingProxyType({tamper.name: tamper for tamper in _ALL})
"""Name -> fault, in the order in which they are offered."""


def find_tamper(name: str) -> Tamper:
    """The fault of a name. Raises UsageError, which lists all names."""
    found = TAMPERS.get(name)
    if found is None:
        raise UsageError(
            f"{name!r} is no fault that a demo can be given", remedy=f"Give one of: {', '.join(TAMPERS)}."
        )
    return found
