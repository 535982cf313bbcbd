"""What the command palette finds."""

from .actions import ActionCommands
from .findings import FindingCommands

__all__ = ["ActionCommands", "FindingCommands"]
