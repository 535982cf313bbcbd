"""What an agent does in one session of the demo project, as the steps of a run.

A step depends on its dice and on the steps before it alone: two sessions that are given the same dice for their
first steps do the same there.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from devstate.engine import Transaction

from .dice import Dice
from .vocabulary import CHECKPOINTS, WORDS, AgentPlan

__all__ = ["Goal", "Session", "goal_of"]

PLAN: Final = "plan"
_ROOT: Final = "session"
_PHASES: Final = ("planning", "working", "testing", "reviewing")
_TOOLS: Final = ("read_file", "edit_file", "run_tests", "search_code", "ask_reviewer")


class Goal(NamedTuple):
    """What a session is for: a title, and the steps of its plan."""

    title: str
    steps: tuple[str, ...]


_GOALS: Final[tuple[Goal, ...]] = (
    Goal(
        "Deliver each message once after a restart",
        ("Reproduce the duplicate", "Find the lost acknowledgement", "Persist the offset first", "Prove it"),
    ),
    Goal(
        "Find out why acknowledgements are late",
        ("Measure the queue", "Read the worker's log", "Shorten the lease", "Measure again"),
    ),
    Goal(
        "Limit requests per tenant",
        ("Read the gateway's settings", "Count per tenant", "Refuse with Retry-After", "Load test"),
    ),
    Goal(
        "Postings keep two sides when a job is retried",
        ("Write the property", "Make it fail", "Use the idempotency key", "Balance all ledgers"),
    ),
    Goal(
        "Quieten the alerts of the night",
        ("List what rang", "Group by cause", "Raise two thresholds", "Watch one night"),
    ),
)

_WORLD: Final = Goal(
    "Übersetzungen prüfen: 日本語, العربية, ελληνικά, हिन्दी 🌍",
    ("読み仮名を確認する", "مراجعة الجمع", "Έλεγχος πληθυντικού", "Naïve Ümlaute finden", "全文检查"),
)


def goal_of(number: int, *, world: bool) -> Goal:
    """One goal after the other; with `world` the one in many scripts."""
    return _WORLD if world else _GOALS[number % len(_GOALS)]


class Session:
    """The state of a session between its steps; each method writes one step into a transaction."""

    def __init__(self, agent: AgentPlan, goal: Goal, *, world: bool) -> None:
        self._agent = agent
        self._goal = goal
        self._world = world
        self._at = 0
        self._phase = _PHASES[0]
        self._tokens = 0
        self._count: dict[str, int] = {}
        self._began = 0

    def begin(self, tx: Transaction, dice: Dice) -> None:
        """The first step: the plan."""
        self._began = tx.now()
        plan: dict[str, Any] = {
            "goal": self._goal.title,
            "agent": self._agent.id,
            "checkpoint": CHECKPOINTS[self._agent.cp],
            "steps": [{"title": title, "status": "open"} for title in self._goal.steps],
            "decisions": [],
            "changes": [],
            "budget": {"tokens": dice.between(20, 90) * 1000, "spent": 0},
        }
        tx.json.create(PLAN, plan)
        tx.state.init("phase", self._phase)
        tx.kv.put("agent", self._agent.id)
        tx.kv.put("tokens.spent", 0)
        tx.traces.record("custom", _ROOT, span_id=_ROOT, attrs={"goal": self._goal.title}, start=self._began)
        tx.events.append("session_started", {"agent": self._agent.id, "task": self._agent.task})

    def step(self, tx: Transaction, dice: Dice, number: int, of: int, seconds: float) -> None:
        """Step `number` of `of` (from 1), which took so many seconds."""
        end = tx.now()
        start = max(self._began, end - int(seconds * 1e6))
        span = f"step-{number:02}"
        self._advance(tx, number, of)
        roll = dice.between(1, 100)
        if roll <= 25:
            self._read(tx, dice, span, start, end)
        elif roll <= 45:
            self._edit(tx, dice, span, start, end)
        elif roll <= 62:
            self._test(tx, dice, span, start, end)
        elif roll <= 75:
            self._decide(tx, dice, span, start, end)
        elif roll <= 85:
            self._think(tx, dice, span, start, end)
        elif roll <= 93:
            self._write_to(tx, dice)
        else:
            self._fail(tx, dice, span, start, end)
        self._tokens += dice.between(120, 2400)
        tx.kv.put("tokens.spent", self._tokens)

    def end(self, tx: Transaction, outcome: str, why: str | None = None) -> None:
        """The last step of a session that comes to an end."""
        self._move(tx, "done" if outcome == "completed" else outcome)
        if outcome == "completed":
            steps = range(len(self._goal.steps))
            tx.json.patch(PLAN, [("set", ("steps", at, "status"), "done") for at in steps])
        told: dict[str, Any] = {"outcome": outcome, "tokens": self._tokens}
        if why is not None:
            told["why"] = why
            tx.traces.record(
                "error", why[:60], parent=_ROOT, attrs={"why": why}, start=tx.now(), end=tx.now()
            )
        tx.events.append("session_ended", told)
        tx.traces.record(
            "custom",
            _ROOT,
            span_id=_ROOT,
            attrs={"goal": self._goal.title, "outcome": outcome},
            tags=(outcome,),
            start=self._began,
            end=tx.now(),
        )

    # -- what a step can be

    def _read(self, tx: Transaction, dice: Dice, span: str, start: int, end: int) -> None:
        path, lines = dice.pick(WORDS["path"]), dice.between(20, 900)
        tx.traces.record(
            "tool_call", "read_file", parent=_ROOT, attrs={"path": path}, start=start, end=end, span_id=span
        )
        tx.events.append("tool_call", {"tool": "read_file", "path": path})
        tx.events.append("observation", {"path": path, "lines": lines, "note": self._note(dice)})
        tx.kv.put(f"read/{path}", lines)
        self._counted(tx, "files.read")

    def _edit(self, tx: Transaction, dice: Dice, span: str, start: int, end: int) -> None:
        path, lines = dice.pick(WORDS["path"]), dice.between(1, 80)
        tx.traces.record(
            "tool_call",
            "edit_file",
            parent=_ROOT,
            attrs={"path": path, "lines": lines},
            start=start,
            end=end,
            span_id=span,
        )
        tx.traces.record(
            "query",
            "who uses it?",
            parent=span,
            attrs={"found": dice.between(0, 9)},
            start=start,
            end=(start + end) // 2,
            span_id=f"{span}.1",
        )
        tx.events.append("tool_call", {"tool": "edit_file", "path": path, "lines": lines})
        at = self._count.get("changes", 0)
        self._count["changes"] = at + 1
        tx.json.set(PLAN, ("changes", at), {"path": path, "lines": lines})
        self._counted(tx, "lines.changed", lines)

    def _test(self, tx: Transaction, dice: Dice, span: str, start: int, end: int) -> None:
        suite, passed = dice.pick(WORDS["suite"]), dice.between(40, 900)
        failed = dice.between(1, 4) if dice.chance(25) else 0
        tx.traces.record(
            "tool_call",
            "run_tests",
            parent=_ROOT,
            attrs={"suite": suite, "failed": failed},
            tags=("tests",),
            start=start,
            end=end,
            span_id=span,
        )
        tx.events.append("test_result", {"suite": suite, "passed": passed, "failed": failed})
        tx.kv.put(f"tests/{suite}", {"passed": passed, "failed": failed})
        if failed:
            self._counted(tx, "tests.failed")

    def _decide(self, tx: Transaction, dice: Dice, span: str, start: int, end: int) -> None:
        key, choice = dice.pick(WORDS["key"]), dice.between(10, 900)
        because = self._note(dice)
        tx.traces.record(
            "decision",
            f"set {key}",
            parent=_ROOT,
            attrs={"to": choice},
            start=start,
            end=end,
            span_id=span,
        )
        tx.traces.record(
            "thought", because[:60], parent=span, start=start, end=(start + end) // 2, span_id=f"{span}.1"
        )
        tx.events.append("decision", {"key": key, "to": choice, "because": because})
        at = self._count.get("decisions", 0)
        self._count["decisions"] = at + 1
        tx.json.set(PLAN, ("decisions", at), {"key": key, "to": choice, "because": because})

    def _think(self, tx: Transaction, dice: Dice, span: str, start: int, end: int) -> None:
        note = self._note(dice)
        tx.traces.record("thought", note[:60], parent=_ROOT, start=start, end=end, span_id=span)
        tx.events.append("thought", {"text": note})
        if dice.chance(50):
            tx.kv.put("scratch", note)
        else:
            tx.kv.delete("scratch")

    def _write_to(self, tx: Transaction, dice: Dice) -> None:
        tx.events.append(
            "message",
            {
                "to": dice.pick(WORDS["agent"]),
                "text": self._note(dice),
                "verdict": dice.pick(WORDS["verdict"]),
            },
        )
        self._counted(tx, "messages.sent")

    def _fail(self, tx: Transaction, dice: Dice, span: str, start: int, end: int) -> None:
        tool, reason = dice.pick(_TOOLS), dice.pick(WORDS["reason"])
        tx.traces.record(
            "tool_call",
            tool,
            parent=_ROOT,
            attrs={"failed": True},
            tags=("retried",),
            start=start,
            end=end,
            span_id=span,
        )
        tx.traces.record("error", reason, parent=span, start=end, end=end, span_id=f"{span}.1")
        tx.events.append("tool_error", {"tool": tool, "reason": reason})
        self._counted(tx, "retries")

    # -- how

    def _advance(self, tx: Transaction, number: int, of: int) -> None:
        """As far through the plan, and through the phases, as through the steps."""
        at = min(len(self._goal.steps) - 1, (number - 1) * len(self._goal.steps) // of)
        if number == 1:
            tx.json.set(PLAN, ("steps", 0, "status"), "in_progress")
        elif at != self._at:
            done, now = ("steps", self._at, "status"), ("steps", at, "status")
            spent = ("budget", "spent")
            tx.json.patch(
                PLAN, [("set", done, "done"), ("set", now, "in_progress"), ("set", spent, self._tokens)]
            )
        self._at = at
        self._move(tx, _PHASES[min(len(_PHASES) - 1, number * len(_PHASES) // (of + 1))])

    def _move(self, tx: Transaction, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            tx.state.set("phase", phase)

    def _counted(self, tx: Transaction, key: str, by: int = 1) -> None:
        self._count[key] = self._count.get(key, 0) + by
        tx.kv.put(key, self._count[key])

    def _note(self, dice: Dice) -> str:
        if not self._world:
            return dice.pick(WORDS["note"])
        # Long texts, to see how they are shown and cut.
        return " ".join(dice.pick(WORDS["note"]) for _ in range(dice.between(1, 40)))
