# ruff: noqa: INP001 - a script, not a package
"""Makes the pictures that the README shows: `python screenshots/take.py` writes them next to this file.

They are the real screens over the demo stack, drawn without a terminal, and the same on every machine;
`tests/inspector/test_screenshots.py` fails when the ones in the repository are not these.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # runs from a checkout, installed or not

from engine.stack import StackOptions  # noqa: E402
from inspector.demo import build_demo  # noqa: E402
from inspector.model import Session  # noqa: E402
from inspector.tui import InspectorApp, MainScreen  # noqa: E402

SIZE: Final = (120, 36)
NOW: Final = 1_790_000_000.0
PICTURES: Final = {
    "main.svg": [],
    "blocks.svg": ["j", "j", "b", "m"],
    "compaction.svg": ["4", "m"],
}


async def _picture(session: Session, keys: list[str]) -> str:
    app = InspectorApp(session, clock=lambda: NOW)
    async with app.run_test(size=SIZE) as pilot:
        for key in ["", *keys]:
            if key:
                await pilot.press(key)
            await pilot.pause()
            while list(app.workers) or not (isinstance(app.screen, MainScreen) and app.screen.idle):
                await app.workers.wait_for_complete()
                await pilot.pause()
        # What follows a change (the line of keys follows the focus) is drawn a moment after it.
        drawing, before = _drawn(app), ""
        while drawing != before:
            await pilot.pause(0.1)
            drawing, before = _drawn(app), drawing
        return drawing


def _drawn(app: InspectorApp) -> str:
    return app.export_screenshot(title="reftable-inspector --demo", simplify=False)


def take(target: Path) -> list[Path]:
    """Write every picture into `target`, and return the files."""
    # The pictures are of a terminal with colours and without animations, whatever this one is.
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    os.environ.pop("NO_COLOR", None)
    taken = []
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent, "reftable")
        build_demo(directory)
        for name, keys in PICTURES.items():
            with Session.open(directory, label="demo", options=StackOptions()) as session:
                drawing = asyncio.run(_picture(session, keys))
            taken.append(target / name)
            taken[-1].write_text(drawing, "utf-8")
    return taken


if __name__ == "__main__":
    for path in take(HERE):
        sys.stdout.write(f"{path}\n")
