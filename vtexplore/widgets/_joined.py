"""The modules that stand in this folder, joined to the one that a front end loads: imports out, exports plain.

They stay modules for the tools that check and test them; names at their top are therefore different in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
MODULES = (
    "kit.mjs",
    "maps.mjs",
    "parts.mjs",
    "square.mjs",
    "explorer.mjs",
    "sorter.mjs",
    "timeline.mjs",
    "card.mjs",
    "live.mjs",
)


def joined(modules: Sequence[str] = MODULES) -> str:
    """One module; what the last of them exports by default is what it exports."""
    parts = []
    for name in modules:
        text = (HERE / name).read_text("utf-8")
        text = re.sub(r'^import [^;]* from "\./[\w.]+";$', "", text, flags=re.MULTILINE)
        parts.append(re.sub(r"^export (?=function|const|class|async)", "", text, flags=re.MULTILINE))
    return "\n".join(parts)


SCRIPT = joined()
STYLE = (HERE / "explorer.css").read_text("utf-8")
