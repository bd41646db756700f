"""VIOLET: end-to-end video-language transformers with masked visual-token modeling.
Fu, Li, Gan, Lin, Wang, Wang, Liu; arXiv 2111.12681, 2021.

    frames ─▶ Video Swin ─▶ + [CLS] per frame, place, time ─┐
                                                            ├─▶ cross-modal transformer ─▶ words, codes, match
    words ──▶ BERT embeddings ──────────────────────────────┘

The first of its kind to train from pixels through a *video* encoder, and to ask not only for hidden words but for
hidden patches: a discrete VAE names every patch by one of some thousand codes, and the model fills in the names. What
is hidden are boxes (neighbours look alike) or whatever the model looks at most.

Slot t of the sequence sees frames t and t + 1 (stride 1 in time, one zero frame after the last). The match is read
from the text's [CLS], which stands behind all video tokens. Patches are hidden in the pixels.

Deviations: what a batch declares unseen (clips, of which then nothing is asked, or patches) is hidden from attention.
All else, oddities included, is the published code's; a miniature's card lists its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vtexplore.blocks import dvae, embeddings, heads, transformer, video_swin
from vtexplore.blocks.dvae import DiscreteVAE, DVAEConfig
from vtexplore.blocks.embeddings import BERT_WORDS, PatchPlaces, WordEmbeddings, WordIds, grid_tokens
from vtexplore.blocks.heads import MaskedWords, Perceptron, pick
from vtexplore.blocks.transformer import Encoder
from vtexplore.blocks.video_swin import SwinConfig, VideoSwin
from vtexplore.errors import ConfigError
from vtexplore.objectives import attended, blockwise, masked_codes, masked_words, matching
from vtexplore.registry import Family
from vtexplore.types import Batch, Inputs, Output, Stream
from vtexplore.weights import prefixed


@dataclass(frozen=True)
class Config:
    """Sizes and rates; the defaults are the paper's. Swin's last width is ``width``."""

    inputs: Inputs = Inputs(frames=4, sampling="interior", size_px=224, max_words=32, vocabulary="bert-base-uncased")
    words: WordIds | None = BERT_WORDS  # None: those of inputs.vocabulary
    swin: SwinConfig = SwinConfig(time_stride=1, drop_path=0.2)
    dvae: DVAEConfig | None = DVAEConfig()  # None: ``loss`` is given the codes
    codes: int = 8192
    width: int = 768
    depth: int = 12
    heads: int = 12
    inner: int = 3072
    dropout: float = 0.1
    word_places: int = 512
    patch_places: int = 196  # 14 × 14, more than 224 px need
    frame_places: int = 6
    place_std: float = 0.02
    word_eps: float = 1e-12
    video_eps: float = 1e-5
    attended: float = 0.5  # share of samples masked by attention; the others by boxes
    word_rate: float = 0.15
    attended_rate: float = 0.15
    candidates: int = 4  # texts that a video is offered
    match_groups: int | None = None  # other texts come from so many neighbours; None: from the whole batch


class VIOLET(nn.Module):
    """The model and its three objectives."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.ids = config.words or WordIds.of(config.inputs.vocabulary)
        self.config, width = config, config.width
        if config.swin.out_width != width or (config.dvae and config.dvae.codes != config.codes):
            raise ConfigError("Swin must end in VIOLET's width, and the discrete VAE have as many codes as the head.")
        self.swin = VideoSwin(config.swin)
        self.places = PatchPlaces(width, config.patch_places, config.frame_places, config.place_std, config.video_eps)
        self.text = WordEmbeddings(self.ids.size, config.word_places, width, 2, config.dropout, config.word_eps)
        self.fusion = Encoder(config.depth, width, config.heads, config.inner, config.dropout, config.word_eps)
        self.word_head = MaskedWords(width, self.ids.size, config.word_eps)  # not tied to the embeddings
        self.code_head = Perceptron(width, 2 * width, config.codes, config.dropout)
        self.match_head = Perceptron(width, 2 * width, 1, config.dropout)
        self.dvae = DiscreteVAE(config.dvae).requires_grad_(False) if config.dvae else None
        self.word_rates: Tensor | None = None  # [vocabulary]: in place of word_rate, how often each word is hidden

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        """Video [batch, frame · (1 + row · column), channel] and text [batch, word, channel]."""
        grid = self.grid(batch)
        pixels = video_swin.normalise(batch.video)  # [batch, frame, rgb, height, width]
        hidden = self.places(self.swin(pixels, lambda size: grid_tokens(batch, size)))  # [batch, token, channel]
        return Stream(hidden, batch.sees(grid, cls=True), grid_tokens(batch, grid, cls=True)), self.text(batch)

    def fuse(self, video: Stream, text: Stream, only: slice | None = None) -> Stream:
        """The joint sequence (or ``only`` some of it) after the cross-modal transformer: all video, then the text."""
        return self.fusion(video + text, only)

    def forward(self, batch: Batch) -> Output:
        """Word scores at every text position, code scores at every patch (frames' [CLS] left out), the match."""
        return self.read(*self.embed(batch), batch)

    def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
        """What the heads say of videos and texts embedded before."""
        patches, words = self.parts(self.fuse(video, text).hidden, batch)
        return Output(
            word_logits=self.word_head(words),  # [batch, word, vocabulary]
            code_logits=self.code_head(patches.flatten(1, 3)),  # [batch, patch, code]
            match_logits=self.match(words),  # [batch]
        )

    def match(self, words: Tensor) -> Tensor:
        """Do text and video belong together? Text states [batch, word, channel] to a score [batch], by [CLS]."""
        return self.match_head(words[:, 0]).squeeze(-1)

    def matches(self, video: Stream, text: Stream, batch: Batch) -> Tensor:
        """The match alone [batch]: after the last layer nothing but the text's [CLS] is asked for."""
        return self.match(self.fuse(video, text, slice(len(video), len(video) + 1)).hidden)

    def fills(self, video: Stream, text: Stream, batch: Batch) -> Tensor:
        """The words alone [batch, word, vocabulary]: after the last layer nothing but the text is asked for."""
        return self.word_head(self.fuse(video, text, slice(len(video), None)).hidden)

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        """Frames, rows and columns of the patches."""
        return self.config.swin.grid(batch.video.shape[1], *batch.video.shape[3:])

    def parts(self, joint: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """A joint sequence [batch, token, …] as patches [batch, frame, row, column, …] and words [batch, word, …]."""
        video, words = joint.tensor_split([joint.shape[1] - batch.word_ids.shape[1]], dim=1)
        return video.unflatten(1, (self.grid(batch)[0], -1))[:, :, 1:].unflatten(2, self.grid(batch)[1:]), words

    def loss(self, batch: Batch, generator: torch.Generator, codes: Tensor | None = None) -> dict[str, Tensor]:
        """Masked words, masked codes, matching, to be added up. ``codes`` [batch, frame, row, column] if known."""
        asked = self.hide(batch, *self.choose(batch, generator), self.codes(batch) if codes is None else codes)
        others = matching.others(len(batch), generator, self.config.candidates, self.config.match_groups)
        return self.losses(*asked, others)

    def codes(self, batch: Batch) -> Tensor:
        """The visual word of every patch: [batch, frame, row, column]."""
        if self.dvae is None:
            raise ConfigError("This VIOLET was built without a discrete VAE; give `loss` the codes.")
        return self.dvae.codes(batch.video, self.grid(batch)[1:])

    def choose(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What to hide: patches [batch, frame, row, column] and words [batch, word]; a coin picks how."""
        patches = blockwise.blockwise_mask(*self.grid(batch), len(batch), generator).to(batch.word_ids.device)
        rate = self.config.word_rate if self.word_rates is None else self.word_rates[batch.word_ids]
        words = masked_words.choose(~self.ids.special(batch.word_ids), rate, generator)
        coin = torch.rand(len(batch), generator=generator, device=generator.device) < self.config.attended
        if coin.any():
            few = coin.nonzero().flatten().to(patches.device)
            weights = self.received(some := batch.take(few.tolist()))
            chosen = attended.attended_mask(weights, self.config.attended_rate, generator)  # [batch, token]
            patches[few], words[few] = self.parts(chosen, some)
        return patches, words

    def received(self, batch: Batch) -> Tensor:
        """Attention received by each token of the joint sequence [batch, token]; 0 where nothing may be hidden."""
        total = attended.attention_received(lambda: self.fuse(*self.embed(batch)), "fusion")
        patches = F.pad(total.new_ones(len(batch), *self.grid(batch)).flatten(2), (1, 0))  # no frame's [CLS]
        return total * torch.cat([patches.flatten(1), ~self.ids.special(batch.word_ids)], dim=1)

    def hide(self, batch: Batch, patches: Tensor, words: Tensor, codes: Tensor) -> tuple[Batch, Tensor, Tensor]:
        """Patches go black, words [MASK]: the batch, and which codes and words stood there (−1: not asked)."""
        video = masked_codes.hide(batch.video, patches, self.config.swin.patch_px)
        word_ids, word_is = masked_words.corrupt(batch.word_ids, words, self.ids.mask)
        code_is = masked_codes.targets(codes, patches & batch.has_video[:, None, None, None])
        return replace(batch, video=video, word_ids=word_ids), code_is, word_is

    def losses(self, batch: Batch, code_is: Tensor, word_is: Tensor, others: Tensor) -> dict[str, Tensor]:
        """The three losses; ``others`` [batch, candidate]: whose texts each video is offered beside its own."""
        video, text = self.embed(batch)  # once: only the cross-modal transformer sees foils
        patches, words = self.parts(self.fuse(video, text).hidden, batch)
        items = torch.arange(len(others), device=others.device).repeat_interleave(others.shape[1])
        foils = self.matches(video.take(items), text.take(others.flatten()), batch)  # [batch · candidate]
        scores = torch.cat([self.match(words)[:, None], foils.view(others.shape)], dim=1)
        (word, word_is), (patch, code_is) = pick(words, word_is), pick(patches, code_is)
        return {
            "words": masked_words.loss(self.word_head(word), word_is),
            "codes": masked_codes.loss(self.code_head(patch), code_is),
            "match": matching.loss(scores, batch.has_video),
        }


NAMES = (
    *prefixed(video_swin.NAMES, "enc_img.swin.", "swin."),
    *prefixed(embeddings.PLACE_NAMES, "enc_img.", "places."),
    *prefixed(embeddings.WORD_NAMES, "enc_txt.emb_txt.", "text."),
    *prefixed(transformer.NAMES, "trsfr.", "fusion."),
    *prefixed(heads.MASKED_WORDS_NAMES, "fc_mtm.", "word_head."),
    *prefixed(heads.PERCEPTRON_NAMES, "fc_mvm.", "code_head."),
    *prefixed(heads.PERCEPTRON_NAMES, "fc.", "match_head."),
    *prefixed(dvae.NAMES, "dvae.", "dvae."),
)

MINI = Config(
    inputs=Inputs(frames=4, sampling="interior", size_px=96, max_words=24, vocabulary="world"), words=None,
    swin=SwinConfig(time_stride=1, width=32, depths=(1, 2, 2), heads=(1, 2, 4), window=(4, 6, 6), drop_path=0.0),
    dvae=DVAEConfig(width=16, blocks=1, codes=256, decoder_width=32),
    codes=256, width=128, depth=3, heads=4, inner=512, dropout=0.0,
    word_places=24, patch_places=36, place_std=0.5, word_rate=0.25, match_groups=8,
)  # fmt: skip

FAMILY = Family(
    name="violet",
    title="VIOLET",
    paper="End-to-End Video-Language Transformers with Masked Visual-token Modeling",
    year=2021,
    arxiv="2111.12681",
    build=VIOLET,
    sizes={"mini": MINI, "published": Config()},
    heads=("word_logits", "code_logits", "match_logits"),
    objectives=("masked_words", "masked_codes", "matching", "blockwise", "attended"),
    frames_ahead=1,
    names=NAMES,
    doubles={"fc_mtm.predictions.decoder.bias": "fc_mtm.predictions.bias"},
    manifests={"violet:VIOLET_Pretrain": "", "dalle:Encoder": "dvae.encoder.", "dalle:Decoder": "dvae.decoder."},
    parts={"video_swin": "swin.", "dvae": "dvae.", "text": ""},
    backbone="swin",
    checkpoints={"ckpt_violet_pretrain.pt": "tsujuifu/pytorch_violet, README", "encoder.pkl": "openai/DALL-E"},
)
