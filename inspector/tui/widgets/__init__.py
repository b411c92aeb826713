"""The parts of the screens. None of them reads a stack: they are given rows and facts to draw.

What most tabs of the main screen show is imported when one of these is asked for. What the first screen shows
is taken from its file.
"""

from typing import TYPE_CHECKING

from engine.lazy import lazily

if TYPE_CHECKING:
    from inspector.tui.widgets.block_pane import BlockPane
    from inspector.tui.widgets.block_tree import BlockTree
    from inspector.tui.widgets.compaction_pane import CompactionPane
    from inspector.tui.widgets.compaction_words import damage_texts
    from inspector.tui.widgets.geometry import BarList
    from inspector.tui.widgets.health_pane import HealthPane
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "block_pane": "BlockPane",
            "block_tree": "BlockTree",
            "compaction_pane": "CompactionPane",
            "compaction_words": "damage_texts",
            "geometry": "BarList",
            "health_pane": "HealthPane",
        },
    )
