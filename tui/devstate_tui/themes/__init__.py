"""The themes that come with the inspector, and those of the user."""

from .built_in import BUILT_IN, DARK, LIGHT
from .user import load_themes

__all__ = ["BUILT_IN", "DARK", "LIGHT", "load_themes"]
