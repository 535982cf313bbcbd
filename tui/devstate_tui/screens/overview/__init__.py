"""The Overview: the verdict first, then what it rests on, then what to do."""

from .overview import OverviewScreen

__all__ = ["OverviewScreen"]
