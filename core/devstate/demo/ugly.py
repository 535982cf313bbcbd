"""The ugly workspace: what real ones look like when nobody has cared for a while, all at once.

Missing files, a listed file behind a symbolic link, an edited one, a state that no entry names, leftovers;
and a history of mixed layouts with a broken entry, long texts, texts of many scripts, and control characters.
Scenarios and screenshots are made on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from .building import STATE, DemoWorkspace, build
from .project import artifact_item
from .recipe import Recipe
from .rows import Row
from .templates import json_text

__all__ = ["UGLY_ENTRIES", "broken_entry", "ugly_workspace"]

UGLY_ENTRIES: Final = 240

_MISSING = (
    "docs/runbook.md",
    "docs/угрозы и риски.md",
    "src/gateway/session.py",
    "src/ledger/report_for_the_end_of_the_quarter_with_a_name_that_is_much_too_long_for_any_column.py",
    "設計/構成図.svg",
)

_LONG = (
    "The worker was restarted, drained its queue, was restarted again, and nobody wrote down why; "
    "what follows is everything that the log said. "
)

# Texts that go wrong in careless programs: wide, right to left, combining, joined, invisible, and hostile.
_TEXTS: Final = (
    "構成を見直し、残高の計算を修正しました。全角の文字は二桁分の幅を取ります。",
    "تمت مراجعة القيود من اليمين إلى اليسار، مع أرقام 12345 في الوسط",
    "שחזור הגיבוי הסתיים (חלקית)",
    "Zalgo: o\u0301\u0302\u0303\u0304\u0305k, a\u0308 and \u00e4 look alike",
    "👩‍🚀 👨‍👩‍👧‍👦 🏳️‍🌈 🇯🇵 in one line",
    "สวัสดี น้ำหนัก กรุงเทพฯ",
    "zero\u200bwidth\u200djoined\ufeffmarks",
    'tab\tand\nnew line and \\ and " and </script> and %s and {0} and [bold red]markup[/]',
)
_HOSTILE: Final = (
    "\x1b]0;owned\x07\x1b[2J\x1b[1;1Hall green",
    "approved by \u202eretnuoc\u202c nobody",
    "\u2066isolated\u2069 \x9b31m \x7f",
)


def broken_entry(entries: int = UGLY_ENTRIES) -> int:
    """The number of the one entry that was changed after it was signed."""
    return entries * 2 // 3


def ugly_workspace(seed: int = 7, entries: int = UGLY_ENTRIES) -> DemoWorkspace:
    """The ugly workspace (20 entries or more for all of it). Raises UsageError like `demo_workspace`."""
    recipe = Recipe(state=_neglected, rows=_said, entries=_mixed, layout=_carriage_returns, afterwards=_left)
    return build(entries, seed, recipe, sentence=f"entry {broken_entry(entries)} was changed, and much else")


def _neglected(state: dict[str, Any], files: dict[str, bytes]) -> None:
    state["artifact_checksums"].extend(
        artifact_item(path, path.encode(), state["updated_at"]) for path in _MISSING
    )
    state["agents"][6]["name"] = "Observability \u202e(ytilibavresbo)\u202c"
    state["agents"][4]["task"] = _LONG * 4
    state["agents"][1]["status"] = "blocked"


def _left(files: dict[str, bytes], links: dict[str, str]) -> None:
    files["docs/architecture.current.md"] = files.pop("docs/architecture.md")
    links["docs/architecture.md"] = "architecture.current.md"
    files["src/worker/queue.py"] += b"# quick fix, to be recorded later\n"
    files[STATE] = files[STATE].replace(b'"version": "1.0"', b'"version": "1.0-rc2"')
    files[".trae/history.json.tmp"] = b'[\n    {\n        "ts": "2026-05-29T17:5'
    files[".trae/.state.json.4194399-0123456789ab.tmp"] = files[STATE][:700]


def _said(rows: Iterator[Row], entries: int) -> Iterator[Row]:
    """Long and strange texts, signed as they are."""
    texts = (*_TEXTS, *_HOSTILE)
    for index, row in enumerate(rows):
        if index % 9 == 4:
            text = texts[index // 9 % len(texts)]
            row = row._replace(metadata=json_text({"note": text, text[:12]: [len(text)]}, level=2))
        if index % 40 == 13:
            row = row._replace(metadata=json_text({"log": (_LONG * 20)[:2000]}, level=2))
        if index % 60 == 30:
            row = row._replace(
                action=("監査_残高_確認", "deploy\x1b[31m", "проверка", "مراجعة")[index // 60 % 4]
            )
        if index % 80 == 50:
            row = row._replace(action="an_action_whose_name_goes_on_" + "and_on_" * 12 + "until_it_ends")
        yield row


def _mixed(texts: Iterator[str], entries: int) -> Iterator[str]:
    """Layouts as several programs leave them, and one entry changed."""
    broken = broken_entry(entries)
    fifth = max(1, entries // 5)
    for index, text in enumerate(texts):
        if index == broken:
            yield re.sub(r'"action": "[^"]*"', '"action": "gate_override"', text, count=1)
        elif index // fifth == 1:
            yield json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        elif index // fifth == 2:
            yield json.dumps(json.loads(text), indent=4).replace("\n", "\n    ")
        elif index % 50 == 49:
            yield json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
        else:
            yield text


def _carriage_returns(chunks: Iterator[bytes], entries: int) -> Iterator[bytes]:
    """The last part of the file, as an editor of another system saves it."""
    for chunk in chunks:
        middle = chunk.rfind(b'"ts"', 0, len(chunk) * 4 // 5)
        yield chunk[:middle] + chunk[middle:].replace(b"\n", b"\r\n")
    yield b"\r\n"
