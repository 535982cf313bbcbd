"""A small database of runs, as programs leave one behind: two that ended, and two that go on."""

from __future__ import annotations

from pathlib import Path

from devstate.engine import Database

__all__ = ["HMAC", "damage", "segment_of", "write_runs"]

HMAC = "5ea1" * 16
"""What stands where an HMAC does."""


def write_runs(store: Path) -> dict[str, str]:
    """Runs by name: `baseline` (8 steps) and `candidate` (9) are completed, `review` and `trial` are active."""
    made: dict[str, str] = {}
    with Database.open(store, shared=True) as database:
        for name, ticks, phase in (("baseline", 2, "act"), ("candidate", 3, "think")):
            with database.run(name=name, tags=["eval"], metadata={"commit": "abc123"}) as run:
                made[name] = str(run.id)
                run.kv.put("model", f"{name} model")
                run.json.set("plan", "", {"steps": [{"do": "search"}, {"do": "write", "draft": 0}]})
                run.kv.put("entry", {"actor": "AGENT_1", "hmac": HMAC})
                run.state.init("phase", phase)
                for number in range(ticks):
                    with run.transaction() as work:
                        work.kv.put("count", number)
                        work.json.set("plan", "$.steps[1].draft", number)
                        work.events.append("tick", {"number": number})
                        work.traces.record("tool_call", f"search {number}", start=1, end=2)
        for name in ("review", "trial"):
            made[name] = str(database.begin_run(name=name, owned=False))
    return made


def segment_of(store: Path) -> Path:
    """The newest segment of the log."""
    return sorted((store / "wal").glob("*.wal"))[-1]


def damage(path: Path, at: int) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
