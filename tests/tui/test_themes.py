"""Themes of the user: taken whole, or told and left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate_tui.themes import BUILT_IN, load_themes
from devstate_tui.themes.user import check_theme


def test_a_theme_needs_only_a_primary_colour(tmp_path):
    folder = tmp_path / "themes"
    folder.mkdir()
    (folder / "dusk.toml").write_text('primary = "#88aaff"\ndark = false\n[variables]\ntext-muted = "#889"\n')
    themes, problems = load_themes(str(tmp_path))
    assert problems == ()
    assert [(theme.name, theme.primary, theme.dark) for theme in themes] == [("dusk", "#88aaff", False)]
    assert themes[0].variables == {"text-muted": "#889"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, '"primary" is missing'),
        ({"primary": "purplish"}, "primary is no colour"),
        ({"primary": 7}, "primary is no colour"),
        ({"primary": "red", "secundary": "blue"}, 'unknown member "secundary"'),
        ({"primary": "red", "dark": "yes"}, "dark must be true or false"),
        ({"primary": "red", "name": ""}, "name must be a text"),
        ({"primary": "red", "name": BUILT_IN[0].name}, "built-in theme"),
        ({"primary": "red", "variables": {"a": 1}}, "[variables] must map names to texts"),
    ],
)
def test_a_faulty_theme_is_told(document, said):
    theme, problems = check_theme(document, "themes/x.toml")
    assert theme is None
    assert said in problems[0].message


def test_one_faulty_file_does_not_spoil_the_others(tmp_path):
    folder = tmp_path / "themes"
    folder.mkdir()
    (folder / "a.toml").write_text("primary = \n")
    (folder / "b.toml").write_text('primary = "red"\nname = "one"\n')
    (folder / "c.toml").write_text('primary = "blue"\nname = "one"\n')
    (folder / "notes.txt").write_text("not a theme")
    themes, problems = load_themes(str(tmp_path))
    assert [theme.primary for theme in themes] == ["red"]
    assert ["is not TOML" in problems[0].message, "already defines" in problems[1].message] == [True, True]


def test_no_folder_is_no_problem_and_a_file_in_its_place_is_one(tmp_path):
    assert load_themes(str(tmp_path)) == ((), ())
    (tmp_path / "themes").write_text("")
    assert len(load_themes(str(tmp_path))[1]) == 1


def test_the_built_in_themes_have_every_colour():
    for theme in BUILT_IN:
        for role in ("success", "warning", "error", "accent", "foreground", "background", "surface", "panel"):
            assert getattr(theme, role), (theme.name, role)


def test_the_example_of_the_documentation_is_a_theme(tmp_path):
    page = (Path(__file__).parents[2] / "docs/reference/themes.md").read_text()
    example = page.split("```toml\n")[1].split("```")[0]
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "dusk.toml").write_text(example)
    themes, problems = load_themes(str(tmp_path))
    assert problems == ()
    assert [theme.name for theme in themes] == ["dusk"]
