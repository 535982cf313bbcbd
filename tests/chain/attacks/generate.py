"""Write the attack corpus: `python generate.py OUTDIR [--all]`.

One folder a case, byte for byte the same on every run. Without `--all` only what is committed is written:
a few cases of each row, and the bulky ones without their workspaces. It uses the standard library only, and
nothing of the product.
"""

from __future__ import annotations

import sys

from forge import (
    big,
    fields,
    json_text,
    keys,
    layout,
    limits,
    links,
    numbers,
    shape,
    state_files,
    times,
    torn,
)
from forge.cases import Corpus


def corpus() -> Corpus:
    cases = Corpus()
    for module in (
        big,
        fields,
        json_text,
        keys,
        layout,
        limits,
        links,
        numbers,
        shape,
        state_files,
        times,
        torn,
    ):
        module.add_to(cases)
    return cases


def main(arguments: list[str]) -> int:
    folders = [argument for argument in arguments if argument != "--all"]
    if len(folders) != 1:
        print("usage: python generate.py OUTDIR [--all]", file=sys.stderr)
        return 2
    corpus().write(folders[0], everything="--all" in arguments)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
