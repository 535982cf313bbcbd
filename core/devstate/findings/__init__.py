"""What can be wrong, in one type; its codes, and its renderers."""

from .codes import CODES, Class, Code
from .types import Finding, Severity, Where, exit_code, worst

__all__ = ["CODES", "Class", "Code", "Finding", "Severity", "Where", "exit_code", "worst"]
