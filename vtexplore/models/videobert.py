"""VideoBERT: a joint model for video and language representation learning.
Sun, Myers, Vondrick, Murphy, Schmid; arXiv 1904.01766, 2019.

    frames ─▶ S3D, frozen ─▶ a tree of clusters ─▶ visual words ─┐
                                                                 ├─▶ one BERT ─▶ words and visual words, aligned or not
    [CLS] words [>] ─────────────────────────────────────────────┘

The first to read a video as BERT reads a sentence: a network for actions looks at each 1.5 s, whose word is one of
20736 clusters. Then there is one vocabulary, one sequence ``[CLS] words [>] visual words [SEP]`` and one question,
which token was hidden, asked of words, of visual words, and of both; [CLS] says whether they belong together.

Nothing was published: the golden data prove the arithmetic only. What the paper leaves open is a public thesis's
(MDSKUL/MasterProject): token type 1 from the first visual word on, a bare linear layer for alignment, 15 % hidden in
BERT's way. Deviations: only matching pairs are asked for hidden tokens; tables learn unless a stage freezes them (the
paper did); at least three moments of a video are left at any pace. ``Output`` splits the joint vocabulary by position.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from vtexplore.blocks import embeddings, heads, s3d_names, transformer
from vtexplore.blocks.clip_words import ClipWords
from vtexplore.blocks.embeddings import BERT_WORDS, WordEmbeddings, WordIds, moment_tokens, word_tokens
from vtexplore.blocks.s3d import KINETICS, S3DConfig
from vtexplore.errors import ConfigError
from vtexplore.objectives import alignment, masked_words
from vtexplore.registry import Family
from vtexplore.types import Batch, Inputs, Output, Stream
from vtexplore.visual_words import VisualWords
from vtexplore.weights import prefixed


@dataclass(frozen=True)
class Config:
    """Sizes and rates; the defaults are the paper's. ``branching`` ** ``levels`` visual words at most."""

    inputs: Inputs = Inputs(frames=480, sampling="middle", size_px=224, max_words=64, vocabulary="bert-large-uncased")
    words: WordIds | None = BERT_WORDS  # None: those of inputs.vocabulary
    s3d: S3DConfig = KINETICS
    window: int = 30  # frames of a visual word
    branching: int = 12
    levels: int = 4
    tree: bool = False  # the authors' clusters are not public
    width: int = 1024
    depth: int = 24
    heads: int = 16
    inner: int = 4096
    dropout: float = 0.1
    places: int = 512
    eps: float = 1e-12
    next_sentence: bool = True  # carry the re-implementation's extra head, which nothing here asks
    rate: float = 0.15
    pace: int = 5  # every 1st to 5th visual word
    match_groups: int | None = None  # other texts come from so many neighbours; None: from the whole batch

    @property
    def codes(self) -> int:
        """Rows of the vocabulary that are visual words."""
        return int(self.branching**self.levels)


class VideoBERT(nn.Module):
    """The model and its three regimes."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.ids = config.words or WordIds.of(config.inputs.vocabulary)
        self.config, width = config, config.width
        self.first, self.joiner = self.ids.size, self.ids.size + config.codes  # rows of visual words, of [>]
        self.eyes = ClipWords(config.s3d, config.window, config.branching, config.levels, config.tree)
        self.words = WordEmbeddings(self.joiner + 1, config.places, width, 2, config.dropout, config.eps)
        self.fusion = transformer.Encoder(config.depth, width, config.heads, config.inner, config.dropout, config.eps)
        self.word_head = heads.MaskedWords(width, self.joiner + 1, config.eps, tied=self.words.word)
        self.align_head = nn.Linear(width, 2)
        self.word_rates: Tensor | None = None  # [vocabulary]: in place of rate, how often each word is hidden
        self.sentence = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, 2)]) if config.next_sentence else None

    def take(self, words: VisualWords) -> None:
        """Read videos in these words; their rows of the vocabulary start from the centroids."""
        if words.word_centroids.shape[1] != self.config.width:
            raise ConfigError("Centroids become rows of the vocabulary. Make the model as wide as the features.")
        self.eyes.take(words)
        self.words.word.weight.detach()[self.first : self.first + len(words)] = words.word_centroids

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        """Video [batch, visual word + [SEP], channel] and text [batch, word, channel], before they get places."""
        return self.see(batch, self.codes(batch) + self.first), self.text(batch)

    def fuse(self, video: Stream, text: Stream) -> Stream:
        """The joint sequence after the transformer: the text up to [>], then the video up to [SEP]."""
        return self.fusion(self.words.join(text + video))

    def text(self, batch: Batch, joined: bool = True) -> Stream:
        """``[CLS] words [>]``, or ``[CLS] words [SEP]`` if not ``joined``: [batch, word, channel]."""
        end = (batch.word_mask.cumsum(1) == batch.word_mask.sum(1, keepdim=True)) & batch.word_mask & joined
        hidden = self.words.look_up(ids := batch.word_ids.masked_fill(end, self.joiner), torch.zeros_like(ids))
        return Stream(hidden, batch.word_mask, cache(lambda: word_tokens(batch, "[>]" if joined else "[SEP]")))

    def see(self, batch: Batch, ids: Tensor, real: Tensor | None = None, alone: bool = False) -> Stream:
        """``visual words [SEP]``, ``alone`` with [CLS] before, of joint ``ids`` [batch, visual word] where ``real``."""
        start, end = (ids.new_full((len(ids), 1), i) for i in (self.ids.start, self.ids.end))
        there = batch.sees((ids.shape[1], 1, 1)) & (torch.ones_like(ids, dtype=torch.bool) if real is None else real)
        ids = torch.cat([start] * alone + [ids, end], dim=1)
        mask = torch.cat([torch.ones_like(there[:, :1])] * alone + [there, batch.has_video[:, None]], dim=1)
        return Stream(self.words.look_up(ids, torch.ones_like(ids)), mask, moment_tokens(batch, there.shape[1], alone))

    def codes(self, batch: Batch) -> Tensor:
        """The visual words of a clip, counted from 0: [batch, visual word]."""
        return self.eyes(batch.video)

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        """Visual words in time; each is of the whole picture."""
        return batch.video.shape[1] // self.config.window, 1, 1

    def forward(self, batch: Batch) -> Output:
        """Scores of words at every text position, of visual words at every moment, and the match."""
        return self.read(*self.embed(batch), batch)

    def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
        """What the heads say of videos and texts embedded before."""
        words, moments = self.parts(self.fuse(video, text).hidden, batch)
        return Output(
            word_logits=self.word_head(words)[..., : self.first],  # [batch, word, vocabulary]
            code_logits=self.word_head(moments)[..., self.first : self.joiner],  # [batch, visual word, code]
            match_logits=self.align_head(words[:, 0]).diff(dim=1).squeeze(1).neg(),  # [batch]: "aligned" is 0, "not" 1
        )

    def hide_codes(self, batch: Batch, hidden: Tensor) -> Output:
        """What the heads say when [MASK] stands in place of the visual words ``hidden`` [batch, frame, row, column]."""
        ids = (self.codes(batch) + self.first).masked_fill(hidden.flatten(1), self.ids.mask)
        return self.read(self.see(batch, ids), self.text(batch), batch)

    def foresee(self, codes: Tensor, hidden: Tensor) -> Tensor:
        """Scores of what stands where ``hidden``, both [batch, word], in a video alone: [batch, word, code]."""
        alone = Batch.bare(codes.new_zeros(*codes.shape, 3, 0, 0), codes[:, :0])
        video = self.see(alone, (codes + self.first).masked_fill(hidden, self.ids.mask), alone=True)
        return self.word_head(self.fusion(self.words.join(video)).hidden[:, 1:-1])[..., self.first : self.joiner]

    def parts(self, joint: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """A joint sequence [batch, token, …] as words [batch, word, …] and moments [batch, visual word, …]."""
        return joint[:, : batch.word_ids.shape[1]], joint[:, batch.word_ids.shape[1] : -1]

    def loss(self, batch: Batch, generator: torch.Generator, codes: Tensor | None = None) -> dict[str, Tensor]:
        """Hidden words, hidden visual words, hidden ones of both in pairs, alignment. ``codes`` if they are known."""
        codes = self.codes(batch) if codes is None else codes
        pace = min(self.config.pace, max(1, codes.shape[1] // 3))  # a pace leaves three words of a video
        rates = 1 + torch.randint(pace, (len(batch),), generator=generator, device=generator.device)
        codes, real = alignment.subsample(codes, rates.to(codes.device))
        whose = alignment.partners(len(batch), generator, self.config.match_groups).to(codes.device)
        ids, aligned = codes + self.first, whose == torch.arange(len(batch), device=codes.device)
        said, word_is = self.hide_words(batch, generator)
        seen, code_is = self.hide(ids, real & batch.has_video[:, None], self.config.rate, generator)
        words = self.fusion(self.words.join(self.text(said, joined=False))).hidden
        moments = self.fusion(self.words.join(self.see(batch, seen, real, alone=True))).hidden[:, 1:-1]
        pair = replace(batch, word_ids=batch.word_ids[whose], word_mask=batch.word_mask[whose])
        said, both_words = self.hide_words(pair, generator)
        seen, both_codes = self.hide(ids, real & batch.has_video[:, None], self.config.rate, generator)
        joint = self.fuse(self.see(batch, seen, real), self.text(said)).hidden
        both = torch.cat([both_words, both_codes], dim=1).masked_fill(~aligned[:, None], masked_words.IGNORE)
        return {
            "words": self.asked(words, word_is),
            "codes": self.asked(moments, code_is),
            "both": self.asked(joint[:, :-1], both),
            "match": alignment.loss(self.align_head(joint[:, 0]), aligned, batch.has_video),
        }

    def hide_words(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, Tensor]:
        """Some words of each text: the batch, and what stood there (−1: not asked)."""
        rate = self.config.rate if self.word_rates is None else self.word_rates[batch.word_ids]
        hidden, target = self.hide(batch.word_ids, ~self.ids.special(batch.word_ids), rate, generator)
        return replace(batch, word_ids=hidden), target

    def hide(self, ids: Tensor, may: Tensor, rate: float | Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Some of the joint vocabulary's ``ids`` where they ``may`` be hidden, and what stood there (−1: not asked)."""
        return masked_words.hide_bert(ids, may, rate, self.ids.mask, self.joiner, generator)

    def asked(self, hidden: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy over the joint vocabulary, where something is asked."""
        at, target = heads.pick(hidden, target)
        return masked_words.loss(self.word_head(at), target)


NAMES = (
    *prefixed(embeddings.WORD_NAMES, "bert.embeddings.", "words."),
    *prefixed(transformer.NAMES, "bert.encoder.", "fusion."),
    *prefixed(heads.MASKED_WORDS_NAMES, "cls.", "word_head."),
    (r"cls\.vis_lin_align\.(\w+)", r"align_head.\1"),
    (r"bert\.pooler\.dense\.(\w+)", r"sentence.0.\1"),
    (r"cls\.seq_relationship\.(\w+)", r"sentence.1.\1"),
    *prefixed(s3d_names.KYLEMIN, "s3d.", "eyes.s3d."),
)

MINI = Config(
    inputs=Inputs(frames=48, sampling="middle", size_px=64, max_words=24, vocabulary="world"),
    words=None, s3d=replace(KINETICS, divide=8, classes=0), window=8, branching=8, levels=3, tree=True, width=128,
    depth=3, heads=4, inner=512, dropout=0.0, places=64, next_sentence=False, rate=0.3, pace=5,
)  # fmt: skip

FAMILY = Family(
    name="videobert",
    title="VideoBERT",
    paper="VideoBERT: A Joint Model for Video and Language Representation Learning",
    year=2019,
    arxiv="1904.01766",
    build=VideoBERT,
    sizes={"mini": MINI, "published": Config()},
    heads=("word_logits", "code_logits", "match_logits"),
    objectives=("masked_words", "alignment", "matching"),
    names=NAMES,
    doubles=heads.BERT_DOUBLES,
    manifests={"videobert:VideoBERT_large": "", "s3d_kinetics": "s3d."},
    parts={"s3d": "eyes.s3d.", "text": {"text.": "words.", "fusion.": "fusion.", "word_head.": "word_head."}},
    backbone="eyes",
)
