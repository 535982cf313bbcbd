"""The runs of a database: which there are, and what each did."""

from .runs import RunsScreen

__all__ = ["RunsScreen"]
