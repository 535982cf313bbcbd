"""A reading at a glance: what `status` prints and what `watch` sends for each change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from devstate.findings import Severity, counted, findings_document, render_text, visible

from .screen import Screen
from .verdict import MARKS, head_document, mark_of, wrapped

if TYPE_CHECKING:
    from devstate.workspace import Reading

__all__ = ["glance_document", "glance_lines"]

_MOST_FINDINGS = 5


def glance_document(reading: Reading, *, unmasked: bool) -> dict[str, Any]:
    """The members of `devstate.status/1` after its schema."""
    from devstate.workspace import count_artifacts

    document = reading.state.document if reading.state is not None else None
    counts = count_artifacts(reading.artifacts)
    chain = reading.chain
    return {
        "workspace": reading.root,
        "project": document.project if document else None,
        "current_cp": document.current_cp if document else None,
        "no_drift": document.no_drift if document else None,
        "chain": {
            "ok": chain.ok if chain else None,
            "entries": chain.entries if chain else None,
            "verified": chain.verified if chain else None,
            "first_bad": chain.first_bad if chain else None,
            "head": head_document(chain, unmasked=unmasked),
        },
        "artifacts": {
            "total": counts.total,
            "matched": counts.matched,
            "mismatched": counts.mismatched,
            "missing": counts.missing,
        },
        "store": {"backend": reading.store.backend, "in_sync": reading.store.in_sync},
        "findings": findings_document(reading.findings),
    }


def glance_lines(reading: Reading, screen: Screen) -> Iterator[str]:
    """A dozen lines: the verdict, what stands behind it, the gravest findings, the next step."""
    document = reading.state.document if reading.state is not None else None
    yield _headline(reading, screen)
    yield ""
    yield _row(screen, "chain", *_chain(reading, screen))
    if reading.chain is not None:
        answer = reading.chain.answers.authenticity
        yield _row(screen, "authenticity", *mark_of(answer.status, failed=False), answer.sentence)
    if document is not None:
        good = document.no_drift
        yield _row(screen, "no drift", *MARKS["yes" if good else "no"], "true" if good else "false")
    if reading.state is not None:
        yield _row(screen, "artifacts", *_artifacts(reading))
    if reading.binding is not None:
        mark = MARKS["yes"] if reading.binding.bound else ("!", "look")
        yield _row(screen, "binding", *mark, reading.binding.sentence)
    store = reading.store
    where = store.backend if store.path is None else f"{store.backend}, {visible(store.path)}"
    yield _row(screen, "store", " ", "plain", where)
    serious = [finding for finding in reading.findings if finding.severity is not Severity.INFO]
    yield _row(screen, "findings", " ", "plain", counted(reading.findings))
    if serious:
        yield ""
        yield render_text(serious[:_MOST_FINDINGS], colour=screen.colour, width=screen.width)
        if len(serious) > _MOST_FINDINGS:
            yield f"  ... and {len(serious) - _MOST_FINDINGS:,} more (see devstate validate)"
    yield ""
    command = "devstate validate" if reading.chain is not None and reading.chain.ok else "devstate verify"
    why = "the whole gate, with artifacts and schemas" if reading.ok else "what is wrong, and what to do"
    yield f"  {screen.paint('next', 'strong')}  {command}   {screen.paint(why, 'dim')}"


def _headline(reading: Reading, screen: Screen) -> str:
    document = reading.state.document if reading.state is not None else None
    name = visible(document.project) if document and document.project else visible(reading.root)
    checkpoint = f"  at {visible(document.current_cp)}" if document and document.current_cp else ""
    if reading.unreadable:
        verdict = screen.paint("? nothing can be read", "look")
    elif not reading.ok:
        verdict = screen.paint("✘ look at the findings", "bad")
    else:
        verdict = screen.paint("✔ good", "good")
    return f"{verdict}  {screen.paint(name, 'strong')}{checkpoint}"


def _chain(reading: Reading, screen: Screen) -> tuple[str, str, str]:
    chain = reading.chain
    if chain is None:
        return (*MARKS["unknown"], "history.json could not be read")
    text = f"{chain.verified:,} of {chain.entries:,} entries are good"
    if chain.first_bad is not None:
        text += f"; the first bad one is entry {chain.first_bad:,}"
    elif chain.head is not None:
        text += f"; head {screen.hmac(chain.head.hmac)}"
    return (*MARKS[chain.answers.integrity.status], text)


def _artifacts(reading: Reading) -> tuple[str, str, str]:
    from devstate.workspace import count_artifacts

    counts = count_artifacts(reading.artifacts)
    if not counts.total:
        return " ", "plain", "none listed"
    good = not counts.mismatched and not counts.missing
    text = f"{counts.total:,} listed, {counts.matched:,} match"
    text += f", {counts.mismatched:,} changed" if counts.mismatched else ""
    text += f", {counts.missing:,} missing" if counts.missing else ""
    return (*MARKS["yes" if good else "no"], text)


def _row(screen: Screen, name: str, mark: str, style: str, text: str) -> str:
    first, *rest = wrapped(text, screen.width - 19)
    head = f"  {screen.paint(f'{name:<12}', 'dim')}  {screen.paint(mark, style)}  {first}"
    return "\n".join([head, *(" " * 19 + line for line in rest)])
