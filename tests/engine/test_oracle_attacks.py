"""The databases made by hand against the second reader; and that the oracle shares no code with what it judges."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import engine_oracle.attacks
from engine_oracle.attacks import ATTACKS, UNDECIDED, Attack
from engine_oracle.entries import FormatError
from engine_oracle.interpret import state_of
from engine_oracle.log import NoBase
from engine_oracle.snapshots import UnsupportedSnapshot
from engine_oracle.writer import RUN

ORACLE = Path(engine_oracle.attacks.__file__).parent


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_attack_has_the_verdict_that_is_said_of_it(attack: Attack, tmp_path: Path) -> None:
    attack.build(str(tmp_path))
    try:
        state, reading = state_of(tmp_path)
    except (FormatError, NoBase, UnsupportedSnapshot):
        assert attack.verdict == "refused"
        return
    assert (reading.verdict, state["cv"]) == (attack.verdict, attack.kept)
    assert "evil" not in state["runs"][RUN]["kv"]


def test_a_transaction_in_a_value_that_a_crash_cut_is_taken_for_a_commit(tmp_path: Path) -> None:
    """What the rules of the format do not tell apart: who can write values and knows the salt can forge a commit."""
    UNDECIDED.build(str(tmp_path))
    state, reading = state_of(tmp_path)
    assert (reading.verdict, state["cv"]) == (UNDECIDED.verdict, UNDECIDED.kept)


def test_the_oracle_has_no_code_of_the_product_or_of_a_library() -> None:
    for path in sorted(ORACLE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                assert top == "engine_oracle" or top in sys.stdlib_module_names, f"{path.name} imports {name}"
