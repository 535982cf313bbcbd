"""Pictures of the documentation: they lie in screenshots/, beside docs/, where README shows them too.

A hook of mkdocs: a page names a picture by its place in the repository, which a code host follows; in the site the
pictures lie one folder deeper.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

PICTURES = Path(__file__).parents[1] / "screenshots"

_PICTURE = re.compile(r"(!\[[^\]]*\]\()\.\./((?:\.\./)*screenshots/)")


def on_files(files: Files, *, config: Any) -> Files:
    for picture in sorted(PICTURES.glob("*.png")):
        files.append(File.generated(config, f"screenshots/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    return _PICTURE.sub(r"\1\2", markdown)
