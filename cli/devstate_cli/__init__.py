"""The `devstate` command: parses, calls the library, renders, and chooses the exit status."""

__all__: list[str] = []
