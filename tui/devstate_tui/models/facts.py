"""The facts that the verdict rests on: checkpoint, artifacts, state, store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstate.findings import visible

from .lines import Line, numbered

if TYPE_CHECKING:
    from devstate.workspace import Reading

__all__ = ["facts"]

_SHORT = 10  # digits of a checksum that tell two apart at a glance


def facts(reading: Reading) -> tuple[Line, ...]:
    """One line for each, in the order of the screen."""
    return (_checkpoint(reading), _artifacts(reading), _state(reading), _store(reading))


def _checkpoint(reading: Reading) -> Line:
    document = reading.state.document if reading.state is not None else None
    if document is None:
        text = "state.json cannot be read" if reading.state is None else "state.json is no state document"
        return Line("checkpoint", "Checkpoint", "✘", "unknown", text, "bad", "findings")
    checkpoint = visible(document.current_cp) or "(none)"
    agents = numbered(len(document.agents), "agent")
    updated = visible(document.updated_at) or "an unknown time"
    explanation = "\n".join(
        f"  {visible(agent.id)}  {visible(agent.status)}  {visible(agent.cp)}  {visible(agent.name)}: "
        f"{visible(agent.task)}"
        for agent in document.agents
    )
    explanation = (
        f"Project {visible(document.project)}, checkpoint {checkpoint}.\n\nAgents:\n{explanation or '  none'}"
    )
    glyph, drift, tone = (
        ("✔", "no drift declared", "good") if document.no_drift else ("✘", "no_drift is not true", "bad")
    )
    return Line(
        "checkpoint",
        "Checkpoint",
        glyph,
        checkpoint,
        f"{drift}   {agents}   state of {updated}",
        tone,
        "text",
        explanation=explanation,
        shorter=(f"{drift}   {agents}", drift),
    )


def _artifacts(reading: Reading) -> Line:
    total = len(reading.artifacts)
    if reading.state is None or reading.state.document is None:
        return Line(
            "artifacts", "Artifacts", "?", "not checked", "state.json lists them", "muted", "findings"
        )
    if not total:
        return Line("artifacts", "Artifacts", "·", "none listed", "", "muted", "artifacts")
    numbers = {"matched": 0, "mismatched": 0, "missing": 0, "refused": 0}
    for artifact in reading.artifacts:
        numbers[artifact.status] += 1
    parts = [
        f"{numbers['matched']:,} match",
        f"{numbers['mismatched']:,} changed",
        f"{numbers['missing']:,} missing",
    ]
    if numbers["refused"]:
        parts.append(f"{numbers['refused']:,} refused")
    text = "   ".join(parts)
    in_order = numbers["matched"] == total
    return Line(
        "artifacts",
        "Artifacts",
        "✔" if in_order else "✘",
        f"{total:,} listed",
        text,
        "good" if in_order else "bad",
        "artifacts",
        shorter=(
            "all match" if in_order else f"{numbers['matched']:,} match   {total - numbers['matched']:,} not",
        ),
    )


def _state(reading: Reading) -> Line:
    binding = reading.binding
    if binding is None:
        text = "needs both state.json and history.json"
        return Line("state", "State", "?", "not checked", text, "muted", "findings")
    head = visible(binding.head_checksum[:_SHORT]) or "nothing"
    explanation = (
        f"{visible(binding.sentence)}\n\n"
        f"state.json now            {binding.state_sha256}\n"
        f"the last entry names      {visible(binding.head_checksum) or '(nothing)'}"
    )
    if binding.bound:
        text = "the last entry names this state"
        digits = f"{text}, sha256 {binding.state_sha256[:_SHORT]}…"
        return Line("state", "State", "✔", "bound", digits, "good", "text", None, explanation, (text,))
    if binding.bound_entry is not None:
        word, short = "behind", f"entry {binding.bound_entry:,} names this state"
        text = f"{short}, the last one another ({head}…)"
    else:
        word, short = "not bound", "no entry names this state"
        text = f"{short}, the last one names {head}…"
    return Line("state", "State", "!", word, text, "look", "text", None, explanation, (short,))


def _store(reading: Reading) -> Line:
    store, locks, leftovers = reading.store, len(reading.locks), len(reading.leftovers)
    parts: list[str] = []
    if store.backend != "files":
        parts.append({True: "in sync", False: "NOT in sync", None: "not compared"}[store.in_sync])
    held = _none_as_word(numbered(locks, "lock"))
    left = _none_as_word(
        numbered(leftovers, "leftover of a broken-off write", "leftovers of broken-off writes")
    )
    text = "   ".join([*parts, left, held])
    shorter = "   ".join([*parts, _none_as_word(numbered(leftovers, "leftover")), held])
    explanation = "\n".join(
        [
            f"Store: {store.backend}" + (f" at {visible(store.path)}" if store.path else ""),
            "",
            f"Locks: {'' if locks else 'none'}",
            *(f"  {visible(str(lock))}" for lock in reading.locks),
            f"Leftovers of interrupted writes: {'' if leftovers else 'none'}",
            *(f"  {visible(path)}" for path in reading.leftovers),
        ]
    )
    clean = not leftovers and store.in_sync is not False
    glyph, tone = ("·", "plain") if clean else ("!", "look")
    return Line("store", "Store", glyph, store.backend, text, tone, "text", None, explanation, (shorter,))


def _none_as_word(text: str) -> str:
    """`no locks` for `0 locks`."""
    return "no " + text[2:] if text.startswith("0 ") else text
