"""Random workloads for the reference model: all kinds of operations over three runs. Deterministic for a `Random`."""

from __future__ import annotations

import random
from typing import Any

from engine_oracle.model import Model, Operation, op
from engine_oracle.model_data import ModelError

RUNS = tuple(bytes([number]) * 16 for number in (1, 2, 3))
KEYS = ("a", "b", "ключ", "k/long/" + "x" * 40)
START = 1_700_000_000_000_000


def sample_model(dice: random.Random, commits: int) -> Model:
    """A model after that many commits; operations that are refused leave no commit."""
    model = Model()
    now = START
    while model.cv < commits:
        now += dice.choice((-5, 0, 1, 1000))
        run = dice.choice(RUNS)
        try:
            if dice.random() < 0.15:
                model.transact(run, [run_operation(dice)], now=now)
            else:
                model.transact(run, [operation(dice) for _ in range(dice.choice((1, 1, 2, 4)))], now=now)
        except ModelError as refused:
            if refused.name == "RunNotFound":
                model.do(run, "run.begin", name=f"run {run[0]}", tags=["eval"], metadata={"n": 1}, now=now)
            elif refused.name == "RunNotActive" and model.status(run) == "paused":
                model.do(run, "run.resume", now=now)
            elif refused.name == "RunNotActive" and model.cv + 1 < commits:
                model.do(run, "run.delete", now=now)
    return model


def run_operation(dice: random.Random) -> Operation:
    return dice.choice(
        (
            op("run.pause"),
            op("run.set_metadata", {"step": dice.randrange(9)}),
            op("run.add_tags", [dice.choice("xyz")]),
            op("run.end", "completed"),
            op("run.abort", "a reason"),
        )
    )


def operation(dice: random.Random) -> Operation:
    key, seen = dice.choice(KEYS), value(dice)
    path = dice.choice(([], ["x"], ["x", 0], ["list", 0], ["deep", "er", "key"]))
    span = f"span-{dice.randrange(5)}"
    return dice.choice(
        (
            op("kv.put", key, seen),
            op("kv.put", key, seen, ttl=dice.randrange(1, 5000)),
            op("kv.delete", key),
            op("json.create", key, document(dice)),
            op("json.set", key, path, document(dice)),
            op("json.delete", key, path),
            op("json.patch", key, [[0, ["p"], dice.randrange(9)], [0, path or ["q"], 1], [1, ["p"]]]),
            op("events.append", dice.choice(("tick", "tool_call")), seen),
            op("state.init", key, seen),
            op("state.set", key, seen),
            op(
                "state.transition",
                key,
                lambda before: [before] if not isinstance(before, list) else len(before),
            ),
            op("state.delete", key),
            op("traces.record", span, "query", "n", parent=None, attrs={"v": seen}, tags=["t"], start=1),
        )
    )


def value(dice: random.Random) -> Any:
    return dice.choice(
        (
            None,
            True,
            0,
            1,
            -1,
            2**63 - 1,
            -(2**63),
            1.0,
            -0.0,
            float("nan"),
            "text",
            "ü" * 40,
            b"\0\xff",
            [1, [2]],
            {"b": 1, "a": {}},
        )
    )


def document(dice: random.Random) -> Any:
    return dice.choice((1, "s", {}, [], {"x": [1, 2], "list": []}, {"x": {"y": None}}, {"deep": {"er": {}}}))
