"""Widgets for notebooks: a picture first, then the thing itself, which hides the picture while it is alive.

    vtexplore.explore(model, clip, "a red circle slides left")         or model.explore(clip, …)
    vtexplore.explore(model, clip, text, other_text="a red circle slides right")       two side by side

and, each for one thing,

    AttentionBrowser(model, clip)     what does each word look at, in every layer and head?
    MaskedWordLab(model, clip)        hide a word: what does the model say, with the clip and without?
    FrameSorter(model, clip)          put the frames in order yourself; how did the model do?
    VisualWordsTimeline(model, clip)  the clip as a sentence of visual words
    QuestionCard(model, clip, …)      a question with choices: guess, then look at the model's

The picture stays when the notebook is opened without Python, or converted, or looked at on a web page. Nothing of the
rest is saved in the notebook: a widget asks Python for its numbers when it wakes up. ``save_html`` writes a page that
works from disk, without network and without Python, in all that needs no model.
"""

from __future__ import annotations

import html
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtexplore.errors import AssetError, VtexploreError
from vtexplore.types import Clip
from vtexplore.widgets._joined import SCRIPT, STYLE
from vtexplore.widgets._sent import Binary, Part
from vtexplore.widgets.bench import Bench
from vtexplore.widgets.card import Card
from vtexplore.widgets.page import page
from vtexplore.widgets.sorter import Sorter
from vtexplore.widgets.timeline import Timeline

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise AssetError("Widgets need anywidget: pip install 'vtexplore[lab]'.") from error


ASLEEP = "Above is a picture. With Python behind it, in JupyterLab say, this cell answers to clicks: run it."


class Live(anywidget.AnyWidget):
    """One part or several in a notebook.

    ``selection`` says for each part (by its number, as text) what is chosen there.
    """

    _esm = SCRIPT
    _css = STYLE
    selection = traitlets.Dict().tag(sync=True)

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self.parts = list(parts)
        self.still = f"vtx-still-{uuid.uuid4().hex[:12]}"
        self.on_msg(self._hear)

    def _hear(self, _: Any, message: dict[str, Any], __: Any) -> None:
        """Answer a message from the page; what a user may get wrong is an answer as well."""
        number, at = message.get("number"), message.get("part", 0)
        try:
            if message.get("ask") == "scenes":
                scenes = [part.scene() for part in self.parts]
                answer: Any = {"scenes": scenes, "kinds": [part.kind for part in self.parts], "still": self.still}
                self.send({"number": number, "answer": answer}, [part.numbers() for part in self.parts])
                return
            answer = self.parts[at].answer(message)
        except VtexploreError as error:
            self.send({"number": number, "error": str(error)})
            return
        except Exception as error:  # the page must not wait for ever
            self.send({"number": number, "error": f"{type(error).__name__}: {error}"})
            raise
        if hasattr(answer, "scene"):
            self.parts[at] = answer
            self.send({"number": number, "answer": answer.scene()}, [answer.numbers()])
        elif isinstance(answer, Binary):
            self.send({"number": number, "answer": answer.said}, [answer.numbers])
        else:
            self.send({"number": number, "answer": answer})

    def picture(self, part: int = 0) -> Any:
        """What is selected now, as a Picture: ``.save("x.png")``, .svg, .gif or .mp4; no browser is needed."""
        return self.parts[part].picture(self.selection.get(str(part)))

    def save_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one page that works offline, from disk, in all that needs no model; whole or not at all."""
        return page(self.parts, path)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for picture in (part.picture() for part in self.parts):
            bundle, about = picture._repr_mimebundle_()
            display(bundle | {"text/html": self._still(picture)}, metadata=about, raw=True)
        alive: Any = self._repr_mimebundle_()
        display(alive[0] | {"text/plain": ASLEEP}, metadata=alive[1], raw=True)  # in Colab: what draws it

    def _display_(self) -> Any:
        """What marimo shows: the same, in its own elements."""
        import marimo

        stills = [marimo.Html(self._still(part.picture())) for part in self.parts]
        return marimo.vstack([*stills, marimo.ui.anywidget(self)])

    def _still(self, picture: Any) -> str:
        """A picture with its text, as HTML that the page finds and hides while it is alive."""
        return f'<div class="{self.still}">{picture.html()}<p>{html.escape(picture.alt)}</p></div>'


class AttentionBrowser(Live):
    """What each word looks at, in every layer and head; arguments as of ``attend``."""

    def __init__(self, model: Any, clip: Clip, text: str | None = None) -> None:
        super().__init__([Bench(model, clip, text, show=("heads", "player"))])


class MaskedWordLab(Live):
    """Words to mask, by double click: what fits, with the clip and without it."""

    def __init__(self, model: Any, clip: Clip, text: str | None = None) -> None:
        super().__init__([Bench(model, clip, text, show=("words", "caption"))])


class FrameSorter(Live):
    """Shuffled frames to be put in order by hand, and the order that the model finds; see ``recover_order``."""

    def __init__(self, model: Any, clip: Clip, text: str | None = None, seed: int = 0) -> None:
        super().__init__([Sorter(model, clip, text, seed)])


class VisualWordsTimeline(Live):
    """A clip as a sentence of visual words; see ``read_words``."""

    def __init__(self, model: Any, clip: Clip) -> None:
        super().__init__([Timeline(model, clip)])


class QuestionCard(Live):
    """A multiple-choice question about a clip; arguments as of ``answer``."""

    def __init__(
        self,
        model: Any,
        clip: Clip,
        text: str | None = None,
        phrase: str | None = None,
        choices: Sequence[str] | None = None,
    ) -> None:
        super().__init__([Card(model, clip, text, phrase, choices)])


def explore(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    other_model: Any = None,
    other_clip: Clip | None = None,
    other_text: str | None = None,
) -> Live:
    """The explorer: a bench for a model, a clip and a text (None = the clip's caption).

    With any ``other_…``, a second bench beside it: two captions, clips or models. Raises what ``attend`` raises.
    """
    parts = [Bench(model, clip, text)]
    if other_model is not None or other_clip is not None or other_text is not None:
        said = other_text if other_text is not None else text if other_clip is None else None
        parts.append(Bench(other_model or model, other_clip or clip, said))
    return Live(parts)
