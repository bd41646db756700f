"""A model of one's own, as small as probes, views and widgets allow; ``testing.check_model`` tries its promises."""

from __future__ import annotations

from torch import Tensor, nn

from vtexplore.blocks.embeddings import grid_tokens, word_tokens
from vtexplore.blocks.tap import Tap, attend, name_taps
from vtexplore.types import Batch, Inputs, Output, Stream


class Mine(nn.Module):
    """Patches and words in one layer of attention; the score is read off the words. Never trained."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = Inputs(frames=4, size_px=96, max_words=24)  # what to prepare for it
        self.eyes, self.words, self.tap = nn.Linear(768, 64), nn.Embedding(1000, 64), Tap()
        name_taps(self)  # a tap in each attention, each with a name

    def forward(self, batch: Batch) -> Output:
        """A Batch in, an Output out."""
        video = Stream(self.eyes(cut(batch.video)), batch.sees((4, 6, 6)), grid_tokens(batch, (4, 6, 6)))
        joint = video + Stream(self.words(batch.word_ids), batch.word_mask, lambda: word_tokens(batch))
        q = joint.hidden[:, None]  # [batch, head, token, channel]
        heard = attend(self.tap, q, q, q, queries=joint.tokens, keys=joint.tokens, mask=joint.mask)
        return Output(match_logits=heard[:, 0, -24:].mean(dim=(1, 2)))  # read off the words


def cut(video: Tensor) -> Tensor:
    """Patches of 16 px, frame by frame: [batch, frame, rgb, height, width] to [batch, frame · row · column, 768]."""
    patches = video.unfold(3, 16, 16).unfold(4, 16, 16)  # [batch, frame, rgb, row, column, 16, 16]
    return patches.permute(0, 1, 3, 4, 2, 5, 6).flatten(4).flatten(1, 3)
