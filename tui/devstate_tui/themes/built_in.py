"""Three themes: dark, light, and one of high contrast. Widgets use the names of roles, never these colours.

One accent; red (`error`) only for what is broken, amber (`warning`) only for what wants a look.
"""

from __future__ import annotations

from textual.theme import Theme

__all__ = ["BUILT_IN", "DARK", "LIGHT"]

DARK = "devstate-dark"
LIGHT = "devstate-light"

BUILT_IN: tuple[Theme, ...] = (
    Theme(
        name=DARK,
        primary="#5aa9e6",
        secondary="#7f8ea3",
        accent="#5aa9e6",
        success="#62c073",
        warning="#e5b567",
        error="#f2686d",
        foreground="#d7dce2",
        background="#12161c",
        surface="#191f27",
        panel="#232b36",
        variables={
            "footer-key-foreground": "#5aa9e6",
            "block-cursor-background": "#24405a",
            "block-cursor-foreground": "#ffffff",
            "block-cursor-text-style": "none",
            "text-muted": "#8b97a6",
        },
    ),
    Theme(
        name=LIGHT,
        primary="#1f5f9e",
        secondary="#5d6b7a",
        accent="#1f5f9e",
        success="#1d7a34",
        warning="#8a5a00",
        error="#b3261e",
        foreground="#1c2126",
        background="#fbfbf9",
        surface="#f2f2ee",
        panel="#e6e6e0",
        dark=False,
        variables={
            "footer-key-foreground": "#1f5f9e",
            "block-cursor-background": "#cfe2f5",
            "block-cursor-foreground": "#10151a",
            "block-cursor-text-style": "none",
            "text-muted": "#5b6670",
        },
    ),
    Theme(
        name="devstate-contrast",
        primary="#00d7ff",
        secondary="#ffffff",
        accent="#00d7ff",
        success="#00ff5f",
        warning="#ffff00",
        error="#ff5f5f",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        text_alpha=1.0,
        variables={
            "footer-key-foreground": "#00d7ff",
            "block-cursor-background": "#00458c",
            "block-cursor-foreground": "#ffffff",
            "block-cursor-text-style": "bold",
            "text-muted": "#d0d0d0",
        },
    ),
)
