"""MERLOT: multimodal neural script knowledge models.
Zellers, Lu, Hessel, Yu, Park, Cao, Farhadi, Choi; arXiv 2106.02636, NeurIPS 2021.

    frames, one by one ─▶ ResNet stem ─▶ ViT ─┬─▶ 2 × 2 pooled ─┐
                                   contrast ◀─┘                 ├─▶ joint transformer ─▶ words, relations
    what is said, a line a frame ─▶ words ─┬────────────────────┘
                                   contrast ◀─ the same transformer, language alone ─▶ which words to hide

What follows what in everyday life, learned from video and its transcript alone: frames find the lines that are said
over them, words that the text itself attends to are hidden, and of frames whose places nobody tells the model says how
they are related to each line and to each other: of another video, of one moment, before, or after.

In a ``Batch``, ``speech`` holds the lines; each is shown with the frame nearest to its middle. The text of a batch
comes after them; without speech, it is one line over all frames. A match: the odds that both are of one video.

Nothing was published for torch: this is the paper's TensorFlow code (rowanz/merlot, five segments) as read, not as run.
Deviations: the language-only pass reads a group, not a record of six; frames are not scaled at random; half of the
groups end in another video's chunks; a caption beside another's video is asked for none of its words. As published:
every pair weighs 0.01, since places that tell nothing begin at 16 and were taken for known below 64; the miniature
weighs them as the paper means it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vtexplore.blocks.apart import FrameEncoder, PreNorm, StillViT
from vtexplore.blocks.embeddings import WordIds, grid_tokens
from vtexplore.blocks.frame_features import Places
from vtexplore.blocks.frames_and_lines import FramesAndLines, in_rows, look_up, one_a_line, pad_rows
from vtexplore.blocks.heads import MaskedWords, pick
from vtexplore.blocks.relations import Contrast, RelationHead
from vtexplore.blocks.resnet_stem import ResNetStem, StemConfig
from vtexplore.blocks.transformer import initialise
from vtexplore.blocks.video_swin import normalise
from vtexplore.blocks.vit import ViTConfig
from vtexplore.objectives import attended_spans, contrastive, frame_order, masked_words, reordering
from vtexplore.objectives.attended import attended
from vtexplore.registry import Family
from vtexplore.types import Batch, Inputs, Output, Stream


@dataclass(frozen=True)
class Config:
    """Sizes and rates; the defaults are the paper's, for groups of five."""

    inputs: Inputs = Inputs(5, "middle", size_px=384, max_words=32, vocabulary="gpt2", max_lines=5)
    words: WordIds | None = WordIds(size=50370, pad=0, start=2, end=3, mask=1)  # None: those of inputs.vocabulary
    first_word: int = 100  # ids below are special
    stem: StemConfig | ViTConfig = StemConfig()
    width: int = 768
    frame_depth: int = 12
    depth: int = 12
    heads: int = 12
    inner: int = 3072
    dropout: float = 0.1
    eps: float = 1e-5
    cell_places: int = 64  # on a side
    frame_places: int = 1024
    place_std: tuple[float, float] | None = None  # of places in time and in a frame, as drawn; None: as all weights
    alike: bool = False  # tokens first look at their like
    first_unknown: int = 16
    known_below: int = 64
    mask_rate: float = 0.2
    shuffle_rate: float = 0.5
    pack_rate: float = 0.5
    contrast: float = 0.5  # weight, of the mean of both directions


class MERLOT(nn.Module):
    """The two transformers and the three objectives."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.ids = config.words or WordIds.of(config.inputs.vocabulary)
        self.config, c, width = config, config, config.width
        self.stem = StillViT(c.stem) if isinstance(c.stem, ViTConfig) else ResNetStem(c.stem)
        self.frames = FrameEncoder(c.stem.out_width, width, c.frame_depth, c.heads, c.inner, c.cell_places, c.eps)
        self.word = nn.Embedding(self.ids.size, width)
        self.line, words = c.inputs.max_words, (c.inputs.max_lines + 1) * c.inputs.max_words
        self.enter = FramesAndLines(c.frame_places, c.cell_places, words, width, c.dropout, c.eps, c.place_std)
        self.alone = Places(words, width, c.dropout)
        initialise(self.word, width)
        self.fusion = PreNorm(c.depth, width, c.heads, c.inner, c.eps, c.alike)
        self.word_head = MaskedWords(width, self.ids.size, c.eps, tied=self.word)
        self.frame_contrast, self.line_contrast = Contrast(width, c.eps), Contrast(width, c.eps)
        self.frame_head, self.line_head = RelationHead(width, eps=c.eps), RelationHead(width, eps=c.eps)

    def look(self, batch: Batch) -> tuple[Stream, Tensor]:
        """Each frame by itself: [batch, frame · (1 + cell), channel], and what is compared [batch, frame, channel]."""
        frames, side = batch.video.shape[1], batch.video.shape[-1] // self.config.stem.patch_px
        pixels = normalise(batch.video) if isinstance(self.config.stem, ViTConfig) else batch.video - 0.5
        maps = self.stem(pixels, grid_tokens(batch, (frames, side, side), cls=1))
        batch, maps, there = one_a_line(batch, maps)
        hidden, marks = self.frames(maps, grid_tokens(batch, (there.shape[1], side, side), cls=2))
        seen = batch.sees(self.grid(batch), cls=1) & there.repeat_interleave(hidden.shape[2], dim=1)
        return Stream(hidden.flatten(1, 2), seen, grid_tokens(batch, self.grid(batch), cls=1)), marks

    def text(self, batch: Batch) -> Stream:
        """The words of a text, before they get places [batch, word, channel]."""
        return look_up(self.word, batch)

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        """Video and text; with speech, a video is its frames, then its lines [batch, frame · (1 + cell) + word, …]."""
        video, said = self.look(batch)[0], batch.speech
        lines = None if said is None else in_rows(self.text(said.flat()), len(batch), self.line)
        return video if lines is None else video + lines, self.text(batch)

    def fuse(self, video: Stream, slots: Tensor, lines: Stream) -> tuple[Tensor, Tensor, Tensor]:
        """The joint transformer: frames [batch, frame, channel], lines [batch, line, channel], and all their words.

        ``slots`` [batch, frame]: the places that frames are told. Frames and lines are read off their first token.
        """
        joint = self.fusion(self.enter(video, slots, lines)).hidden
        words = joint[:, len(video) :]
        return joint[:, : len(video)].unflatten(1, (slots.shape[1], -1))[:, :, 0], words[:, :: self.line], words

    def beside(self, video: Stream, text: Stream, batch: Batch) -> tuple[Stream, Tensor, Stream]:
        """What ``fuse`` reads: frames, their places [batch, frame], and what is said, the text as the last line."""
        frames, rows, columns = self.grid(batch)
        slots = torch.arange(frames, device=video.mask.device).expand(len(video.mask), -1)
        split = frames * (1 + rows * columns)
        return video[:split], slots, video[split:] + text

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        """Frames that are shown, rows and columns of their pooled cells."""
        side = batch.video.shape[-1] // self.config.stem.patch_px // 2
        return batch.video.shape[1] if batch.speech is None else batch.speech.count, side, side

    def forward(self, batch: Batch) -> Output:
        """Scores of words, of the match, and of the relations of frames to each other and to what is said."""
        return self.read(*self.embed(batch), batch)

    def read(self, video: Stream, text: Stream, batch: Batch, told: Tensor | None = None) -> Output:
        """What the heads say of videos and texts embedded before; ``told``: places of frames that are not their own."""
        shown, slots, said = self.beside(video, text, batch)
        seen, lines, words = self.fuse(shown, slots if told is None else told, said)
        relations = self.line_head(lines, seen)
        return Output(
            word_logits=self.word_head(words[:, -len(text) :]),  # [batch, word, vocabulary]
            match_logits=reordering.in_one_video(relations[:, -1]).mean(1),  # [batch]; the text is the last line
            relation_logits=self.frame_head(seen, seen),  # [batch, frame, frame, 4]
            line_logits=relations,  # [batch, line, frame, 4]
        )

    def matches(self, video: Stream, text: Stream, batch: Batch) -> Tensor:
        """The match alone [batch]: after the last layer, only what frames and the text are read off is asked for."""
        shown, slots, said = self.beside(video, text, batch)
        first = [*range(0, len(shown), len(shown) // slots.shape[1]), len(shown) + len(said) - len(text)]
        heads = self.fusion(self.enter(shown, slots, said), only=first).hidden
        return reordering.in_one_video(self.line_head(heads[:, -1:], heads[:, :-1])[:, 0]).mean(1)

    def reorder(self, batch: Batch, order: Tensor, video: Stream | None = None) -> Output:
        """The same of frames whose places nobody tells: ``order`` [order, frame], of one clip or each; see ``read``."""
        video, text = self.embed(batch) if video is None else (video, self.text(batch))
        moved = frame_order.move_in(video, order, 1 + self.grid(batch)[1] ** 2)
        nowhere = self.config.first_unknown + torch.arange(order.shape[1], device=order.device)
        return self.read(moved, text.take(frame_order.whose(len(batch), order)), batch, nowhere.expand_as(order))

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Frames and what is said over them, hidden words, and relations of frames whose places are not told."""
        c, (video, marks), speech = self.config, self.look(batch), batch.speech
        there = video.mask.unflatten(1, (marks.shape[1], -1)).any(2)  # [batch, frame]
        said = batch if speech is None else speech.flat()
        lines, ids = in_rows(self.text(said), len(batch), self.line), pad_rows(said.word_ids, len(batch), self.line)
        told, received = attended(lambda: self.fusion(lines.with_hidden(self.alone(lines.hidden))), "fusion")
        theirs = reordering.pack(len(batch), len(lines) // self.line, c.pack_rate, generator).to(ids.device)
        whose = theirs if speech is not None else torch.arange(len(ids), device=ids.device)[:, None].expand_as(there)
        ids, received = reordering.taken(ids, theirs), reordering.taken(received, theirs)
        lines, video = reordering.taken_stream(lines, theirs), reordering.taken_stream(video, whose)
        chosen = attended_spans.draw(received, lines.mask & ~self.ids.special(ids), c.mask_rate, generator)
        ids, word_is = attended_spans.corrupt(ids, chosen, self.ids.mask, c.first_word, self.ids.size, generator)
        if speech is None:  # a caption of another video: nothing there tells its words
            word_is = word_is.masked_fill(theirs != whose[:, :1], masked_words.IGNORE)
        slots = reordering.slots(there, c.shuffle_rate, c.first_unknown, generator).to(ids.device)
        seen, heads, words = self.fuse(video, slots, lines.with_hidden(self.word(ids)))
        word, word_is = pick(words, word_is)

        shown = reordering.Side(whose, reordering.taken(there, whose), slots < c.known_below)
        heard = reordering.whole(theirs) if speech is None else shown
        return {
            "pairs": self.compare(told.hidden[:, :: self.line], marks, there),
            "words": masked_words.loss(self.word_head(word), word_is),
            "relations": reordering.loss(self.line_head(heads, seen), heard, shown)
            + reordering.loss(self.frame_head(seen, seen), shown, shown),
        }

    def compare(self, told: Tensor, marks: Tensor, there: Tensor) -> Tensor:
        """Lines find the frames over which they are said, and back; a single line finds all frames of its video."""
        lines, frames = self.line_contrast(told), contrastive.unit(self.frame_contrast(marks))
        if lines.shape[1] < frames.shape[1]:
            frames, there = frames.mean(1, keepdim=True), there.any(1, keepdim=True)
        pairs = contrastive.cosine(lines.flatten(0, 1), frames.flatten(0, 1))
        return self.config.contrast / 2 * contrastive.loss(pairs, there.flatten())


MINI = Config(
    inputs=Inputs(frames=4, sampling="middle", size_px=96, max_words=24, vocabulary="world", max_lines=8),
    words=None, first_word=5, stem=ViTConfig(size_px=96, width=128, depth=6, heads=4, inner=384, std=0.5),
    width=128, frame_depth=1, depth=3, heads=4, inner=512, dropout=0.0, cell_places=6, frame_places=32,
    place_std=(1.0, 0.3), alike=True, known_below=16, mask_rate=0.3,
)  # fmt: skip

FAMILY = Family(
    name="merlot",
    title="MERLOT",
    paper="MERLOT: Multimodal Neural Script Knowledge Models",
    year=2021,
    arxiv="2106.02636",
    build=MERLOT,
    sizes={"mini": MINI, "published": Config()},
    heads=("word_logits", "match_logits", "relation_logits", "line_logits"),
    objectives=("contrastive", "attended_spans", "reordering"),
    parts={"vit": {"": "stem."}, "text": {"text.word.": "word."}},
    backbone="stem",
)
