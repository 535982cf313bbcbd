"""What every command imports stays small: the ground floor brings in nothing that only some commands need."""

from __future__ import annotations

from python_child import run_python

HEAVY = """
asyncio concurrent cryptography dataclasses difflib jsonschema logging multiprocessing pathlib pwd random
rfc8785 rich shutil socket subprocess tempfile textual tomllib watchfiles
"""

CODE = """
import sys
import msgspec
before = set(sys.modules)
import devstate.canonical, devstate.clock, devstate.durable, devstate.settings
devstate.canonical.canonical_json({"a": [1, "x", None]})
devstate.settings.load_settings(environ={"DEVSTATE_JOBS": "2"})
print(*sorted(set(sys.modules) - before))
"""


def test_the_ground_floor_is_light() -> None:
    brought = {name.split(".")[0] for name in run_python(CODE).split()}
    assert "devstate" in brought
    assert brought.isdisjoint(HEAVY.split())
