"""The verdict: the first line of the Overview, and the four answers below it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from devstate.findings import CODES, Severity, visible

from .lines import HISTORY, Line, Opens, Tone, numbered, told

if TYPE_CHECKING:
    from devstate.chain import Answer, ChainReport
    from devstate.workspace import Reading

__all__ = ["answers", "headline"]


def headline(reading: Reading) -> Line:
    """The verdict on all of it in one line: what is wrong first, and where to look."""

    def line(
        glyph: str,
        word: str,
        text: str,
        tone: Tone,
        opens: Opens,
        entry: int | None = None,
        shorter: tuple[str, ...] = (),
    ) -> Line:
        return Line("headline", "", glyph, word, text, tone, opens, entry, shorter=shorter)

    errors = [finding for finding in reading.findings if finding.severity is Severity.ERROR]
    chain = reading.chain
    if reading.unreadable:
        text = told(errors[0], reading.root) if errors else "neither state.json nor history.json can be read"
        return line("✘", "CANNOT READ", text, "bad", "findings")
    if chain is None:
        of_history = [finding for finding in errors if finding.where.file == HISTORY]
        text = told((of_history or errors)[0], reading.root) if errors else "the history cannot be read"
        return line("✘", "NO HISTORY", text, "bad", "findings")
    if chain.answers.integrity.status == "no":
        first = chain.first_bad
        if first is None:
            return line("✘", "BROKEN", visible(chain.answers.integrity.sentence), "bad", "findings")
        cause = next((finding for finding in errors if finding.where.entry == first), None)
        why = CODES[cause.code].title if cause is not None else visible(chain.answers.integrity.sentence)
        place = f"entry {first:,} of {chain.entries:,}"
        short = (
            f"{place} was changed" if cause is not None and cause.code == "HMAC_MISMATCH" else f"at {place}"
        )
        return line("✘", "BROKEN", f"at {place}: {why}", "bad", "entry", first, (short,))
    if chain.answers.integrity.status == "unknown":
        return line("?", "NOT DECIDED", visible(chain.answers.integrity.sentence), "look", "findings")
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
        "unknown": ("?", "not decided", "look"),
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


def answers(chain: ChainReport | None) -> tuple[Line, ...]:
    """Integrity, authenticity, completeness, time: a line each."""
    if chain is None:
        # Why stands in the headline, and is not said four times more.
        return tuple(
            Line(name, name.capitalize(), "?", "not checked", "", "muted", "findings") for name in _QUESTIONS
        )
    return tuple(_answer(name, getattr(chain.answers, name), chain) for name in _QUESTIONS)


def _answer(name: str, answer: Answer, chain: ChainReport) -> Line:
    glyph, word, tone = _WORDS[name][answer.status]
    sentence = visible(answer.sentence)
    explanation = f"{_QUESTIONS[name]}\n\n{sentence[:1].upper()}{sentence[1:]}."
    sentence = sentence.removeprefix(word).lstrip(": ")
    if name == "integrity":
        if chain.first_bad is not None:
            first = f"first break {chain.first_bad:,}"
            shorter = (f"{first} ({chain.verified:,} verify)", first)
            return Line(
                name, "Integrity", glyph, word, sentence, tone, "entry", chain.first_bad, shorter=shorter
            )
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
    shorter = (re.split("[:;] ", sentence)[0],)  # what comes after says what follows from it
    return Line(
        name, name.capitalize(), glyph, word, sentence, tone, "text", explanation=explanation, shorter=shorter
    )


def _bullets(sentences: tuple[str, ...]) -> str:
    return "\n".join(f"  - {visible(sentence)}" for sentence in sentences)
