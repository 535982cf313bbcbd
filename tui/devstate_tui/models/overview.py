"""The Overview, computed from a reading: the verdict, the four answers, and the facts they rest on.

Every line says what it speaks of (`opens`), so that a screen can go there. Texts of the data are already made
visible (control characters escaped).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from devstate.findings import CODES, Finding, Severity, counted, visible

if TYPE_CHECKING:
    from devstate.chain import Answer, ChainReport
    from devstate.workspace import Reading

__all__ = ["Line", "Overview", "Tone", "numbered", "overview", "severity_mark", "told"]

Tone = Literal["good", "bad", "look", "plain", "muted"]
Opens = Literal["chain", "entry", "artifacts", "text", "findings"]

_HISTORY = ".trae/history.json"
_MARKS: dict[Severity, tuple[str, Tone]] = {
    Severity.ERROR: ("✘", "bad"),
    Severity.WARNING: ("!", "look"),
    Severity.INFO: ("i", "muted"),
}
_SHORT = 10  # digits of a checksum that tell two apart at a glance


@dataclass(frozen=True)
class Line:
    """One line of the Overview: `glyph word  text`, the tone it is said in, and what it opens.

    `entry` is the entry to open (`opens == "entry"`), `explanation` the text to show (`opens == "text"`).
    """

    id: str
    label: str
    glyph: str
    word: str
    text: str
    tone: Tone
    opens: Opens
    entry: int | None = None
    explanation: str = ""


@dataclass(frozen=True)
class Overview:
    """What the screen shows. `project` and `checkpoint` are "" where the state does not say."""

    project: str
    checkpoint: str
    headline: Line
    answers: tuple[Line, ...]
    facts: tuple[Line, ...]
    findings: tuple[Finding, ...]
    findings_title: str


def overview(reading: Reading) -> Overview:
    """The Overview of one reading."""
    document = reading.state.document if reading.state is not None else None
    return Overview(
        project=visible(document.project) if document is not None else "",
        checkpoint=visible(document.current_cp) if document is not None else "",
        headline=_headline(reading),
        answers=_answers(reading.chain),
        facts=(
            _checkpoint(reading),
            _artifacts(reading),
            _state(reading),
            _store(reading),
        ),
        findings=_chain_first(reading.findings),
        findings_title=counted(reading.findings),
    )


def numbered(number: int, one: str, many: str | None = None) -> str:
    """`1 entry`, `12 entries`, `100,000 entries`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def told(finding: Finding, root: str) -> str:
    """What a finding says, as one line that is safe to show; paths in the workspace are relative to it."""
    return visible(finding.message.replace(root.rstrip("/") + "/", ""))


def severity_mark(severity: Severity) -> tuple[str, Tone]:
    """The glyph of a severity and the tone it is said in."""
    return _MARKS[severity]


def _chain_first(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Gravest first, and among equals what concerns the chain: a break hides what the rest is worth."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda each: (order.index(each.severity), each.where.file != _HISTORY)))


# -- the verdict ----------------------------------------------------------------------------------------


def _headline(reading: Reading) -> Line:
    def line(glyph: str, word: str, text: str, tone: Tone, opens: Opens, entry: int | None = None) -> Line:
        return Line("headline", "", glyph, word, text, tone, opens, entry)

    errors = [finding for finding in reading.findings if finding.severity is Severity.ERROR]
    chain = reading.chain
    if reading.unreadable:
        text = told(errors[0], reading.root) if errors else "neither state.json nor history.json can be read"
        return line("✘", "CANNOT READ", text, "bad", "findings")
    if chain is None:
        of_history = [finding for finding in errors if finding.where.file == _HISTORY]
        text = told((of_history or errors)[0], reading.root) if errors else "the history cannot be read"
        return line("✘", "NO HISTORY", text, "bad", "findings")
    if chain.answers.integrity.status == "no":
        first = chain.first_bad
        if first is None:
            return line("✘", "BROKEN", visible(chain.answers.integrity.sentence), "bad", "findings")
        cause = next((finding for finding in errors if finding.where.entry == first), None)
        why = CODES[cause.code].title if cause is not None else visible(chain.answers.integrity.sentence)
        return line("✘", "BROKEN", f"at entry {first:,} of {chain.entries:,}: {why}", "bad", "entry", first)
    if chain.answers.integrity.status == "unknown":
        return line("?", "UNDECIDED", visible(chain.answers.integrity.sentence), "look", "findings")
    if errors:
        text = f"the chain verifies, but {numbered(len(errors), 'error')}: {told(errors[0], reading.root)}"
        return line("✘", "NOT IN ORDER", text, "bad", "findings")
    warnings = sum(finding.severity is Severity.WARNING for finding in reading.findings)
    entries = "its one entry verifies" if chain.entries == 1 else f"all {chain.entries:,} entries verify"
    if warnings:
        return line("✔", "INTACT", f"{entries}; {numbered(warnings, 'warning')} below", "good", "chain")
    return line("✔", "INTACT", f"{entries}; nothing else needs a look", "good", "chain")


_QUESTIONS = {
    "integrity": "Was anything changed after it was signed?",
    "authenticity": "Can only the owners of the key have written it?",
    "completeness": "Is this all of it, or were entries cut off at the end?",
    "time": "Did it happen when it says it did?",
}
_WORDS: dict[str, dict[str, tuple[str, str, Tone]]] = {
    "integrity": {
        "yes": ("✔", "intact", "good"),
        "no": ("✘", "BROKEN", "bad"),
        "unknown": ("?", "undecided", "look"),
    },
    "authenticity": {
        "yes": ("✔", "proven", "good"),
        "no": ("!", "not proven", "look"),
        "unknown": ("?", "unknown", "muted"),
    },
    "completeness": {
        "yes": ("✔", "proven", "good"),
        "no": ("✘", "INCOMPLETE", "bad"),
        "unknown": ("?", "unproven", "muted"),
    },
    "time": {
        "yes": ("✔", "proven", "good"),
        "no": ("!", "doubtful", "look"),
        "unknown": ("~", "claimed", "muted"),
    },
}


def _answers(chain: ChainReport | None) -> tuple[Line, ...]:
    if chain is None:
        return tuple(
            Line(
                name, name.capitalize(), "?", "not checked", "the history cannot be read", "muted", "findings"
            )
            for name in _QUESTIONS
        )
    return tuple(_answer(name, getattr(chain.answers, name), chain) for name in _QUESTIONS)


def _answer(name: str, answer: Answer, chain: ChainReport) -> Line:
    glyph, word, tone = _WORDS[name][answer.status]
    sentence = visible(answer.sentence)
    explanation = f"{_QUESTIONS[name]}\n\n{sentence[:1].upper()}{sentence[1:]}."
    sentence = sentence.removeprefix(word).lstrip(": ")
    if name == "integrity":
        if chain.first_bad is not None:
            return Line(name, "Integrity", glyph, word, sentence, tone, "entry", chain.first_bad)
        return Line(name, "Integrity", glyph, word, sentence, tone, "chain")
    if name == "authenticity" and chain.keys:
        uses = "\n".join(
            f"  key {visible(use.kid)}: entries {use.first:,} to {use.last:,}, {use.status}"
            + (", publicly known" if use.public else ", weak" if use.weak else "")
            for use in chain.keys
        )
        explanation += f"\n\nKeys that verified entries:\n{uses}"
    if name == "completeness" and chain.not_provable:
        explanation += "\n\nWhat no check of this file can prove:\n" + _bullets(chain.not_provable)
    return Line(name, name.capitalize(), glyph, word, sentence, tone, "text", explanation=explanation)


# -- the facts ------------------------------------------------------------------------------------------


def _checkpoint(reading: Reading) -> Line:
    document = reading.state.document if reading.state is not None else None
    if document is None:
        text = "state.json cannot be read" if reading.state is None else "state.json is no state document"
        return Line("checkpoint", "Checkpoint", "✘", "unknown", text, "bad", "findings")
    checkpoint = visible(document.current_cp) or "(none)"
    agents = numbered(len(document.agents), "agent")
    updated = visible(document.updated_at) or "an unknown time"
    tail = f"{agents}   state of {updated}"
    explanation = "\n".join(
        f"  {visible(agent.id)}  {visible(agent.status)}  {visible(agent.cp)}  {visible(agent.name)}: "
        f"{visible(agent.task)}"
        for agent in document.agents
    )
    explanation = (
        f"Project {visible(document.project)}, checkpoint {checkpoint}.\n\nAgents:\n{explanation or '  none'}"
    )
    if document.no_drift:
        return Line(
            "checkpoint",
            "Checkpoint",
            "✔",
            checkpoint,
            f"no drift declared   {tail}",
            "good",
            "text",
            None,
            explanation,
        )
    return Line(
        "checkpoint",
        "Checkpoint",
        "✘",
        checkpoint,
        f"no_drift is not true   {tail}",
        "bad",
        "text",
        None,
        explanation,
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
    )


def _state(reading: Reading) -> Line:
    binding = reading.binding
    if binding is None:
        return Line(
            "state", "State", "?", "not bound", "one of the two documents cannot be read", "muted", "findings"
        )
    head = visible(binding.head_checksum[:_SHORT]) or "nothing"
    explanation = (
        f"{visible(binding.sentence)}\n\n"
        f"state.json now            {binding.state_sha256}\n"
        f"the last entry names      {visible(binding.head_checksum) or '(nothing)'}"
    )
    if binding.bound:
        text = f"the last entry names this state, sha256 {binding.state_sha256[:_SHORT]}…"
        return Line("state", "State", "✔", "bound", text, "good", "text", None, explanation)
    if binding.bound_entry is not None:
        word, text = (
            "behind",
            f"entry {binding.bound_entry:,} names this state, the last one another ({head}…)",
        )
    else:
        word, text = "not bound", f"no entry names this state, the last one names {head}…"
    return Line("state", "State", "!", word, text, "look", "text", None, explanation)


def _store(reading: Reading) -> Line:
    store, locks, leftovers = reading.store, len(reading.locks), len(reading.leftovers)
    parts: list[str] = []
    if store.backend != "files":
        parts.append({True: "in sync", False: "NOT in sync", None: "not compared"}[store.in_sync])
    parts.append(numbered(leftovers, "leftover of a broken-off write", "leftovers of broken-off writes"))
    parts.append(numbered(locks, "lock"))
    word, text = (
        store.backend,
        "   ".join(part.replace("0 ", "no ", 1) if part[:2] == "0 " else part for part in parts),
    )
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
    return Line("store", "Store", glyph, word, text, tone, "text", None, explanation)


def _bullets(sentences: tuple[str, ...]) -> str:
    return "\n".join(f"  - {visible(sentence)}" for sentence in sentences)
