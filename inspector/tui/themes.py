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

DEFAULT_THEME: Final = "inspector-dark"


_SHADES: Final[dict[bool, dict[str, Any]]] = {
    True: {
        "foreground": "#dfe3e8", "background": "#14181d", "surface": "#1b2026", "panel": "#252c34",
        "foreground-muted": "#a0abb7", "block-cursor-foreground": "#0d1117",
        "surface-lighten-1": "#242a32", "surface-lighten-2": "#2c343d", "surface-lighten-3": "#47525e",
    },
    False: {
        "foreground": "#1c2126", "background": "#f6f7f8", "surface": "#eceef0", "panel": "#dfe3e7",
        "foreground-muted": "#4d5761", "block-cursor-foreground": "#ffffff",
        "surface-lighten-1": "#e4e7ea", "surface-lighten-2": "#dce0e4", "surface-lighten-3": "#a9b2bb",
    },
}  # fmt: skip
"""What the dark themes (True) and the light ones have in common."""


def _theme(name: str, dark: bool, primary: str, accent: str, error: str, warning: str, success: str) -> Theme:
    """A theme whose coloured texts have just these colours: Textual would mix them with white or black."""
    colours: dict[str, Any] = {"primary": primary, "secondary": primary, "accent": accent}
    colours |= {"error": error, "warning": warning, "success": success}
    shades = _SHADES[dark]
    grounds = {ground: shades[ground] for ground in ("foreground", "background", "surface", "panel")}
    texts = {f"text-{colour}": value for colour, value in colours.items()}
    accents = {"block-cursor-background": accent, "footer-key-foreground": accent}
    return Theme(name, dark=dark, **colours, **grounds, variables=texts | shades | accents)


# Name, whether it is dark, then primary, accent, error, warning and success.
THEMES: Final = (
    _theme("inspector-dark", True, "#6cb4f5", "#7fc8ff", "#ff8080", "#f2c14e", "#7ddc8c"),
    _theme("inspector-light", False, "#0b5fa5", "#0b5394", "#a81522", "#7a4a00", "#14611f"),
    _theme("inspector-colour-blind", True, "#8fb8ff", "#c9d6e6", "#ff9000", "#ffd090", "#5aa9ff"),
    _theme("inspector-colour-blind-light", False, "#0b4f9e", "#2b3a4a", "#ac4000", "#543820", "#0058c4"),
)


def register_themes(app: App[Any], chosen: str = "") -> None:
    """Add these themes to those of `app`, and begin with the one that is `chosen`, or with DEFAULT_THEME.

    What TEXTUAL_THEME names has precedence when there is such a theme: ours, or one of Textual's.
    """
    for theme in THEMES:
        app.register_theme(theme)
    known = [name for name in (os.environ.get("TEXTUAL_THEME"), chosen) if name in app.available_themes]
    name = known[0] if known else DEFAULT_THEME
    app.set_reactive(App.theme, name)
    theme = app.current_theme
    if theme.dark and not theme.ansi:
        # Nothing is styled yet, and but for its colours it is like the theme that Textual has begun with: to
        # change over to it would have every style sheet read twice.
        app.add_class(f"-theme-{name}", update=False)
        app.stylesheet.set_variables(app.get_css_variables())
    else:
        # Textual knows of the change only if it is one.
        app.set_reactive(App.theme, "textual-dark")
        app.theme = name
