"""What a judge says of an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and why; prints itself."""

    right: bool
    why: str

    def __repr__(self) -> str:
        return ("Right. " if self.right else "Not yet. ") + self.why


Judge = tuple[tuple[type, ...], Callable[..., Verdict]]
"""What kinds of results answer an exercise, and who judges them."""
