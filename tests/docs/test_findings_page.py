"""docs/findings.md and the codes of the product, held together in both directions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from devstate.demo import TAMPERS, demo_workspace, write_demo
from devstate.findings import CODES, Class
from devstate.settings import load_settings
from devstate.trae import find_unmasked
from devstate.workspace import Workspace, no_drift_gate

PAGE = Path(__file__).parents[2] / "docs/findings.md"
ENTRIES = 12

SEVERITY = {Class.POLICY: "warning", Class.INFORMATION: "info"}
EXIT = {
    Class.INTEGRITY: "exit 1",
    Class.UNDECIDABLE: "exit 3",
    Class.IO: "exit 5",
    Class.POLICY: "exit 4 under `--strict`",
    Class.INFORMATION: "exit 0",
}
EXAMPLE = re.compile(r"^`--tamper ([\w-]+)`:\n\n```text\n(.+)\n```$", re.MULTILINE)


class Section(NamedTuple):
    code: str
    text: str

    @property
    def facts(self) -> str:
        """The line in italics under the heading."""
        return self.text.split("\n\n", 2)[1]


def sections() -> list[Section]:
    parts = re.split(r"^(?=##)", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return [Section(part[4:].split("\n", 1)[0], part) for part in parts if part.startswith("### ")]


SECTIONS = {section.code: section for section in sections()}


def shown_class(code: str) -> Class:
    # Its class in the list is that of CI; the section says so.
    return Class.POLICY if code == "WEAK_KEY" else CODES[code].failure_class


def test_each_code_has_one_section_and_each_section_a_code() -> None:
    assert sorted(section.code for section in sections()) == sorted(CODES)


def test_codes_stand_in_the_order_of_the_list_under_their_class() -> None:
    order = [code for kind in EXIT for code in CODES if shown_class(code) is kind]
    assert [section.code for section in sections()] == order


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_section_says_severity_class_and_exit_status(code: str) -> None:
    kind = shown_class(code)
    expected = f"*{SEVERITY.get(kind, 'error')}, {kind}, {EXIT[kind]}; found by "
    assert SECTIONS[code].facts.startswith(expected)


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_section_says_what_is_looked_at_and_what_to_do(code: str) -> None:
    text = SECTIONS[code].text
    assert text.count("**Detection.** ") == 1
    assert text.count("**What to do.** ") == 1


def test_each_code_that_a_demo_can_show_has_its_example() -> None:
    shown = {code for code, section in SECTIONS.items() if EXAMPLE.search(section.text)}
    assert {tamper.code for tamper in TAMPERS.values()} <= shown


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [(section.code, *match) for section in sections() for match in EXAMPLE.findall(section.text)],
)
def test_an_example_is_what_the_product_says(code: str, name: str, message: str, tmp_path: Path) -> None:
    tamper = TAMPERS[name]
    write_demo(str(tmp_path), demo_workspace(entries=ENTRIES, tamper=name))
    keyring = str(tmp_path / tamper.arguments[1]) if "--keyring" in tamper.arguments else None
    with Workspace.open(str(tmp_path), settings=load_settings(flags={"keyring": keyring})) as workspace:
        gate = no_drift_gate(workspace.read())
    found = [*gate.findings]
    if tamper.found_by == "mask check":
        for log in sorted((tmp_path / tamper.arguments[0]).iterdir()):
            found += find_unmasked(log.read_bytes(), file=log.name)
    said = [one.message.replace(str(tmp_path), "DIR") for one in found if one.code == code]
    assert message in said, "run `make docs`"
    assert (tamper.found_by == "verify") <= ("`verify`" in SECTIONS[code].facts)
    assert f"`{tamper.found_by}`" in SECTIONS[code].facts


def test_remedies_name_pages_and_commands_that_exist() -> None:
    """A remedy that sends a reader to a page sends them to this one."""
    for code in CODES.values():
        for page in re.findall(r"docs/[\w/.-]+\.md", code.remedy):
            assert (PAGE.parents[1] / page).is_file()
