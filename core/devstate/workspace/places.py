"""Where everything lies in a workspace; paths are relative to its root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devstate.trae import HISTORY_FILE, STATE_FILE

__all__ = ["CONFIG", "FOLDER", "HISTORY", "LEFTOVERS", "LOCK", "OWN_SCHEMAS", "STATE", "STORE"]

FOLDER: Final = ".trae"
STATE: Final = STATE_FILE
HISTORY: Final = HISTORY_FILE
LOCK: Final = ".trae/.lock"
LEFTOVERS: Final = ".trae/leftovers"
STORE: Final = ".trae/store"
CONFIG: Final = "devstate.toml"

# The workspace's own schemas, by document.
OWN_SCHEMAS: Final[Mapping[str, str]] = {STATE: "docs/STATE.schema.json", HISTORY: "docs/HISTORY.schema.json"}
