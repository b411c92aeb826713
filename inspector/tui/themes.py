"""The inspector's own colours: dark, light, and for each a theme for the colour-blind.

State is never told by colour alone, so any of Textual's themes will do; these are made so that what is told
by colour can also be read: texts have a contrast of 4.5 to 1 against every background they stand on.
The colour-blind themes tell error, warning and success apart as strong orange, a pale (or dark) tone of
it, and blue, which stay different for people who lack one of the three kinds of cones.
"""

from __future__ import annotations

import os
from typing import Any, Final

from textual.app import App
from textual.theme import Theme

__all__ = ["DEFAULT_THEME", "THEMES", "register_themes"]

DEFAULT_THEME: Final = "inspector-dark"


def _theme(
    name: str,
    *,
    dark: bool,
    primary: str,
    accent: str,
    error: str,
    warning: str,
    success: str,
    muted: str,
    cursor: tuple[str, str],
) -> Theme:
    """A theme whose coloured texts have just these colours: Textual would mix them with white or black."""
    return Theme(
        name=name,
        dark=dark,
        primary=primary,
        secondary=primary,
        accent=accent,
        error=error,
        warning=warning,
        success=success,
        foreground="#dfe3e8" if dark else "#1c2126",
        background="#14181d" if dark else "#f6f7f8",
        surface="#1b2026" if dark else "#eceef0",
        panel="#252c34" if dark else "#dfe3e7",
        variables={
            "text-primary": primary,
            "text-secondary": primary,
            "text-accent": accent,
            "text-error": error,
            "text-warning": warning,
            "text-success": success,
            "foreground-muted": muted,
            "block-cursor-foreground": cursor[0],
            "block-cursor-background": cursor[1],
            "footer-key-foreground": accent,
            "surface-lighten-1": "#242a32" if dark else "#e4e7ea",
            "surface-lighten-2": "#2c343d" if dark else "#dce0e4",
            "surface-lighten-3": "#47525e" if dark else "#a9b2bb",
        },
    )


THEMES: Final = (
    _theme(
        "inspector-dark",
        dark=True,
        primary="#6cb4f5",
        accent="#7fc8ff",
        error="#ff8080",
        warning="#f2c14e",
        success="#7ddc8c",
        muted="#a0abb7",
        cursor=("#0d1117", "#7fc8ff"),
    ),
    _theme(
        "inspector-light",
        dark=False,
        primary="#0b5fa5",
        accent="#0b5394",
        error="#a81522",
        warning="#7a4a00",
        success="#14611f",
        muted="#4d5761",
        cursor=("#ffffff", "#0b5394"),
    ),
    _theme(
        "inspector-colour-blind",
        dark=True,
        primary="#8fb8ff",
        accent="#c9d6e6",
        error="#ff9000",
        warning="#ffd090",
        success="#5aa9ff",
        muted="#a0abb7",
        cursor=("#0d1117", "#c9d6e6"),
    ),
    _theme(
        "inspector-colour-blind-light",
        dark=False,
        primary="#0b4f9e",
        accent="#2b3a4a",
        error="#ac4000",
        warning="#543820",
        success="#0058c4",
        muted="#4d5761",
        cursor=("#ffffff", "#2b3a4a"),
    ),
)


def register_themes(app: App[Any]) -> None:
    """Add these themes to those of `app`, and begin with DEFAULT_THEME.

    What TEXTUAL_THEME names has precedence when there is such a theme: ours, or one of Textual's.
    """
    for theme in THEMES:
        app.register_theme(theme)
    wanted = os.environ.get("TEXTUAL_THEME", "")
    app.theme = wanted if wanted in app.available_themes else DEFAULT_THEME
