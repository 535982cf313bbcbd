"""Demo workspaces: realistic, deterministic by seed, valid unless a named fault is planted.

No verdict of a demo is worth anything: its secret is public.
"""

from .building import DemoWorkspace
from .run_counts import DEFAULT_RUNS, MOST_RUNS
from .tampers import TAMPERS, Tamper
from .ugly import UGLY_ENTRIES, broken_entry, ugly_workspace
from .workspaces import DEFAULT_ENTRIES, DEFAULT_SEED, demo_workspace
from .writing import demo_plan, write_demo

__all__ = [
    "DEFAULT_ENTRIES",
    "DEFAULT_RUNS",
    "DEFAULT_SEED",
    "MOST_RUNS",
    "TAMPERS",
    "UGLY_ENTRIES",
    "DemoWorkspace",
    "Tamper",
    "broken_entry",
    "demo_plan",
    "demo_workspace",
    "ugly_workspace",
    "write_demo",
]
