"""docs/reference/settings.md against the settings themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from command_runs import devstate
from devstate.chain import parse_keyring
from devstate.errors import UsageError
from devstate.settings import Secret, load_settings

PAGE = (Path(__file__).parents[2] / "docs/reference/settings.md").read_text("utf-8")

# Not settings, but where settings come from.
ORIGINS = {"secret", "environment"}


class Row(NamedTuple):
    name: str
    option: str
    variable: str
    in_file: bool
    default: str


def rows() -> list[Row]:
    table = re.search(r"^\| setting \|.*\n\|-.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    lines = [[cell.strip().strip("`") for cell in line.split("|")[1:6]] for line in table[1].splitlines()]
    return [
        Row(name, option, variable, in_file == "yes", default)
        for name, option, variable, in_file, default in lines
    ]


def value_of(name: str) -> object:
    """The default of a setting, by its dotted name."""
    if name in ("secret_file", "keyring"):
        return None
    value: object = load_settings()
    for part in name.split("."):
        value = getattr(value, part)
    return value


def sample(row: Row) -> str:
    """A text that the setting accepts."""
    return {"true": "false", "false": "true"}.get(
        row.default, "7" if row.default or row.name == "jobs" else "x"
    )


def test_the_table_lists_all_settings_and_no_others() -> None:
    assert {row.name for row in rows()} == load_settings().sources.keys() - ORIGINS


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_row_says_variable_file_and_default_as_they_are(row: Row) -> None:
    value = value_of(row.name)
    shown = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    assert row.default == shown
    assert load_settings(environ={row.variable: sample(row)}).sources[row.name] == row.variable
    text = sample(row)
    written = text if text in ("7", "true", "false") else f'"{text}"'
    config = f"{row.name} = {written}\n".encode()
    if row.in_file:
        assert load_settings(config_text=config).sources[row.name] == "devstate.toml"
    else:
        with pytest.raises(UsageError):
            load_settings(config_text=config)


def test_the_options_of_the_table_exist(tmp_path: Path) -> None:
    options = [row.option for row in rows() if row.option]
    assert len(options) == 4
    text = devstate("--help", cwd=tmp_path).out + devstate("verify", "--help", cwd=tmp_path).out
    for option in options:
        assert f" {option} " in text


def test_the_sample_file_is_one() -> None:
    (config,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    settings = load_settings(config_text=config.encode())
    assert (settings.jobs, settings.limits.depth, settings.tui.mouse) == (2, 32, False)


def test_the_sample_key_ring_is_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    asked: list[str] = []

    def resolve(name: str) -> Secret:
        asked.append(name)
        return Secret(b"a secret of the tests, long enough")

    ring = parse_keyring(text.encode(), resolve_file=resolve, resolve_env=resolve)
    assert [(key.kid, key.from_seq, key.to_seq) for key in ring.keys] == [
        ("2025", 0, 4120),
        ("2026", 4121, None),
    ]
    assert asked == ["CHAIN_SECRET_2025", "secrets/chain-2026"]


@pytest.mark.parametrize("variable", ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "DRONE", "PRODUCTION"])
def test_the_variables_of_ci_and_production_are_named(variable: str) -> None:
    assert f"`{variable}`" in PAGE
    assert load_settings(environ={variable: "true"}).strict_keys


def test_the_order_of_secrets_is_as_said() -> None:
    both = {"BEAMLINE_HMAC_SECRET": "one", "HMAC_SECRET": "two"}
    first = load_settings(environ=both).secrets
    assert first.origin == "BEAMLINE_HMAC_SECRET"
    assert load_settings(environ=both, flags={"secret_file": "f"}).secrets.file == "f"
    by_variable = load_settings(environ={**both, "DEVSTATE_SECRET_FILE": "f"}).secrets
    assert by_variable.value is not None
    assert msgspec.structs.replace(by_variable, value=None) == msgspec.structs.replace(first, value=None)


@pytest.mark.parametrize("setting", ["keyring", "secret_file"])
def test_what_the_workspace_names_never_replaces_the_secret_that_was_given(setting: str) -> None:
    """Whoever can change the workspace could else bring a key of their own and sign the history anew."""
    given = load_settings(
        environ={"BEAMLINE_HMAC_SECRET": "one"}, config_text=f'{setting} = "theirs"'.encode()
    ).secrets
    assert (given.keyring, given.file, given.origin) == (None, None, "BEAMLINE_HMAC_SECRET")
    by_flag = load_settings(flags={"secret_file": "mine"}, config_text=f'{setting} = "theirs"'.encode())
    assert (by_flag.secrets.keyring, by_flag.secrets.file) == (None, "mine")
