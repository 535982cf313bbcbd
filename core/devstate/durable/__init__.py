"""The one file layer of the core: bounded reads, atomic durable writes, leftovers, locks.

`devstate.durable.simulated` and `devstate.durable.faults` stand in for the operating system in crash checks.
"""

from .atomic import ANYTHING, atomic_replace, create_exclusive, ensure_folder, remove_durably
from .files import OS, Files
from .leftovers import Leftover, find_leftovers, remove_leftover, set_aside
from .locks import Holder, LockInfo, current_holder, hold_lock, inspect_lock
from .reading import Identity, Snapshot, StableFile, identity_of, kind_of, list_folder, read_bounded

__all__ = [
    "ANYTHING",
    "OS",
    "Files",
    "Holder",
    "Identity",
    "Leftover",
    "LockInfo",
    "Snapshot",
    "StableFile",
    "atomic_replace",
    "create_exclusive",
    "current_holder",
    "ensure_folder",
    "find_leftovers",
    "hold_lock",
    "identity_of",
    "inspect_lock",
    "kind_of",
    "list_folder",
    "read_bounded",
    "remove_durably",
    "remove_leftover",
    "set_aside",
]
