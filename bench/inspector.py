"""The inspector against its budgets, in a pseudo-terminal. Linux only: it reads /proc and another process's clock."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path

import inputs
from harness import Result, Sample
from terminal import HOME, PAGE_DOWN, Terminal

COLUMNS = (
    ("what", "what"),
    ("unit", "unit"),
    ("median", "median"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("budget", "budget"),
    ("n", "n"),
)
_ROW = re.compile(r"[▌ ][◆› ] *[\d,]+ [GBUYREx·?] ")


def measure(folder: Path, *, quick: bool) -> Result:
    """First paint, page-down, change to screen, idle, memory."""
    result = Result(
        "inspector",
        "The inspector in a pseudo-terminal of 120 x 40",
        (
            "the time that a real terminal takes to draw is not in it, that of the emulator which watches is",
            "first paint is the first text of the frame on the screen; the verdict follows when it is known",
            "the processor of a page is that of the whole process from the key to 50 ms of silence",
        ),
    )
    many, changing, rounds = (20_000, 1_000, 2) if quick else (1_000_000, 10_000, 10)
    small, large = inputs.workspace(folder, 12), inputs.workspace(folder, many)
    for root, label in ((small, "12 entries"), (large, f"{many:,} entries")):
        paints, verdicts = zip(*(first_paint(root, folder) for _ in range(rounds)), strict=True)
        result.add(f"first paint, {label}", Sample("ms", paints), budget="300")
        result.add(f"verdict on screen, {label}", Sample("ms", verdicts))
    pages(result, large, folder, f"{many:,} entries", 20 if quick else 200)
    changes(result, folder, changing, 5 if quick else 40)
    idle(result, small, folder, 3 if quick else 20)
    return result


def decided(text: str) -> bool:
    """Whether the Overview shows a verdict."""
    return re.search(r"\d of [\d,]+ entries verify", text) is not None


def first_paint(root: Path, home: Path) -> tuple[float, float]:
    """Milliseconds to the first text of the frame, and to the verdict."""
    with Terminal(root, home) as terminal:
        painted = terminal.wait_for(lambda text: "DevState" in text) - terminal.started
        if decided(terminal.text):
            return painted * 1000, painted * 1000
        verdict = terminal.wait_for(decided, timeout=30) - terminal.started
        return painted * 1000, verdict * 1000


def pages(result: Result, root: Path, home: Path, label: str, count: int) -> None:
    """The list of a large history: when it is there, what a page costs, what it holds in memory."""
    with Terminal(root, home) as terminal:
        terminal.wait_for(lambda text: "DevState" in text)
        terminal.send(b"2")
        listed = terminal.wait_for(lambda text: _ROW.search(text) is not None, timeout=30) - terminal.started
        result.add(f"list of entries on screen, {label}", Sample("ms", (listed * 1000,)), budget="1000")
        terminal.send(b"1")
        terminal.wait_for(decided, timeout=30)
        terminal.send(b"2")
        terminal.settle(0.5)
        terminal.send(HOME)
        terminal.settle(0.5)
        used: list[float] = []
        for _ in range(count):
            shown, before = terminal.text, terminal.cpu()
            terminal.send(PAGE_DOWN)
            terminal.settle(0.05, first=2)
            if terminal.text == shown:
                raise RuntimeError(f"the page did not move:\n{shown}")
            used.append((terminal.cpu() - before) * 1000)
        result.add(f"page down, processor, {label}", Sample("ms", tuple(used)), budget="16 (p95)")
        now, most = terminal.memory()
        result.add(f"memory, {label}", Sample("MiB", (now,)), budget="400")
        result.add(f"memory at most, {label}", Sample("MiB", (most,)))


def changes(result: Result, folder: Path, entries: int, count: int) -> None:
    """An atomic replace of the history by one with an entry less or more, until the number is on the screen."""
    root = folder / "workspace-changing"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(inputs.workspace(folder, entries), root, symlinks=True)
    path = root / ".trae" / "history.json"
    whole = json.loads(path.read_bytes())
    contents = {
        number: json.dumps(whole[:number], indent=4, ensure_ascii=False).encode()
        for number in (entries, entries - 1)
    }
    took: list[float] = []
    with Terminal(root, folder) as terminal:
        terminal.wait_for(decided, timeout=30)
        terminal.settle(0.5)
        for turn in range(count):
            number = entries - 1 if turn % 2 == 0 else entries
            fresh = path.with_name("history.json.fresh")
            fresh.write_bytes(contents[number])
            awaited = f"{number:,} of {number:,} entries verify"
            time.sleep(0.2)  # the new file beside it is an event too, and not the one measured
            terminal.settle(0.3)
            begun = time.perf_counter()
            os.replace(fresh, path)
            plain = awaited.replace(",", "")
            took.append((terminal.wait_for(lambda text: awaited in text or plain in text) - begun) * 1000)  # noqa: B023
            terminal.settle(0.3)
    result.add(f"change to screen, {entries:,} entries", Sample("ms", tuple(took)), budget="100 (p95)")


def idle(result: Result, root: Path, home: Path, seconds: float) -> None:
    """What an inspector that nobody touches writes and uses."""
    with Terminal(root, home) as terminal:
        terminal.wait_for(decided)
        terminal.settle(1)
        written, used, begun = terminal.written, terminal.cpu(), time.perf_counter()
        while time.perf_counter() - begun < seconds:
            terminal.read(0.1)
        passed = time.perf_counter() - begun
        share = (terminal.cpu() - used) / passed * 100
        result.add(
            f"bytes written in {seconds:.0f} s idle",
            Sample("bytes", (terminal.written - written,)),
            budget="0",
        )
        result.add(f"processor in {seconds:.0f} s idle", Sample("%", (share,)), budget="0.5")
