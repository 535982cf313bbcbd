"""Bring the example sentences of docs/findings.md up to date with the product (`make docs`); a test holds them."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from devstate.demo import TAMPERS, demo_workspace, write_demo
from devstate.settings import load_settings
from devstate.trae import find_unmasked
from devstate.workspace import Workspace, no_drift_gate

PAGE = Path(__file__).parents[1] / "docs/findings.md"
ENTRIES = 12

_SECTION = re.compile(r"^### (\w+)\n.*?(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"(^`--tamper ([\w-]+)`:\n\n```text\n)(.+)(\n```$)", re.MULTILINE)


def sentences(name: str) -> list[tuple[str, str]]:
    """Code and sentence of each finding about a demo with the fault `name`."""
    tamper = TAMPERS[name]
    with tempfile.TemporaryDirectory() as root:
        write_demo(root, demo_workspace(entries=ENTRIES, tamper=name))
        keyring = os.path.join(root, tamper.arguments[1]) if "--keyring" in tamper.arguments else None
        with Workspace.open(root, settings=load_settings(flags={"keyring": keyring})) as workspace:
            findings = list(no_drift_gate(workspace.read()).findings)
        if tamper.found_by == "mask check":
            for log in sorted(Path(root, tamper.arguments[0]).iterdir()):
                findings += find_unmasked(log.read_bytes(), file=log.name)
        return [(one.code, one.message.replace(root, "DIR")) for one in findings]


def renewed(section: re.Match[str]) -> str:
    """The section with the product's own sentence where the one on the page is none."""

    def example(found: re.Match[str]) -> str:
        said = [message for code, message in sentences(found[2]) if code == section[1]]
        return found[1] + (found[3] if found[3] in said else said[0]) + found[4]

    return _EXAMPLE.sub(example, section[0])


if __name__ == "__main__":
    PAGE.write_text(_SECTION.sub(renewed, PAGE.read_text("utf-8")), "utf-8")
