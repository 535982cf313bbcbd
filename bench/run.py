"""Run the benchmarks: `python bench/run.py [verify] [startup] [inspector] [engine] [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import ROOT, machine, machine_line, table

NAMES = ("verify", "startup", "inspector", "engine")


def main(arguments: list[str] | None = None) -> int:
    """Print a Markdown report; with --json also write the numbers to a file."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Benchmarks, side by side in one run."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(NAMES)} (all)")
    parser.add_argument("--quick", action="store_true", help="small inputs and few rounds, to try them out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE")
    options = parser.parse_args(arguments)
    wrong = [name for name in options.names if name not in NAMES]
    if wrong:
        parser.error(f"no benchmark is called {', '.join(wrong)}")
    for name in ("core", "cli", "tui"):
        sys.path.insert(0, str(ROOT / name))
    found = machine()
    print(f"Machine: {machine_line(found)}\n")
    results = []
    with tempfile.TemporaryDirectory(prefix="devstate-bench-") as folder:
        for name in options.names or NAMES:
            module = importlib.import_module(name)
            result = module.measure(Path(folder), quick=options.quick)
            results.append(result.document())
            print(f"## {result.title}\n\n{table(result.rows, module.COLUMNS)}\n")
            for note in result.notes:
                print(f"- {note}")
            for line in result.not_compared:
                print(f"- not compared: {line}")
            print(flush=True)
    if options.json is not None:
        document = {
            "schema": "devstate.bench/1",
            "machine": found,
            "quick": options.quick,
            "results": results,
        }
        options.json.write_text(json.dumps(document, indent=4) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
