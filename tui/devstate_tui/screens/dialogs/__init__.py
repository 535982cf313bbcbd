"""Modal screens; each returns a frozen dataclass, focuses Cancel or Close, and closes on Escape."""
