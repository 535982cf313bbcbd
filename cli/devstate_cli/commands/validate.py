"""`devstate validate`: the No-Drift gate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from devstate.findings import exit_code, findings_document
from devstate_cli.command import command, invocation_of, not_yet
from devstate_cli.judging import open_workspace
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen
from devstate_cli.verdict import finding_lines, wrapped

from .verify import FORMATS, choose_format

if TYPE_CHECKING:
    from devstate.workspace import Gate

__all__ = ["validate"]


@command(
    "validate",
    examples=("devstate validate", "devstate validate --json", "devstate validate --format junit > gate.xml"),
    help=(
        "The No-Drift gate: no_drift is true, both documents are sound JSON and satisfy their schemas, every "
        "listed artifact is there with its checksum, and the chain verifies.\n\n"
        "Exit status: 0 all checks passed, 1 a check failed, 3 cannot be decided, 4 warnings under --strict."
    ),
)
@click.option("--jobs", type=click.IntRange(1, 256), metavar="N", help="Processes to verify with.")
@click.option("--strict", is_flag=True, help="Warnings fail as well (exit 4).")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Output format (default: text).")
@not_yet("--store", why="Leave it out: the files are validated.", takes_value=False)
@click.pass_context
def validate(context: click.Context, jobs: int | None, strict: bool, form: str | None) -> Outcome:
    from devstate.workspace import no_drift_gate

    call = invocation_of(context)
    form = choose_format(call.json, form)
    call.json = form == "json"
    screen = Screen(colour=not call.no_color)
    with open_workspace(call, jobs=jobs) as workspace:
        reading = workspace.read(on_progress=screen.progress("validating"))
        try:
            gate = no_drift_gate(reading)
        finally:
            reading.close()
        root = workspace.root
    status = exit_code(gate.findings, strict=strict)
    if status in (0, 4) and not gate.ok:  # a check that could not be made has not passed
        status = 3

    def text(screen: Screen) -> Iterable[str]:
        if form in ("text", "json"):
            return _lines(gate, status, screen)
        from devstate_cli.reports import RENDERERS, gate_report

        return [RENDERERS[form](gate_report(gate, root, status)).removesuffix("\n")]

    return Outcome(_document(gate, status), text, status, for_programs=form not in ("text", "json"))


def _document(gate: Gate, status: int) -> dict[str, Any]:
    counts = gate.artifacts
    return {
        "ok": status == 0,
        "checks": [
            {"name": check.name, "ok": check.ok, "findings": check.findings, "sentence": check.sentence}
            for check in gate.checks
        ],
        "artifacts": {
            "total": counts.total,
            "matched": counts.matched,
            "mismatched": counts.mismatched,
            "missing": counts.missing,
        },
        "findings": findings_document(gate.findings),
    }


_VERDICTS = {
    0: ("✔", "good", "NO DRIFT", "every check passed"),
    1: ("✘", "bad", "DRIFT", "a check failed"),
    3: ("?", "look", "CANNOT DECIDE", "a check could not be made"),
    4: ("!", "look", "NO DRIFT, BUT AGAINST POLICY", "warnings fail under --strict"),
    5: ("?", "look", "NO VERDICT", "the input changed or could not be read"),
}


def _lines(gate: Gate, status: int, screen: Screen) -> Iterator[str]:
    mark, style, words, why = _VERDICTS.get(status, _VERDICTS[3])
    passed = sum(check.ok for check in gate.checks)
    why = f"{passed} of {len(gate.checks)} checks passed" if status == 1 else why
    yield f"{screen.paint(f'{mark} {words}', style)}  {why}"
    yield ""
    for check in gate.checks:
        sign, style = ("✔", "good") if check.ok else ("✘", "bad")
        lines = wrapped(check.sentence, screen.width - 21)
        yield f"  {screen.paint(sign, style)} {check.name:<15}  {lines[0]}"
        yield from (" " * 21 + line for line in lines[1:3])
    yield from finding_lines(gate.findings, None, screen)
