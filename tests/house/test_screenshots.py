"""The committed pictures show the screens as they are, and are the same wherever they are made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PICTURES = Path(__file__).parents[2] / "screenshots"
SVGS = sorted(PICTURES.glob("*.svg"))
AGAIN = "run `make screenshots` and look at what has changed"


def test_each_picture_is_there_in_both_forms_and_listed():
    assert SVGS
    page = (PICTURES / "README.md").read_text("utf-8")
    names = {path.stem for path in SVGS}
    assert {path.stem for path in PICTURES.glob("*.png")} == names, AGAIN
    assert set(re.findall(r"\]\(([^()]+)\.svg\)", page)) == names, AGAIN
    assert set(re.findall(r"\]\(([^()]+)\.png\)", page)) == names, AGAIN


def test_the_pictures_are_small_load_nothing_and_name_no_folder_of_a_machine():
    total = sum(path.stat().st_size for path in PICTURES.iterdir() if path.suffix in (".svg", ".png"))
    assert total < 6_000_000
    for path in SVGS:
        svg = path.read_text("utf-8")
        links = set(re.findall(r"https?://[^\s\"')<]+", svg))
        assert links <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}, path.name
        assert not re.search(r"/(tmp|home|root|Users|var)/", svg), path.name


@pytest.mark.long
@pytest.mark.timeout(600)
def test_made_anew_they_are_the_same(tmp_path):
    done = subprocess.run(
        [sys.executable, str(PICTURES / "make.py"), "--svg-only", "--into", str(tmp_path)],
        env={"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.svg")}
    assert sorted(made) == [path.name for path in SVGS], AGAIN
    stale = [path.name for path in SVGS if made[path.name] != path.read_text("utf-8")]
    assert stale == [], AGAIN
    assert (tmp_path / "README.md").read_text("utf-8") == (PICTURES / "README.md").read_text("utf-8"), AGAIN
