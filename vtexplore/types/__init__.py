"""The types that flow through the house, in the order in which they flow.

    Clip ──▶ Batch ──▶ Stream ──▶ Output, Attention ──▶ Record

A ``Clip`` is a source that can be asked; ``Inputs`` says what a family wants to see of it; a ``Batch``
holds the tensors; a ``Stream`` is a sequence of hidden states that knows, through its ``Tokens``, what
each position stands for; ``Output`` has a field per head; ``Attention`` describes itself completely.
A ``Clip`` holds numpy arrays, everything from ``Batch`` on holds torch tensors.

Axis words, used in every shape of the package: ``batch frame row column height width rgb word token
head query key width_`` (``width`` of a picture in pixels, ``channel`` of a hidden state), ``window``
for a local group of tokens, ``object`` and ``event`` where truth is known.
Boxes are ``xyxy`` in 0..1 of the clip's picture (outside 0..1 = padding); times are seconds.

torch is imported only for type checkers: a saved result can be looked at without it.
"""

from vtexplore.types.batch import Batch, Inputs, Subtitles
from vtexplore.types.clip import Clip, Event, Phrase, Regions, Source, Speech, Truth
from vtexplore.types.output import Attention, Output
from vtexplore.types.tokens import Stream, Tokens, TokensOfBatch

__all__ = [
    "Attention",
    "Batch",
    "Clip",
    "Event",
    "Inputs",
    "Output",
    "Phrase",
    "Regions",
    "Source",
    "Speech",
    "Stream",
    "Subtitles",
    "Tokens",
    "TokensOfBatch",
    "Truth",
]
