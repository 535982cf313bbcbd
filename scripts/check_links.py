"""Check that every relative link in the repository's Markdown leads to a file, and to a heading of it.

Prints what does not, and exits with status 1 then. Links to other hosts are not followed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[1]

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *#*$", re.MULTILINE)


def pages() -> list[Path]:
    """The Markdown files that git knows or would take; where this is no clone, those outside hidden folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        inside = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
        names = [str(path) for path in inside if not any(part.startswith(".") for part in path.parts[:-1])]
    else:
        names = listed.stdout.decode().split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})


@cache
def anchors(page: Path) -> frozenset[str]:
    text = _FENCE.sub("", page.read_text("utf-8"))
    return frozenset(anchor(heading) for heading in _HEADING.findall(text))


def anchor(heading: str) -> str:
    """The name that a code host and mkdocs give a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", text)).strip("-")


def broken(page: Path) -> list[str]:
    """A sentence for each link of a page that leads nowhere."""
    text = page.read_text("utf-8")
    prose = _CODE.sub("``", _FENCE.sub("", text))
    found: list[str] = []
    for link in _LINK.findall(prose):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        name = page.relative_to(ROOT)
        if not target.is_relative_to(ROOT):
            found.append(f"{name}: {link} leads out of the repository")
        elif not target.exists():
            found.append(f"{name}: {link} does not exist")
        elif fragment and (target.suffix != ".md" or fragment not in anchors(target)):
            found.append(f"{name}: {link}: there is no such heading")
    return found


def main() -> int:
    faults = [fault for page in pages() for fault in broken(page)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
