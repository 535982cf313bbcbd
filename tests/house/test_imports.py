"""The core stands alone: it imports no terminal, no command line and no face. `make check` runs this too."""

from __future__ import annotations

import subprocess
import sys

import pytest

FACES = ("textual", "rich", "click", "devstate_cli", "devstate_tui")

_LOADED = """
import importlib, pkgutil, sys
import {package}
for module in pkgutil.walk_packages({package}.__path__, "{package}."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sorted(sys.modules), sep="\\n")
"""


def loaded_by(package: str) -> set[str]:
    """All modules that a fresh process holds after importing every module of a package."""
    code = _LOADED.format(package=package)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_no_module_of_the_core_brings_in_a_terminal_or_a_face() -> None:
    loaded = loaded_by("devstate")
    assert {"devstate.chain", "devstate.workspace.opening", "devstate.demo.tampers"} <= loaded
    assert loaded.isdisjoint(FACES)


@pytest.mark.parametrize(
    ("package", "other"), [("devstate_tui", "devstate_cli"), ("devstate_cli", "devstate_tui")]
)
def test_no_face_brings_in_the_other(package: str, other: str) -> None:
    loaded = loaded_by(package)
    assert package in loaded
    assert other not in loaded
