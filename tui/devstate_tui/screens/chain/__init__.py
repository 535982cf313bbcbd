"""The Chain: every entry, the breaks among them, and each one in detail."""

from .chain import ChainScreen

__all__ = ["ChainScreen"]
