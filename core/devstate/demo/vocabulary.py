"""What the demo project is made of: who works in it, what they do, and what they write down.

`MOVES` lists the kinds of entries. A text in their metadata that begins with `§` is a slot:
`§word` takes one text of `WORDS["word"]`, `§int A B` a whole number from A to B, `§id P A B` the text P
followed by such a number. Nothing here holds a float: they make every reader slower and prove nothing more.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

__all__ = ["AGENTS", "CHECKPOINTS", "GATE", "INIT", "MOVES", "PROJECT", "WORDS", "AgentPlan", "Move"]

PROJECT: Final = "harbour-ledger"

CHECKPOINTS: Final = ("CP0-LC", "CP1-LC", "CP2-LC", "CP3-LC")


class AgentPlan(NamedTuple):
    """An agent of the project: `cp` is the index of the checkpoint that its task belongs to."""

    id: str
    name: str
    task: str
    cp: int


AGENTS: Final[tuple[AgentPlan, ...]] = (
    AgentPlan("AGENT_1", "Repository and state", "Keep the layout, the state and the history in order", 0),
    AgentPlan("AGENT_2", "Router core", "Deliver each message once, also after a restart", 1),
    AgentPlan("AGENT_3", "Worker", "Run jobs and acknowledge them", 1),
    AgentPlan("AGENT_4", "Gateway", "Limit and authenticate requests", 1),
    AgentPlan("AGENT_5", "Ledger", "Keep the books: every posting has two sides", 2),
    AgentPlan("AGENT_6", "Localisation (日本語, العربية, ελληνικά)", "Translate what people read", 2),
    AgentPlan("AGENT_7", "Observability", "Metrics, traces and alerts", 2),
    AgentPlan("AGENT_8", "Release", "Build, sign and ship", 3),
)

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "agent": tuple(agent.id for agent in AGENTS),
    "path": (
        "README.md",
        "docs/architecture.md",
        "docs/adr/0001-message-order.md",
        "docs/adr/0002-idempotent-postings.md",
        "proto/ledger/v1/posting.proto",
        "src/router/delivery.py",
        "src/router/retry.py",
        "src/worker/acknowledge.py",
        "src/worker/queue.py",
        "src/gateway/rate_limit.py",
        "src/ledger/posting.py",
        "src/ledger/balance.py",
        "config/gateway.toml",
        "config/alerts.toml",
        "i18n/messages.json",
    ),
    "suite": (
        "unit/router",
        "unit/worker",
        "unit/ledger",
        "contract/posting",
        "property/balance",
        "load/gateway",
        "i18n/plural-forms",
    ),
    "note": (
        "Retry only what is known to be idempotent.",
        "The queue drained while the worker restarted; nothing was lost.",
        "Größe der Warteschlange begrenzt, Überlauf wird gezählt.",
        "Проверено: повторная доставка не меняет баланс.",
        "残高の検算を追加しました。",
        "تمت مراجعة ترجمة الرسائل.",
        "Δοκιμή φορτίου: 1.200 αιτήματα το δευτερόλεπτο.",
        "सभी संदेशों का अनुवाद पूरा हुआ।",
        "Latency is back under its budget after the index was added.",
        "Naïve rounding replaced by banker's rounding, café receipts agree again.",
        "Alert threshold raised: three false alarms in one night.",
        "合同测试通过，可以进入下一个检查点。",
        "Renamed the field before anybody depends on it.",
        "Build is reproducible again 🎉",
    ),
    "reason": (
        "timeout after 30 s",
        "connection reset by the broker",
        "lease expired",
        "schema version not known yet",
    ),
    "key": ("limits.burst", "limits.per_second", "retry.max_attempts", "retry.backoff_ms", "alerts.window_s"),
    "verdict": ("approved", "approved with remarks", "changes requested"),
    "target": ("linux-x86_64", "linux-aarch64", "macos-arm64"),
    "gate": ("state schema", "history chain", "artifact checksums", "contract tests"),
}


class Move(NamedTuple):
    """A kind of entry. `weight` says how often it comes, `edits_state` whether the state changes with it."""

    action: str
    weight: int
    edits_state: bool
    metadata: dict[str, Any]


MOVES: Final[tuple[Move, ...]] = (
    Move("artifact_update", 3, True, {"artifacts_modified": ["§path"], "note": "§note"}),
    Move(
        "artifact_update",
        3,
        True,
        {"artifacts_added": [], "artifacts_modified": ["§path", "§path"], "lines": "§int 3 480"},
    ),
    Move(
        "worker_result", 8, False, {"task": "§id T- 1000 9999", "status": "ok", "duration_ms": "§int 12 9000"}
    ),
    Move(
        "worker_result",
        2,
        False,
        {
            "task": "§id T- 1000 9999",
            "status": "retried",
            "attempts": ["§int 2 3", "§int 4 9"],
            "reason": "§reason",
        },
    ),
    Move("worker_ack_contract", 8, False, {"task": "§id T- 1000 9999", "to": "§agent", "final": True}),
    Move(
        "router_idempotency",
        3,
        False,
        {"suite": "§suite", "duplicates_seen": "§int 1 40", "applied_twice": 0},
    ),
    Move(
        "test_run",
        4,
        False,
        {"suite": "§suite", "passed": "§int 40 900", "failed": 0, "skipped": None},
    ),
    Move(
        "config_change",
        2,
        True,
        {
            "file": "config/gateway.toml",
            "change": {"key": "§key", "before": "§int 10 90", "after": "§int 100 900"},
        },
    ),
    Move("review", 3, False, {"reviewer": "§agent", "verdict": "§verdict", "note": "§note"}),
    Move("heartbeat", 8, False, {}),
    Move(
        "build",
        2,
        False,
        {"number": "§int 100 9999", "targets": {"§target": {"ok": True, "seconds": "§int 30 600"}}},
    ),
    Move("gate_check", 3, False, {"gate": "§gate", "passed": True, "checked_by": "§agent"}),
)

GATE: Final = Move(
    "gate_pass",
    0,
    True,
    {"gates": {"no_drift": True, "schema": True, "chain": True}, "approved_by": "AGENT_1", "note": "§note"},
)

INIT: Final = Move(
    "init_project", 0, True, {"project": PROJECT, "description": "The state of the project begins here"}
)
