"""`devstate doctor`: is everything around the documents in order?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from devstate.findings import visible
from devstate_cli.command import command, invocation_of
from devstate_cli.judging import settings_around
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen
from devstate_cli.verdict import wrapped

__all__ = ["doctor"]

_MARKS = {"ok": ("✔", "good"), "warn": ("!", "look"), "fail": ("✘", "bad")}


@command(
    "doctor",
    examples=("devstate doctor", "devstate doctor --json"),
    help=(
        "Check the environment: secrets (never shown), locks, leftovers of interrupted writes, the store, "
        "versions, the terminal; each with a remedy.\n\n"
        "Exit status: 0 nothing fails, 3 something does."
    ),
)
@click.pass_context
def doctor(context: click.Context) -> Outcome:
    from devstate.workspace import doctor as examine

    call = invocation_of(context)
    diagnoses = examine(call.directory, settings_around(call))
    failed = any(diagnosis.status == "fail" for diagnosis in diagnoses)
    document = {
        "ok": not failed,
        "checks": [
            {"name": d.name, "status": d.status, "sentence": d.sentence, "remedy": d.remedy}
            for d in diagnoses
        ],
    }
    return Outcome(document, lambda screen: _lines(diagnoses, screen), 3 if failed else 0)


def _lines(diagnoses: Iterable[Any], screen: Screen) -> Iterator[str]:
    for diagnosis in diagnoses:
        mark, style = _MARKS[diagnosis.status]
        name = visible(diagnosis.name)
        first, *rest = wrapped(diagnosis.sentence, screen.width - 25)
        yield f"{screen.paint(mark, style)} {name:<22} {first}"
        yield from (" " * 25 + line for line in rest)
        if diagnosis.remedy and diagnosis.status != "ok":
            first, *rest = wrapped(diagnosis.remedy, screen.width - 27)
            yield f"{' ' * 25}{screen.paint('→', style)} {first}"
            yield from (" " * 27 + line for line in rest)
