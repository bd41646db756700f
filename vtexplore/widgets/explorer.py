"""The explorer: click a word, drag a frame, see the model change its mind.

    vtexplore.explore(model, clip, "a red circle slides left")
    vtexplore.explore(model, clip, text, other_text="a red circle slides right")       two side by side

In a notebook the cell first shows a picture, which stays when the notebook is opened without Python, or converted, or
looked at on a web page; then the explorer, which hides that picture while it is alive. Nothing of it is saved in the
notebook: it asks Python for its numbers when it wakes up. ``save_html`` writes a page that works from disk, without
network and without Python, in all that needs no model.
"""

from __future__ import annotations

import html
import os
import uuid
from pathlib import Path
from typing import Any

from vtexplore.errors import AssetError, VtexploreError
from vtexplore.types import Clip
from vtexplore.widgets._joined import SCRIPT, STYLE
from vtexplore.widgets.bench import Bench
from vtexplore.widgets.page import page

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise AssetError("The explorer needs anywidget: pip install 'vtexplore[lab]'.") from error


class Explorer(anywidget.AnyWidget):
    """One bench or two in a notebook; see ``explore``.

    ``selection`` says for each bench (by its number, as text) what is chosen there: word, site, head, order, text.
    """

    _esm = SCRIPT
    _css = STYLE
    selection = traitlets.Dict().tag(sync=True)

    def __init__(self, benches: list[Bench]) -> None:
        super().__init__()
        self.benches = benches
        self.still = f"vtx-still-{uuid.uuid4().hex[:12]}"
        self.on_msg(self._hear)

    def _hear(self, _: Any, message: dict[str, Any], __: Any) -> None:
        """Answer a message from the page; an error of the user's is an answer as well."""
        number, at = message.get("number"), message.get("bench", 0)
        try:
            if message.get("ask") == "scenes":
                answer: Any = {"scenes": [bench.scene() for bench in self.benches], "still": self.still}
                self.send({"number": number, "answer": answer}, [bench.numbers() for bench in self.benches])
                return
            answer = self.benches[at].answer(message)
        except VtexploreError as error:
            self.send({"number": number, "error": str(error)})
            return
        if isinstance(answer, Bench):
            self.benches[at] = answer
            self.send({"number": number, "answer": answer.scene()}, [answer.numbers()])
        else:
            self.send({"number": number, "answer": answer})

    def picture(self, bench: int = 0) -> Any:
        """What is selected now, as a Picture: ``.save("x.png")``, .svg, .gif or .mp4; no browser is needed."""
        return self.benches[bench].picture(self.selection.get(str(bench)))

    def save_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one page that works offline, from disk, in all that needs no model; whole or not at all."""
        return page(self.benches, path)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for picture in (bench.picture() for bench in self.benches):
            bundle, about = picture._repr_mimebundle_()
            shown = f'<div class="{self.still}">{picture.html()}<p>{html.escape(picture.alt)}</p></div>'
            display(bundle | {"text/html": shown}, metadata=about, raw=True)
        alive: Any = self._repr_mimebundle_()
        display(alive[0], raw=True)


def explore(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    other_model: Any = None,
    other_clip: Clip | None = None,
    other_text: str | None = None,
) -> Explorer:
    """A bench for a model, a clip and a text (None = the clip's caption); with ``other_…``, a second one beside it.

    Raises what ``attend`` raises.
    """
    benches = [Bench(model, clip, text)]
    if other_model is not None or other_clip is not None or other_text is not None:
        beside = other_clip if other_clip is not None else clip
        said = other_text if other_text is not None else text if other_clip is None else None
        benches.append(Bench(other_model if other_model is not None else model, beside, said))
    return Explorer(benches)
