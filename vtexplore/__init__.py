"""A microscope for video-text transformers.

Data walks through the rooms in this order, and never back:

    clip → batch → model → record → probe → picture

    clip = vtexplore.read_video("pancake.mp4")      data/video.py    a file becomes a Clip
    model = vtexplore.load("violet")                registry.py      a paper, with its shipped weights
    model = vtexplore.wrap(guest, processor)        guests/          … or a model of transformers
    batch = vtexplore.prepare(clip, text, …)        data/prepare.py  what that paper wants to see
    record = vtexplore.record(model, batch)         record.py        one forward pass, opened
    result = vtexplore.attend(model, clip, text)    probes/          a question, and its answer in numbers
    result.plot()                                   views/           … as a picture
    table = vtexplore.over("attend", model, clips)  many/            … of many clips, a row each

A probe walks from the clip to the record by itself; `prepare` and `record` are there for whoever wants to look.
Importing the package loads none of the rooms: each verb fetches its own when first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

# The verbs and where they live. `None`: the name is the room itself.
_VERBS: dict[str, tuple[str, str | None]] = {
    "read_video": ("vtexplore.data.video", "read_video"),
    "Clip": ("vtexplore.types", "Clip"),
    "world": ("vtexplore.world", None),
    "names": ("vtexplore.registry", "names"),
    "family": ("vtexplore.registry", "family"),
    "load": ("vtexplore.registry", "load"),
    "wrap": ("vtexplore.guests", "wrap"),
    "prepare": ("vtexplore.data.prepare", "prepare"),
    "record": ("vtexplore.record", "record"),
    "attend": ("vtexplore.probes.attend", "attend"),
    "fill_mask": ("vtexplore.probes.fill_mask", "fill_mask"),
    "masked_words": ("vtexplore.probes.masked_words", "masked_words"),
    "fill_codes": ("vtexplore.probes.fill_codes", "fill_codes"),
    "cloze": ("vtexplore.probes.cloze", "cloze"),
    "read_words": ("vtexplore.probes.read_words", "read_words"),
    "forecast": ("vtexplore.probes.forecast", "forecast"),
    "illustrate": ("vtexplore.probes.illustrate", "illustrate"),
    "match": ("vtexplore.probes.match", "match"),
    "compare_foils": ("vtexplore.probes.compare_foils", "compare_foils"),
    "answer": ("vtexplore.probes.answer", "answer"),
    "retrieve": ("vtexplore.probes.retrieve", "retrieve"),
    "explain": ("vtexplore.probes.explain", "explain"),
    "faithfulness": ("vtexplore.probes.faithfulness", "faithfulness"),
    "ablate_heads": ("vtexplore.probes.ablate_heads", "ablate_heads"),
    "ground": ("vtexplore.probes.grounding", "ground"),
    "masking": ("vtexplore.probes.masking", "masking"),
    "compare_masking": ("vtexplore.probes.masking", "compare_masking"),
    "explore": ("vtexplore.widgets.live", "explore"),
    "AttentionBrowser": ("vtexplore.widgets.live", "AttentionBrowser"),
    "MaskedWordLab": ("vtexplore.widgets.live", "MaskedWordLab"),
    "FrameSorter": ("vtexplore.widgets.live", "FrameSorter"),
    "VisualWordsTimeline": ("vtexplore.widgets.live", "VisualWordsTimeline"),
    "QuestionCard": ("vtexplore.widgets.live", "QuestionCard"),
    "over": ("vtexplore.many", "over"),
    "reorder": ("vtexplore.probes.reorder", "reorder"),
    "compare_orders": ("vtexplore.probes.compare_orders", "compare_orders"),
    "before_after": ("vtexplore.probes.before_after", "before_after"),
    "recover_order": ("vtexplore.probes.recover_order", "recover_order"),
}

__all__ = ["__version__", *_VERBS]


def __getattr__(name: str) -> Any:
    if name not in _VERBS:
        raise AttributeError(f"module 'vtexplore' has no attribute {name!r}; it has {', '.join(_VERBS)}")
    room, verb = _VERBS[name]
    value = import_module(room) if verb is None else getattr(import_module(room), verb)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Where a room carries its verb's name (record.py holds `record`), `vtexplore.record` is the verb.

    Python binds a submodule to its package after importing it; here the verb is bound instead, so that
    the name means the same whether or not someone has imported the room before.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if _VERBS.get(name) == (f"vtexplore.{name}", name):
            value = getattr(value, name, value)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
