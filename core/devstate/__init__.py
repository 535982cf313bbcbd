"""DevState: read, verify, explain and safely change the development state of a project."""

__version__ = "0.1.0"
__all__ = ["__version__"]
