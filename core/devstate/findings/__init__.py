"""What can be wrong, in one type; its codes, and its renderers."""

from .codes import CODES, Class, Code
from .document import counted, finding_document, findings_document
from .html import render_html
from .junit import render_junit
from .markdown import render_markdown
from .paint import paint
from .report import Report, ReportCheck
from .sarif import render_sarif
from .text import place_of, render_finding, render_text
from .types import Finding, Severity, Where, exit_code, worst
from .visible import shortened, visible, visible_json

__all__ = [
    "CODES",
    "Class",
    "Code",
    "Finding",
    "Report",
    "ReportCheck",
    "Severity",
    "Where",
    "counted",
    "exit_code",
    "finding_document",
    "findings_document",
    "paint",
    "place_of",
    "render_finding",
    "render_html",
    "render_junit",
    "render_markdown",
    "render_sarif",
    "render_text",
    "shortened",
    "visible",
    "visible_json",
    "worst",
]
