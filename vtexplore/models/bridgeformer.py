"""BridgeFormer: bridging video-text retrieval with multiple choice questions.
Ge, Ge, Liu, Li, Shan, Qie, Luo; arXiv 2201.04850, 2022.

    frames ──▶ VideoFormer ──────────────────────────────▶ video ─┐
                   │ every block                                  ├─ contrast
    caption ─▶ TextFormer ───────────────────────────────▶ text ──┘
                   │
    question ─▶ TextFormer ─▶ BridgeFormer ──────────────▶ bridge ┐
                 every layer                                      ├─ contrast
    answer ──▶ TextFormer ───────────────────────────────▶ text ──┘

Two encoders that never see each other make retrieval fast, and coarse. While they are trained, a third joins
what they do layer by layer: a noun or a verb phrase of the caption is erased, and the bridge has to find in the
video what would answer. Both encoders learn to keep what such questions need; then the bridge is taken away.

A text with [MASK] in it is a question: without ``batch.question``, the bridge is asked the text itself. The video
knows no order of frames, so neither do scores. A match is the cosine of the video's and the text's embeddings.

Deviations: what a batch declares unseen (clips, which then take no part, or patches) is hidden from
attention. A caption without any phrase is asked for one of its words (the published sampler draws a bracket).
All else, oddities included, is the published code's; a miniature's card lists its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vtexplore.blocks import bridge, clip, embeddings, transformer, vit
from vtexplore.blocks.bridge import Bridge
from vtexplore.blocks.clip import CLIPConfig, CLIPTowers
from vtexplore.blocks.embeddings import BERT_WORDS, WordEmbeddings, WordIds, grid_tokens
from vtexplore.blocks.transformer import Encoder
from vtexplore.blocks.video_swin import normalise
from vtexplore.blocks.vit import ViT, ViTConfig
from vtexplore.data.prepare import text_batch
from vtexplore.data.text import vocabulary
from vtexplore.objectives import contrastive, questions
from vtexplore.registry import Family
from vtexplore.types import Batch, Inputs, Output, Stream
from vtexplore.weights import prefixed, repeated


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are the paper's. The bridge has a layer for each block of ``video``, as wide."""

    inputs: Inputs = Inputs(4, "middle", size_px=224, fit="crop", max_words=64, vocabulary="bert-base-uncased")
    words: WordIds | None = BERT_WORDS  # None: those of inputs.vocabulary
    video: ViTConfig = ViTConfig()
    depth: int = 6  # of the text encoder
    heads: int = 12
    inner: int = 3072
    dropout: float = 0.1
    word_places: int = 512
    word_kinds: int = 0  # DistilBERT has no token types
    word_eps: float = 1e-12
    out: int = 256
    nouns: float = 0.0  # share of questions that ask for a noun: all in the first stages, none in the last


class BridgeFormer(nn.Module):
    """The three encoders and their two contrasts."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.ids = config.words or WordIds.of(config.inputs.vocabulary)
        self.config, c, width = config, config, config.video.width
        self.words = WordEmbeddings(self.ids.size, c.word_places, width, c.word_kinds, c.dropout, c.word_eps)
        self.encoder = Encoder(c.depth, width, c.heads, c.inner, c.dropout, c.word_eps)
        self.video = ViT(c.video)
        self.bridge = Bridge(c.video.depth, width, c.video.heads, c.video.inner, c.video.eps)
        self.text_proj = nn.Linear(width, c.out)  # behind a ReLU; the others stand alone
        self.video_proj = nn.Linear(width, c.out)
        self.bridge_proj = nn.Linear(width, c.out)

    # ── the three encoders ───────────────────────────────────────────────────────────────────────

    def look(self, batch: Batch) -> list[Stream]:
        """VideoFormer: what enters each block, and what leaves the last [batch, 1 + frame · patch, channel]."""
        grid = self.grid(batch)
        tokens = vit.behind_cls(grid_tokens(batch, grid))
        return self.video.states(normalise(batch.video), tokens, vit.sees(batch, grid))

    def text(self, batch: Batch, only: slice | None = None) -> Stream:
        """TextFormer: states of a batch's words (or of ``only`` some) [batch, word, channel]."""
        return self.encoder(self.words(batch), only)

    def ask(self, seen: Sequence[Stream], asked: Sequence[Stream], frames: int) -> Tensor:
        """BridgeFormer: what the video, as ``look`` sees it, says to a question: [batch, out].

        ``asked``: what enters each layer of TextFormer, for the question.
        """
        return self.bridge_proj(self.bridge(seen, asked[: self.config.depth], frames))

    def embed_video(self, video: Stream) -> Tensor:
        """What leaves VideoFormer to the video's embedding [batch, out]."""
        return self.video_proj(self.video.norm(video.hidden[:, 0]))

    def embed_text(self, text: Stream) -> Tensor:
        """What leaves TextFormer, for a caption or an answer, to its embedding [batch, out]."""
        return self.text_proj(F.relu(text.hidden[:, 0]))

    # ── both together ────────────────────────────────────────────────────────────────────────────

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        """Video [batch, 1 + frame · patch, channel] and text [batch, word, channel]."""
        return self.look(batch)[-1], self.text(batch)

    def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
        """What the heads say of embedded videos and texts: no question is asked any more."""
        v, t = self.embed_video(video), self.embed_text(text)
        return Output(
            match_logits=F.cosine_similarity(v, t, eps=contrastive.NORM_FLOOR), video_embedding=v, text_embedding=t
        )

    def forward(self, batch: Batch) -> Output:
        """Both embeddings, their match, and what the bridge says to the question (or else to the text)."""
        seen, told, frames = self.look(batch), self.encoder.states(self.words(batch)), batch.video.shape[1]
        asked = told if batch.question is None else self.encoder.states(self.words(batch.question))
        return replace(self.read(seen[-1], told[-1], batch), answer_embedding=self.ask(seen, asked, frames))

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        """Frames, rows and columns of the patches."""
        return batch.video.shape[1], self.config.video.side, self.config.video.side

    # ── pretraining (§3.4) ───────────────────────────────────────────────────────────────────────

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Captions find their videos, the bridge finds its answers; to be added up."""
        batch = batch if batch.question and batch.answer else self.questions(batch, generator)
        assert batch.question is not None and batch.answer is not None
        cls, seen = slice(0, 1), self.look(batch)
        asked = self.encoder.states(self.words(batch.question), self.config.depth - 1)
        told, answers = (self.embed_text(self.text(texts, cls)) for texts in (batch, batch.answer))
        pairs = contrastive.cosine(told, self.embed_video(seen[-1]))  # [text, video]
        choices = contrastive.cosine(answers, self.ask(seen, asked, batch.video.shape[1]))  # [answer, question]
        # Without patches to hear, the bridge knows nothing, not even the question: such clips are asked nothing.
        return {name: contrastive.loss(x, batch.has_video) for name, x in (("pairs", pairs), ("questions", choices))}

    def questions(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch with a question about a noun or a verb of each text, and its answer."""
        known, inputs = vocabulary(self.config.inputs.vocabulary), self.config.inputs
        texts = questions.ask(batch.texts, self.config.nouns, generator, lambda word: len(known.word(word)[0]))
        asked, answers = (text_batch(t, inputs, trim=True).to(batch.word_ids.device) for t in texts)
        return replace(batch, question=asked, answer=answers)


# ── the variant that starts from CLIP ─────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class FromCLIP:
    """CLIP's two towers, trained on like the above; the published file has no bridge."""

    inputs: Inputs = Inputs(8, "middle", size_px=224, fit="crop", max_words=77, vocabulary="clip")
    towers: CLIPConfig = CLIPConfig()


def build(config: Config | FromCLIP) -> nn.Module:
    """The model of a size."""
    return CLIPTowers(config.towers) if isinstance(config, FromCLIP) else BridgeFormer(config)


NAMES = (
    *prefixed(embeddings.WORD_NAMES, "text_model.embeddings.", "words."),
    *prefixed(transformer.DISTILBERT_NAMES, "text_model.transformer.", "encoder."),
    (r"video_model\.cls_token", r"video.cls"),
    (r"video_model\.pos_embed", r"video.place"),
    (r"video_model\.patch_embed\.proj\.(\w+)", r"video.patch.\1"),
    (r"video_model\.norm1\.(\w+)", r"video.norm.\1"),
    (r"video_model\.norm2\.(\w+)", r"bridge.norm.\1"),
    *repeated(vit.BLOCK_NAMES, "video_model.blocks.", "video.blocks."),
    *repeated(bridge.NAMES, "video_model.blocks.", "bridge.layers."),
    (r"text_proj\.1\.(\w+)", r"text_proj.\1"),
    (r"vid_proj\.0\.(\w+)", r"video_proj.\1"),
    (r"bridge_proj\.0\.(\w+)", r"bridge_proj.\1"),
)
CLIP_NAMES = clip.NAMES

MINI = Config(
    inputs=Inputs(frames=4, sampling="interior", size_px=96, max_words=24, vocabulary="world"),
    words=None,
    video=ViTConfig(size_px=96, width=128, depth=6, heads=4, inner=384, std=0.5),
    depth=3, heads=4, inner=512, dropout=0.0, word_places=24, word_kinds=2, out=128, nouns=0.5,
)  # fmt: skip

FAMILY = Family(
    name="bridgeformer",
    title="BridgeFormer",
    paper="Bridging Video-text Retrieval with Multiple Choice Questions",
    year=2022,
    arxiv="2201.04850",
    build=build,
    sizes={"mini": MINI, "published": Config(), "clip": FromCLIP()},
    heads=("match_logits", "video_embedding", "text_embedding", "answer_embedding"),
    objectives=("contrastive", "questions"),
    frames_independent=True,
    names=NAMES,
    manifests={"bridgeformer:MCQ_pretrain": ""},
    parts={"vit": "video.", "text": {"text.": "words.", "fusion.": "encoder."}},
    checkpoints={"MCQ.pth": "TencentARC/MCQ, README", "MCQ_CLIP.pth": "TencentARC/MCQ, README"},
)
