"""VIOLET against tsujuifu/pytorch_violet: pretraining with recorded masks, retrieval, and question answering."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from vtexplore.blocks.embeddings import BERT_WORDS
from vtexplore.blocks.heads import PERCEPTRON_NAMES, Perceptron
from vtexplore.blocks.tap import Call, listening, name_taps
from vtexplore.blocks.video_swin import SwinConfig, normalise
from vtexplore.models.violet import FAMILY, NAMES, VIOLET, Config
from vtexplore.objectives import matching
from vtexplore.objectives.attended import attention_received
from vtexplore.types import Batch, Inputs, Stream
from vtexplore.weights import load_state, part


class Listener:
    """Keeps what the fusion layers do: attention weights and states, by the file's names."""

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}

    def hear(self, call: Call) -> None:
        """Keep the weights of a fusion layer."""
        if call.groups is None:
            self.kept[f"out/attn_layer{call.site.rpartition('.')[2]}"] = call.weights()

    def see(self, site: str, stream: Stream) -> None:
        """Keep the states of a fusion layer."""
        if site.startswith("fusion."):
            self.kept[f"out/hidden_layer{site.rpartition('.')[2]}"] = stream.hidden


def golden(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every output, and what masking makes of the recorded draws."""
    model = build(config, tensors)
    video = tensors["in/img_u8"] / 255
    batch = Batch.bare(video, tensors["in/txt"], tensors["in/mask"])
    steps = dict(model.swin.steps(normalise(video)))
    small = normalise(video[:1, :2, :, :64, :64])
    out = {f"out/swin_stage{i}": steps[f"layer{i}"].movedim(-1, 1) for i in range(len(model.swin.stages))}
    out |= {
        "out/img_normalised_first": normalise(video)[:1, :1],
        "out/swin_patch_embed": steps["patch_embed"].movedim(-1, 1),
        "out/swin": steps["final"].movedim(-1, 1),
        "out/swin_64px_quirk": model.swin(small).movedim(-1, 1),
    }
    eyes, text = model.embed(batch)
    listener = Listener()
    with listening(listener):
        fused = model.fuse(eyes, text).hidden
    words = fused[:, len(eyes) :]
    pairs = torch.stack([model.match(against(model, eyes, text, j)) for j in range(len(batch))], dim=1)
    out |= listener.kept
    out |= {
        "out/feat_img": eyes.hidden,
        "out/mask_img": eyes.mask.long(),
        "out/feat_txt": text.hidden,
        "out/fused": fused,
        "out/mtm_logits": model.word_head(words),
        "out/mvm_logits": model.code_head(fused[:, : len(eyes)]),
        "out/vtm_pair_raw": pairs,
        "out/retrieval_logits": pairs / matching.TEMPERATURE,
        "out/att_received": attention_received(lambda: model.fuse(eyes, text), "fusion"),
    }
    out |= offered(pairs / matching.TEMPERATURE, tensors["out/vtm_logits"], tensors["out/vtm_neg_index"])
    out |= answers(config, tensors, model, eyes, words)
    for kind in ("block", "attended"):
        out |= masked(model, batch, tensors, f"mask_{kind}")
    return out


def build(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> VIOLET:
    """The page at the file's sizes, with the file's weights."""
    bert, swin, frames = config["bert"], config["swin"], tensors["param/enc_img.emb_len"].shape[1]
    sizes = SwinConfig(
        time_stride=1,
        width=swin["embed_dim"],
        depths=tuple(swin["depths"]),
        heads=tuple(swin["num_heads"]),
        window=tuple(swin["window_size"]),
        eps=config["swin_norm_eps"],
    )
    model = VIOLET(
        Config(
            inputs=Inputs(config["frames"], size_px=config["img_hw"][0], max_words=config["text_len"]),
            words=replace(BERT_WORDS, size=bert["vocab_size"]),  # a toy vocabulary, with the special ids of BERT's
            swin=sizes,
            dvae=None,
            codes=config["visual_vocab"],
            width=config["hidden"],
            depth=bert["num_hidden_layers"],
            heads=bert["num_attention_heads"],
            inner=bert["intermediate_size"],
            word_places=bert["max_position_embeddings"],
            patch_places=tensors["param/enc_img.emb_pos"].shape[2] - 1,
            frame_places=frames,
            word_eps=config["bert_layernorm_eps"],
            video_eps=config["video_norm_eps"],
        )
    )
    load_state(model, part(tensors, "param/"), NAMES, FAMILY.doubles)
    name_taps(model)
    return model.eval()


def against(model: VIOLET, eyes: Stream, text: Stream, j: int) -> Tensor:
    """The text states [batch, word, channel] when every video is shown with text ``j``."""
    same = torch.full((len(eyes.hidden),), j)
    return model.fuse(eyes, text.take(same)).hidden[:, len(eyes) :]


def offered(scores: Tensor, theirs: Tensor, drawn: Tensor) -> dict[str, Tensor]:
    """Matching as pretrained: the own text, then the drawn ones; and which texts the file's scores belong to."""
    own = scores.diagonal()[:, None]
    index = (scores[:, None, :] - theirs[:, 1:, None]).abs().argmin(dim=2)
    return {"out/vtm_logits": torch.cat([own, scores.gather(1, drawn)], dim=1), "out/vtm_neg_index": index}


def answers(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], model: VIOLET, eyes: Stream, words: Tensor
) -> dict[str, Tensor]:
    """Question answering: a score for each option's text, and a classifier in the place of the match."""
    options, mask = tensors["in/qa_txt"], tensors["in/qa_mask"]  # [batch, option, word]
    scores = []
    for o in range(options.shape[1]):
        text = model.text(Batch.bare(torch.zeros(len(options), 1, 3, 1, 1), options[:, o], mask[:, o]))
        scores.append(model.match(model.fuse(eyes, text).hidden[:, len(eyes) :]))
    width = model.config.width
    open_ended: nn.Module = Perceptron(width, 2 * width, config["qa_vocab"]).eval()
    load_state(open_ended, part(tensors, "param_qaoe/fc."), PERCEPTRON_NAMES)
    return {"out/qamc_logits": torch.stack(scores, dim=1), "out/qaoe_logits": open_ended(words[:, 0])}


def masked(model: VIOLET, batch: Batch, tensors: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """What hiding makes of the recorded draws (positions, or boxes and words), and the three losses."""
    frames, rows, columns = grid = model.grid(batch)
    slots = tensors["in/vq"].unflatten(1, (frames, -1))  # [batch, frame, 1 + patch]
    out = {}
    if kind == "mask_attended":
        out[f"{kind}/weights"] = received = model.received(batch)
        chosen = torch.zeros_like(received, dtype=torch.bool).scatter(1, tensors[f"{kind}/positions"], True)
        patches, words = model.parts(chosen, batch)
    else:
        asked = tensors[f"{kind}/ans_mvm"].unflatten(1, (frames, -1))[:, :, 1:]
        patches, words = (asked >= 0).unflatten(2, (rows, columns)), tensors[f"{kind}/ans_mtm"] >= 0
    hidden, code_is, word_is = model.hide(batch, patches, words, slots[:, :, 1:].unflatten(2, (rows, columns)))
    losses = model.losses(hidden, code_is, word_is, tensors[f"{kind}/vtm_neg_index"])
    none = torch.full((len(batch), frames, 1), -1)  # a frame's [CLS] is never asked
    return out | {
        f"{kind}/txt": hidden.word_ids,
        f"{kind}/ans_mtm": word_is,
        f"{kind}/ans_mvm": torch.cat([none, code_is.flatten(2)], dim=2).flatten(1),
        f"{kind}/patch_mask": patches.view(len(batch), *grid).to(torch.uint8),
        f"{kind}/losses_mtm_mvm_vtm": torch.stack([losses["words"], losses["codes"], losses["match"]]),
    }
