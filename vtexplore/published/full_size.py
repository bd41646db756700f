"""A family at the size that was published: the authors' weights where they lie here, else random ones, and told so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtexplore import registry
from vtexplore.published.fetching import find, here
from vtexplore.published.layout import File, Published

RANDOM = "The weights of this model are random: what it says, and where it looks, was not learned from anything."
"""What every result of such a model carries among its notes."""


def full_size(name: str, device: Any = "cpu", seed: int = 0) -> Any:
    """A family at its published size, in evaluation mode; ``banner`` says whose weights it has, and what follows.

    If the file that holds the model is in the cache, it is loaded (and what goes with it, where that is there, too);
    nothing is fetched. Else weights are drawn from ``seed``, and words are those of the miniature world: an own word
    list of the published size is not needed for a model that knows no word. Its results say that it is random.

    Raises ``ConfigError`` for a family of whose weights nothing is known, ``WeightsError`` if a file is here and does
    not fit.
    """
    known = registry.published(name)
    files = _at_hand(known)
    if files:
        model: Any = registry.load(name, device=device, weights=[find(file) for file in files])
        model.banner = (
            f"{known.title} with its authors' weights, {', '.join(file.name for file in files)}.\n{model.report}"
        )
        return model
    return _random(name, known, device, seed)


def _at_hand(known: Published) -> Sequence[File]:
    """The main files that are here; none if the one that holds the model is not."""
    there = [file for file in known.files if file.main and here(file)]
    return there if any(not known.layout(file.layout).behind for file in there) else ()


def _random(name: str, known: Published, device: Any, seed: int) -> Any:
    import torch

    whole = next((file for file in known.files if file.main and not known.layout(file.layout).behind), None)
    layout = None if whole is None else known.layout(whole.layout)
    size, settings = ("published", {}) if layout is None else (layout.size, dict(layout.settings))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = registry.build(name, size, vocabulary="world", **settings).to(device)
    count = sum(p.numel() for p in model.parameters()) / 1e6
    missing = "A published file" if whole is None else whole.name
    model.size, model.card = f"{size}, random weights", {"notice": RANDOM}
    model.banner = (
        f"RANDOM WEIGHTS. {missing} of {known.title} is not on this machine, so these {count:.0f} million numbers were "
        f"drawn by lot (seed {seed}).\nThe size, the code and the cost are the published model's. The words are those "
        "of the miniature world.\nNothing that it says is knowledge. A sound probe finds nothing here: no lift, order "
        "at chance,\nmaps no better than even ones. What looks like something anyway is a warning."
    )
    return model
