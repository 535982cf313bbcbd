"""A report as one HTML file that needs nothing beside it: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from .document import counted
from .report import Report
from .text import place_of
from .types import Finding
from .visible import visible

__all__ = ["render_html"]

_STYLE = """
:root { color-scheme: light dark; --bad: #b3261e; --good: #1a7f37; --look: #9a6700; --dim: #6e7781; }
@media (prefers-color-scheme: dark) {
  :root { --bad: #ff7b72; --good: #56d364; --look: #e3b341; --dim: #8b949e; }
}
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.verdict { font-size: 1.2rem; font-weight: 600; }
.ok, .info { color: var(--good); } .failed, .error { color: var(--bad); }
.warning { color: var(--look); } .skipped, .dim { color: var(--dim); }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0; }
code, .value { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
article { border-left: 3px solid currentColor; padding-left: .8rem; margin: 1rem 0; }
article > * { margin: .1rem 0; } article p, article dl { color: canvastext; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; } dd { margin: 0; }
""".strip()


def render_html(report: Report) -> str:
    """The HTML text; every text of the data is escaped, and a policy forbids scripts besides."""
    verdict = "ok" if report.ok else "failed"
    mark = "✔" if report.ok else "✘"
    body = [
        f"<h1>{_text(report.title)}</h1>",
        f'<p class="verdict {verdict}">{mark} {_text(report.verdict)}</p>',
    ]
    if report.facts:
        rows = (
            f'<tr><th>{_text(name)}</th><td class="value">{_text(value)}</td></tr>'
            for name, value in report.facts
        )
        body.append(f"<table>{''.join(rows)}</table>")
    if report.checks:
        rows = (
            f'<tr><td>{_text(check.name)}</td><td class="{_CLASS[check.ok]}">{_RESULT[check.ok]}</td>'
            f"<td>{_text(check.sentence or counted(check.findings))}</td></tr>"
            for check in report.checks
        )
        body.append(f"<h2>Checks</h2>\n<table>{''.join(rows)}</table>")
    body.append(f"<h2>Findings: {_text(counted(report.findings))}</h2>")
    body += [_finding(finding) for finding in report.findings]
    if report.limits:
        items = "".join(f"<li>{_text(limit)}</li>" for limit in report.limits)
        body.append(f"<h2>What this cannot prove</h2>\n<ul>{items}</ul>")
    body.append(f'<p class="dim">devstate {_text(report.version)}</p>')
    lines = "\n".join(body)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(report.title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n"
        f"<body>\n{lines}\n</body>\n</html>\n"
    )


_CLASS = {True: "ok", False: "failed", None: "skipped"}
_RESULT = {True: "ok", False: "failed", None: "not run"}


def _finding(finding: Finding) -> str:
    place = place_of(finding)
    parts = [f"<strong>{_text(finding.code)}</strong> <span>{finding.severity.value}</span>"]
    if place:
        parts.append(f' <code class="dim">{_text(place)}</code>')
    parts.append(f"<p>{_text(finding.message)}</p>")
    values = [("expected", finding.expected), ("actual", finding.actual)]
    rows = "".join(
        f'<dt>{name}</dt><dd class="value">{_text(value)}</dd>' for name, value in values if value is not None
    )
    if rows:
        parts.append(f"<dl>{rows}</dl>")
    if finding.remedy:
        parts.append(f"<p>→ {_text(finding.remedy)}</p>")
    return f'<article class="{finding.severity.value}">{"".join(parts)}</article>'


def _text(text: str) -> str:
    from html import escape

    return escape(visible(text), quote=True)
