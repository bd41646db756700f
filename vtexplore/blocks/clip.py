"""CLIP's two towers (Radford et al., arXiv 2103.00020), with a video in the place of the picture.

The picture tower's [CLS] looks at the patches of all frames, a patch at its own frame (see ``vit``); with one
frame that is CLIP itself. The text tower is causal, and read at its end token, the one with the highest id.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vtexplore.blocks.embeddings import word_tokens
from vtexplore.blocks.vit import Block, CausalAttention, QuickGELU, ViT, ViTConfig
from vtexplore.types import Batch, Stream
from vtexplore.weights import repeated

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class CLIPConfig:
    """Sizes; the defaults are ViT-B/32's. ``context`` pieces are the longest text."""

    video: ViTConfig = ViTConfig(patch_px=32, eps=1e-5, patch_bias=False, norm_first=True, activation=QuickGELU)
    words: int = 49408
    context: int = 77
    width: int = 512
    depth: int = 12
    heads: int = 8
    out: int = 512


class CLIPTowers(nn.Module):
    """A video and a text to one space."""

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        c = self.config = config
        self.video = ViT(c.video)
        for name in ("cls", "place"):  # OpenAI's files hold both without leading axes
            setattr(self.video, name, nn.Parameter(getattr(self.video, name).detach().squeeze()))
        self.video_proj = nn.Parameter(torch.randn(c.video.width, c.out) * c.video.width**-0.5)
        self.word = nn.Embedding(c.words, c.width)
        self.place = nn.Parameter(torch.randn(c.context, c.width) * 0.01)
        self.blocks = nn.ModuleList(
            Block(c.width, c.heads, 4 * c.width, 1e-5, QuickGELU, CausalAttention) for _ in range(c.depth)
        )
        self.norm = nn.LayerNorm(c.width, 1e-5)
        self.text_proj = nn.Parameter(torch.randn(c.width, c.out) * c.width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

    def text(self, batch: Batch) -> Stream:
        """States of the words [batch, word, channel], the norm of the end included."""
        x = self.word(batch.word_ids) + self.place[: batch.word_ids.shape[1]]
        stream = Stream(x, batch.word_mask, lambda: word_tokens(batch))
        for block in self.blocks:
            stream = block(stream)
        return stream.with_hidden(self.norm(stream.hidden))

    def embed_text(
        self, hidden: Float[Tensor, "batch word channel"], word_ids: Int[Tensor, "batch word"]
    ) -> Float[Tensor, "batch out"]:
        """States of words to the text's embedding, at the end token."""
        return hidden[torch.arange(len(hidden)), word_ids.argmax(dim=1)] @ self.text_proj

    def embed_video(self, hidden: Float[Tensor, "batch token channel"]) -> Float[Tensor, "batch out"]:
        """What leaves the last block to the video's embedding."""
        return self.video.norm(hidden[:, 0]) @ self.video_proj

    @staticmethod
    def normalise(video: Float[Tensor, "*frame rgb height width"]) -> Float[Tensor, "*frame rgb height width"]:
        """Pixels in 0..1 with CLIP's mean and deviation taken out."""
        mean, std = (video.new_tensor(x).view(3, 1, 1) for x in (MEAN, STD))
        return (video - mean) / std


# ── published files ───────────────────────────────────────────────────────────────────────────────

_BLOCK = (
    (r"ln_([12])\.(\w+)", r"norm\1.\2"),
    (r"attn\.in_proj_(\w+)", r"attention.qkv.\1"),
    (r"attn\.out_proj\.(\w+)", r"attention.proj.\1"),
    (r"mlp\.c_fc\.(\w+)", r"mlp.0.\1"),
    (r"mlp\.c_proj\.(\w+)", r"mlp.2.\1"),
)
NAMES = (
    (r"visual\.class_embedding", r"video.cls"),
    (r"visual\.positional_embedding", r"video.place"),
    (r"visual\.conv1\.weight", r"video.patch.weight"),
    (r"visual\.ln_pre\.(\w+)", r"video.norm_first.\1"),
    (r"visual\.ln_post\.(\w+)", r"video.norm.\1"),
    (r"visual\.proj", r"video_proj"),
    *repeated(_BLOCK, "visual.transformer.resblocks.", "video.blocks."),
    *repeated(_BLOCK, "transformer.resblocks.", "blocks."),
    (r"token_embedding\.weight", r"word.weight"),
    (r"positional_embedding", r"place"),
    (r"ln_final\.(\w+)", r"norm.\1"),
    (r"text_projection", r"text_proj"),
    (r"logit_scale", r"logit_scale"),
)
"""OpenAI's names to ours."""
