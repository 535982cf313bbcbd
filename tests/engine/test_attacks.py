"""Databases built by hand to mislead, by code that shares nothing with the engine, opened with `Database.open`."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.engine import Database, EngineError
from engine_oracle.attacks import ATTACKS, UNDECIDED, Attack
from engine_oracle.interpret import digest, state_of

# By the letter of the format a commit counts only if exactly its entries are there; the second reader forgives a
# stray one before them. It can be there after tampering alone, and what is cut is in quarantine.
STRICTER = {"a stray entry with the id of the next transaction": 2}


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def outcome(root: Path) -> tuple[str, int | None]:
    try:
        with Database.open(root) as database:
            return "open", database.recovery.last_cv
    except EngineError:
        return "refused", None


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_attack_is_refused_or_kept_to_the_honest_prefix(attack: Attack, tmp_path: Path) -> None:
    attack.build(str(tmp_path))
    before = files_of(tmp_path)
    how, cv = outcome(tmp_path)
    if attack.verdict in ("lost", "refused"):
        assert how == "refused"
        left = {name: data for name, data in files_of(tmp_path).items() if name not in ("LOCK", "WRITERS")}
        assert left == {name: data for name, data in before.items() if name not in ("LOCK", "WRITERS")}
    else:
        assert (how, cv) == ("open", STRICTER.get(attack.name, attack.kept))
        (tmp_path / "CLEAN").unlink()
        state, reading = state_of(tmp_path)
        assert reading.last_cv == cv and digest(state) == digest(state_of(tmp_path, use_snapshot=False)[0])


def test_a_forged_transaction_in_a_value_cut_short_by_a_crash_is_a_known_limit(tmp_path: Path) -> None:
    UNDECIDED.build(str(tmp_path))
    assert outcome(tmp_path) == ("open", UNDECIDED.kept)
