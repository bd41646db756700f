"""HERO: hierarchical encoder for video+language omni-representation pre-training.
Li, Chen, Cheng, Gan, Yu, Liu; arXiv 2005.00200, EMNLP 2020.

    frames ─▶ features, frozen ─┬──────────────── project ───────────────┐
                                ├─▶ cross-modal transformer ─▶ frames ─▶ + ─▶ temporal transformer ─▶ order, moments
    subtitles, one by one ──────┘              └─▶ words

Two clocks. A transformer binds what is said to the frames in which it is said, one subtitle at a time; only then does
a second one, over the frames of the whole video, see time. They learn which word was hidden, what a hidden frame looked
like, where frames belong that changed places, and of which video and moment a subtitle speaks that was taken out.

In a ``Batch``, ``speech`` holds the subtitles. Its text is one more sentence: spoken through the whole video where
words are asked for, a query where a match is. Without speech, nothing is bound before time is seen.

Deviations: all four objectives in each step (one, drawn 2:2:1:2); hidden clips teach nothing of their video; a sentence
is "[CLS] … [SEP]" wherever it stands. As published: the wrong answers for hidden frames are predictions, positions of
words begin at 0, the token type is always the second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from vtexplore.blocks.clip_features import ClipFeatures
from vtexplore.blocks.embeddings import WordEmbeddings, WordIds, moment_tokens
from vtexplore.blocks.frame_features import FrameEmbeddings, Hidden, Places, Project
from vtexplore.blocks.frame_heads import FeatureHead, OrderHead, QueryPooling, SpanHead, Unasked
from vtexplore.blocks.heads import MaskedWords, pick
from vtexplore.blocks.hero_names import NAMES
from vtexplore.blocks.lines import Lines
from vtexplore.blocks.s3d import KINETICS, S3DConfig
from vtexplore.blocks.transformer import Encoder
from vtexplore.objectives import frame_order, masked_frames, masked_words, moments
from vtexplore.registry import Family
from vtexplore.types import Batch, Inputs, Output, Stream


@dataclass(frozen=True)
class Config:
    """Sizes and rates; the defaults are the paper's. Without ``s3d``, videos are features [batch, frame, feature]."""

    inputs: Inputs = Inputs(100, "middle", size_px=224, max_words=60, vocabulary="roberta-base", max_lines=100)
    words: WordIds | None = WordIds(size=50272, pad=1, start=0, end=2, mask=50264)  # None: those of inputs.vocabulary
    s3d: S3DConfig | None = None
    window: int = 1  # frames of inputs that a feature stands for
    features: int = 4352  # of a ResNet-152 and a SlowFast
    width: int = 768
    depths: tuple[int, int] = (6, 3)  # of the cross-modal transformer, of the temporal one
    heads: int = 12
    inner: int = 3072
    dropout: float = 0.1
    word_places: int = 514
    frame_places: tuple[int, int, int] = (100, 514, 100)  # in a line, in a video, where one may belong
    kind: int = 1  # the token type of everything
    unasked: bool = True  # carry what the published file holds and nothing asks
    word_rate: float = 0.15
    frame_rate: float = 0.15
    order_rate: float = 0.15
    queries: int = 5  # lines of a video taken out
    span_weight: float = 0.01
    span_drop: float = 0.8  # how often moments are not asked
    match_weight: float = 8.0
    hardest: int = 0  # the paper: 20, after 20,000 steps


class HERO(nn.Module):
    """The two transformers and the four objectives."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.ids = config.words or WordIds.of(config.inputs.vocabulary)
        self.config, c, width = config, config, config.width
        self.eyes = ClipFeatures(c.s3d, c.window) if c.s3d else None
        self.words = WordEmbeddings(self.ids.size, c.word_places, width, 2, c.dropout, 1e-5, c.kind, False)
        self.frames = FrameEmbeddings(c.features, c.frame_places[0], width, c.dropout)
        self.fusion = Encoder(c.depths[0], width, c.heads, c.inner, c.dropout)
        self.hide, self.skip = Hidden(c.features), Project(c.features, width, c.dropout)
        self.places = Places(c.frame_places[1], width, c.dropout)
        self.temporal = Encoder(c.depths[1], width, c.heads, c.inner, c.dropout)
        self.query = QueryPooling(c.word_places, width, c.heads, c.dropout)
        self.word_head = MaskedWords(width, self.ids.size, 1e-5, tied=self.words.word)
        self.feature_head = FeatureHead(width, c.features)
        self.order_head, self.span_head = OrderHead(width, c.frame_places[2]), SpanHead(width)
        self.unasked = Unasked(width) if c.unasked else None
        self.word_rates: Tensor | None = None  # [vocabulary]: in place of word_rate, how often each word is hidden

    def see(self, batch: Batch) -> Stream:
        """The features of all frames [batch, frame, feature]; zero where nothing is seen."""
        features = batch.video if self.eyes is None else self.eyes(batch.video)
        mask = batch.sees(self.grid(batch))
        return Stream(features * mask[..., None], mask, moment_tokens(batch, features.shape[1], end=False))

    def local(self, video: Stream, lines: Lines, gone: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Frames and words, each [batch · line, …, channel]; features of those ``gone`` [batch, frame] are hidden."""
        gone = None if gone is None else lines.gather(gone[..., None]).squeeze(-1)
        hidden = self.frames(lines.gather(video.hidden), self.words.token_type, gone)
        frames = Stream(hidden, lines.there.flatten(0, 1), lines.tokens(video.tokens))
        fused = self.fusion(frames + lines.words).hidden
        return fused[:, : len(frames)], fused[:, len(frames) :]

    def bind(self, video: Stream, lines: Lines | None, hidden: Tensor | None = None) -> Tensor:
        """Frames with what was said in them [batch, frame, channel], before any knows of another line."""
        bound = self.skip(video.hidden if hidden is None else self.hide(video.hidden, hidden))
        return bound if lines is None else bound + lines.scatter(self.local(video, lines, hidden)[0], len(video))

    def watch(self, video: Stream, bound: Tensor) -> Tensor:
        """The temporal transformer: frames [batch, frame, channel], each in its time."""
        return self.temporal(video.with_hidden(self.places(bound))).hidden

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        """Video [batch, frame, feature + channel], as it looks and as it is understood; text [batch, word, channel]."""
        return self.understand(self.see(batch), batch), self.text(batch)

    def understand(self, video: Stream, batch: Batch) -> Stream:
        """Frames as they look, and beside that as they are understood: in what is said in them, and in their time."""
        seen = self.watch(video, self.bind(video, Lines.spoken(self.words, batch, video.mask)))
        return video.with_hidden(torch.cat([video.hidden, seen], dim=-1))

    def text(self, batch: Batch) -> Stream:
        """The embeddings of a batch's words."""
        return self.words(batch)

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        """Features in time; each is of the whole picture."""
        return batch.video.shape[1] // self.config.window, 1, 1

    def forward(self, batch: Batch) -> Output:
        """Scores of words, of the match, of where the text is, and of where each frame belongs."""
        return self.read(*self.embed(batch), batch)

    def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
        """What the heads say of videos and texts embedded before."""
        looks, seen = video.hidden.split([self.config.features, self.config.width], dim=-1)
        query = self.query(self.fusion(text))  # first: a record keeps the last of a layer, where words look at frames
        words = self.local(video.with_hidden(looks), Lines.of(text, video.mask[:, None]))[1]
        return Output(
            word_logits=self.word_head(words),  # [batch, word, vocabulary]
            match_logits=moments.of_own(query, seen, video.mask),  # [batch]
            order_logits=self.order_head(seen),  # [batch, frame, position]
            span_logits=self.span_head(query, seen, video.mask),  # [batch, frame, 2]
        )

    def matches(self, video: Stream, text: Stream, batch: Batch) -> Tensor:
        """The match alone [batch]: frames, as they are understood, beside the query."""
        return moments.of_own(self.query(self.fusion(text)), video.hidden[..., self.config.features :], video.mask)

    def reorder(self, batch: Batch, order: Tensor, video: Stream | None = None) -> Output:
        """Where bound frames belong that came to ``order`` [order, frame], of one clip or each; ``video``: embedded."""
        video = self.see(batch) if video is None else video.with_hidden(video.hidden[..., : self.config.features])
        moved = frame_order.move(self.bind(video, Lines.spoken(self.words, batch, video.mask)), order)
        return Output(order_logits=self.order_head(self.watch(video.take(frame_order.whose(len(batch), order)), moved)))

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Hidden words, hidden frames, frames that changed places, lines that look for their moment and video."""
        c, video, said = self.config, self.see(batch), batch if batch.speech is None else batch.speech.flat()
        heard = Lines.spoken(self.words, batch, video.mask)
        lines = Lines.of(self.text(batch), video.mask[:, None]) if heard is None else heard
        gone = masked_frames.draw(video.mask, c.frame_rate, generator)
        guessed = self.feature_head(self.watch(video, self.bind(video, lines, gone)))
        order, moved = frame_order.draw(video.mask, c.order_rate, generator)
        shuffled = self.watch(video, frame_order.move(self.bind(video, heard), order))
        frame, frame_is = pick(shuffled, frame_order.targets(order, moved))
        return {
            "words": self.hidden_words(video, lines, said, generator),
            "frames": masked_frames.loss(guessed, video.hidden, gone),
            "order": frame_order.loss(self.order_head(frame), frame_is),
            **self.lost_lines(video, lines, generator),
        }

    def hidden_words(self, video: Stream, lines: Lines, said: Batch, generator: torch.Generator) -> Tensor:
        """Masked words, in BERT's way, each line with its own frames alone."""
        rate = self.config.word_rate if self.word_rates is None else self.word_rates[said.word_ids]
        may = said.word_mask & ~self.ids.special(said.word_ids)
        ids, word_is = masked_words.hide_bert(said.word_ids, may, rate, self.ids.mask, self.ids.size, generator)
        words = self.local(video, replace(lines, words=self.words(replace(said, word_ids=ids))))[1]
        word, word_is = pick(words, word_is)
        return masked_words.loss(self.word_head(word), word_is)

    def lost_lines(self, video: Stream, lines: Lines, generator: torch.Generator) -> dict[str, Tensor]:
        """Some lines are taken out of their videos: in which frames of theirs do they belong, and in which video?"""
        c, taken = self.config, moments.draw(lines.there.any(2), self.config.queries, generator)
        rest = replace(lines, there=lines.there & ~taken[..., None])  # without frames, a line is a query
        frames, words = self.local(video, rest)
        seen = self.watch(video, self.skip(video.hidden) + rest.scatter(frames, len(video)))
        query, own = self.query(lines.words.with_hidden(words))[taken.flatten()], taken.nonzero()[:, 0]
        spans = moments.spans(lines.member(len(video))[taken])
        span = moments.span_loss(self.span_head(query, seen[own], video.mask[own]), spans)
        asked = torch.rand((), generator=generator, device=generator.device) >= c.span_drop
        videos, others = moments.ranking_loss(moments.of_videos(query, seen, video.mask), own, c.hardest)
        return {"span": c.span_weight * asked.to(span) * span, "match": c.match_weight * (videos + others)}


MINI = Config(
    inputs=Inputs(frames=48, sampling="middle", size_px=64, max_words=24, vocabulary="world", max_lines=8),
    words=None, s3d=replace(KINETICS, divide=8, classes=0), window=8, features=128, width=128,
    depths=(3, 3), heads=4, inner=512, dropout=0.0, word_places=24, frame_places=(24, 24, 24),
    kind=0, unasked=False, word_rate=0.3, order_rate=0.3, queries=2, span_weight=0.2, span_drop=0.0,
)  # fmt: skip

FAMILY = Family(
    name="hero",
    title="HERO",
    paper="HERO: Hierarchical Encoder for Video+Language Omni-representation Pre-training",
    year=2020,
    arxiv="2005.00200",
    build=HERO,
    sizes={"mini": MINI, "published": Config()},
    heads=("word_logits", "match_logits", "order_logits", "span_logits"),
    objectives=("masked_words", "masked_frames", "frame_order", "moments"),
    names=NAMES,
    doubles={"v_encoder.f_encoder.lm_head.decoder.weight": "v_encoder.f_encoder.embeddings.word_embeddings.weight"},
    manifests={"hero": ""},
    parts={"s3d": {"": "eyes.s3d."}, "text": {"text.": "words.", "fusion.": "fusion.", "word_head.": "word_head."}},
    backbone="eyes",
    checkpoints={"hero-tv-ht100.pt": "linjieli222/HERO, README"},
)
