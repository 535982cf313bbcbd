"""`devstate verify`: the chain and its binding to the state."""

from __future__ import annotations

from collections.abc import Iterable

import click

from devstate.errors import UsageError
from devstate.findings import exit_code
from devstate_cli.command import command, invocation_of, not_yet
from devstate_cli.judging import Judged, judged_history
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen
from devstate_cli.verdict import head_document, verdict_document, verdict_lines

__all__ = ["choose_format", "verify"]

FORMATS = ("text", "json", "sarif", "junit", "markdown", "html")


@command(
    "verify",
    examples=(
        "devstate verify",
        "devstate verify --json",
        "devstate verify .trae/history.json --format sarif > devstate.sarif",
    ),
    help=(
        "Verify the history: every HMAC, every link, every format, the keys, the times and the binding to "
        "state.json. FILE is another history than the workspace's.\n\n"
        "Exit status: 0 verified, 1 broken, 3 cannot be decided (no key, wrong key, unreadable), "
        "4 against policy under --strict, 5 the file changed while it was read."
    ),
)
@click.argument("file", required=False, type=click.Path())
@click.option("--jobs", type=click.IntRange(1, 256), metavar="N", help="Processes to verify with.")
@click.option("--strict", is_flag=True, help="Warnings and an unproven completeness fail (exit 4).")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Output format (default: text).")
@not_yet("--since-checkpoint", why="Leave it out: the whole file is verified, which takes seconds at most.")
@not_yet("--pin", why="Leave it out, and compare the head with the one that you kept.")
@click.pass_context
def verify(
    context: click.Context, file: str | None, jobs: int | None, strict: bool, form: str | None
) -> Outcome:
    call = invocation_of(context)
    form = choose_format(call.json, form)
    call.json = form == "json"
    screen = Screen(colour=not call.no_color)
    with judged_history(call, file, jobs=jobs, on_progress=screen.progress("verifying")) as judged:
        status = verify_status(judged, strict=strict)
        document = verdict_document(judged, status, unmasked=call.unmasked)
        if judged.report is None and judged.findings:
            document["error"] = _why_unread(judged)

        def text(screen: Screen) -> Iterable[str]:
            if form in ("text", "json"):
                return verdict_lines(judged, status, screen)
            from devstate_cli.reports import RENDERERS, verify_report

            head = head_document(judged.report, unmasked=call.unmasked)
            report = verify_report(judged, status, head["hmac"] if head else None)
            return [RENDERERS[form](report).removesuffix("\n")]

        return Outcome(document, text, status, for_programs=form not in ("text", "json"))


def choose_format(as_json: bool, form: str | None) -> str:
    """`--json` is `--format json`. Raises UsageError where the two disagree."""
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form} exclude each other", remedy="Give one of them.")
    return "json" if as_json else form or "text"


def verify_status(judged: Judged, *, strict: bool) -> int:
    """The exit status: that of the findings; under `strict` an unproven completeness fails as well."""
    status = exit_code(judged.findings, strict=strict)
    report = judged.report
    if status == 0 and strict and (report is None or report.answers.completeness.status != "yes"):
        return 4
    return status


def _why_unread(judged: Judged) -> dict[str, str]:
    gravest = judged.findings[0]
    return {"code": gravest.code, "message": gravest.message, "remedy": gravest.remedy}
