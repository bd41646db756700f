"""What can go wrong, by kind. A message says what happened in one sentence and what to do about it in the next."""


class VtexploreError(Exception):
    """Anything that vtexplore refuses or cannot do; catch this one to catch them all."""


class VideoError(VtexploreError):
    """A video that cannot be opened, decoded or sampled as asked."""


class TextError(VtexploreError):
    """A sentence that cannot be read: empty, too long, or without the words that the question needs."""


class Unsupported(VtexploreError):
    """A probe asks for something that this model has not got; the message names the families that have it."""


class WeightsError(VtexploreError):
    """A checkpoint that is missing, unsafe to read, or does not fit the model: keys and shapes are named."""


class ConfigError(VtexploreError):
    """Settings that contradict each other or name something that does not exist."""


class ContractError(VtexploreError):
    """A model that breaks what it promises to probes by its Tokens and taps; the message says each promise."""


class AssetError(VtexploreError):
    """A file that should have come with vtexplore (a clip, a miniature, a figure) and is not there."""


class TooBig(VtexploreError, MemoryError):
    """A record that would not fit into what memory is free; the message says bytes, and what to leave out."""
