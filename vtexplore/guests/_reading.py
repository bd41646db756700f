"""What an image processor knows, in the house's words; a tokenizer is a vocabulary, see ``data.borrowed``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Looking:
    """How pixels become a model's: ``mean`` and ``std`` of each colour, "crop" or "pad" into a square."""

    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    fit: str = "crop"

    @staticmethod
    def of(processor: Any) -> Looking:
        """What an image or video processor says; pixels are left in 0..1 where it does not normalise."""
        if not getattr(processor, "do_normalize", False):
            return Looking()
        fit = "crop" if getattr(processor, "do_center_crop", False) else "pad"
        return Looking(_colours(processor.image_mean), _colours(processor.image_std), fit)


def _colours(given: float | Sequence[float]) -> tuple[float, ...]:
    return tuple(float(x) for x in given) if isinstance(given, Sequence) else (float(given),) * 3


def parts_of(processor: Any) -> tuple[Any, Any]:
    """Tokenizer and image processor (either may be None) of a processor, one of the two alone, or several given."""
    found: dict[str, Any] = {"text": None, "image": None}
    for one in _each(processor):
        if hasattr(one, "convert_ids_to_tokens"):
            found["text"] = one
        elif hasattr(one, "image_mean") or hasattr(one, "do_normalize"):
            found["image"] = one
    return found["text"], found["image"]


def _each(processor: Any) -> Iterable[Any]:
    if processor is None:
        return
    if isinstance(processor, Mapping):
        processor = tuple(processor.values())
    if isinstance(processor, tuple | list):
        for one in processor:
            yield from _each(one)
        return
    parts = [getattr(processor, name, None) for name in ("tokenizer", "image_processor", "video_processor")]
    known = [part for part in parts if part is not None]
    yield from known or [processor]
