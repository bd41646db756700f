"""Guests: any model of transformers, as a model of the house.

    model = vtexplore.wrap(CLIPModel.from_pretrained(…), CLIPProcessor.from_pretrained(…))
    vtexplore.match(model, clip, ["a cat", "a dog"])
    vtexplore.attend(model, clip, "a cat on a mat")

Each file of this folder is one architecture, called as transformers calls its type: what its attentions look at, how
a batch becomes its inputs, what its outputs mean. A model of your own speaks for itself, see ``vtexplore.testing``.
"""

from vtexplore.guests._guest import Apart, Guest, cells, kind_of, names, wrap
from vtexplore.guests._kind import Feed, Kind, Towers, Wants
from vtexplore.guests._parts import Part

__all__ = ["Apart", "Feed", "Guest", "Kind", "Part", "Towers", "Wants", "cells", "kind_of", "names", "wrap"]
