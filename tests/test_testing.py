"""A model of one's own: the ten lines keep their promises, and each broken promise is told."""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from fresh import fresh
from torch import nn
from toy import ToyModel

from vtexplore import registry
from vtexplore.blocks.embeddings import word_tokens
from vtexplore.blocks.tap import attend
from vtexplore.course.ten_lines import Mine
from vtexplore.errors import ContractError
from vtexplore.testing import LIT, PROMISES, check_model
from vtexplore.types import Output

TEXT = "the red disc slides right"


def test_the_example_keeps_its_promises(toy_clip: Any) -> None:
    kept = check_model(Mine(), toy_clip, "a red circle slides left")
    assert len(kept.kept) == len(PROMISES) and not kept.untried
    assert "Mine keeps 12 promises" in str(kept)


def test_each_broken_promise_is_told(toy_clip: Any) -> None:

    class Loud(Mine):
        """Draws random numbers."""

        def forward(self, batch: Any) -> Output:
            out = super().forward(batch)
            return replace(out, match_logits=out.match_logits + torch.randn(1))

    class Mirrored(Mine):
        """Its patches stand in another order than its Tokens say."""

        def forward(self, batch: Any) -> Output:
            return super().forward(replace(batch, video=batch.video.flip(-1)))

    class Curious(Mine):
        """Sees clips that are hidden from it."""

        def forward(self, batch: Any) -> Output:
            return super().forward(replace(batch, video_mask=None))

    class Deaf(Mine):
        """Shows its tap what it does not use, and counts too few words."""

        def forward(self, batch: Any) -> Output:
            x = self.words(batch.word_ids)
            short = lambda: [t[1:] for t in word_tokens(batch)]  # noqa: E731
            attend(self.tap, x[:, None], x[:, None], x[:, None], queries=short, keys=short)
            return Output(match_logits=x.mean(dim=(1, 2)) * float("nan"))

    for model, told in (
        (Loud(), "random numbers are drawn"),
        (Mirrored(), f"{LIT}: tap: light on"),
        (Curious(), "changes with the pixels of a clip that is hidden"),
        (Deaf(), "23 Tokens for 24 queries"),
        (Deaf(), "not finite"),
    ):
        with pytest.raises(ContractError, match=re.escape(told)):
            check_model(model, toy_clip, "a red circle slides left")
    with pytest.raises(ContractError, match="inputs"):
        check_model(nn.Linear(1, 1), toy_clip, TEXT)
    untapped = Mine()
    untapped.tap.site = ""
    with pytest.raises(ContractError, match="name_taps"):
        check_model(untapped, toy_clip, "a red circle slides left")
    kept = check_model(Mine(), toy_clip, "a red circle slides left", places=False)
    assert kept.untried == (LIT,)


def test_the_toy_of_these_tests_is_told_what_it_lacks(toy_model: ToyModel, toy_clip: Any) -> None:
    """Its score sums up all states, those of patches that are hidden, too; all else it keeps."""
    with pytest.raises(ContractError, match=r"breaks 1 of 12 promises.\n  a hidden clip is not seen"):
        check_model(toy_model, toy_clip, TEXT, places=False)


@pytest.mark.parametrize("name", ["violet", "bridgeformer"])
def test_families_keep_the_promises_too(name: str, toy_clip: Any) -> None:
    kept = check_model(
        fresh(name), toy_clip, "a red circle slides left", frames_ahead=registry.family(name).frames_ahead
    )
    assert len(kept.kept) == len(PROMISES)
