"""HERO against linjieli222/HERO: local fusion, temporal transformer, and all four objectives with recorded draws."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vtexplore.blocks.embeddings import WordIds
from vtexplore.blocks.hero_names import NAMES
from vtexplore.blocks.lines import Lines
from vtexplore.blocks.tap import name_taps
from vtexplore.models.hero import FAMILY, HERO, Config
from vtexplore.objectives import frame_order, masked_frames
from vtexplore.objectives import moments as moment
from vtexplore.types import Batch, Inputs, Stream, Tokens
from vtexplore.weights import load_state, part


def golden(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every output."""
    model = build(config, tensors)
    frames, mask = tensors["in/c_v_feats"], tensors["in/c_attn_masks"].bool()
    video, end_to_end = stream(frames, mask), stream(frames.flatten(0, 1)[None], mask.flatten()[None])
    lines = lines_of(model, tensors, tensors["in/f_sub_input_ids"])
    told = lines_of(model, tensors, tensors["in/mlm_input_ids"])
    bound = model.bind(end_to_end, lines).view(*frames.shape[:2], -1)
    seen = model.watch(video, bound)
    masked = gathered(model.local(end_to_end, told), tensors)[tensors["in/mlm_target_mask"].bool()]
    scores = model.word_head(masked)
    return {
        "out/f_hidden": gathered(model.local(end_to_end, lines), tensors),
        "out/fused_frame_residual": bound,
        "out/frame_embeddings": seen,
        "out/mlm_scores": scores,
        "out/mlm_losses": F.cross_entropy(scores, tensors["in/mlm_labels"], reduction="none"),
        **hidden_frames(model, video, end_to_end, lines, tensors["in/frame_mask"].bool()),
        **order(model, video, bound, tensors),
        **moments(model, video.with_hidden(seen), tensors),
    }


def stream(hidden: Tensor, mask: Tensor) -> Stream:
    """Tensors as a stream of which nothing is known."""
    return Stream(hidden, mask, lambda: [Tokens.make(["?"] * hidden.shape[1], [{"video"}] * hidden.shape[1])])


def lines_of(model: HERO, tensors: Mapping[str, Tensor], ids: Tensor) -> Lines:
    """The file's lines in one video that has all frames, those of a line told by their features."""
    frames = tensors["in/c_v_feats"].flatten(0, 1)
    same = (tensors["in/f_v_feats"][:, :, None] == frames).all(-1) & (frames != 0).any(-1)  # [line, slot, frame]
    return Lines.of(
        model.words(Batch.bare(frames.new_zeros(len(ids), 0), ids, ids != model.ids.pad)), same.any(1)[None]
    )


def gathered(parts: tuple[Tensor, Tensor], tensors: Mapping[str, Tensor]) -> Tensor:
    """Frames and words in the file's order, where padding comes last."""
    both = torch.cat(parts, dim=1)
    return both.gather(1, tensors["in/f_gather_index"][..., None].expand(-1, -1, both.shape[2]))


def hidden_frames(model: HERO, video: Stream, end_to_end: Stream, lines: Lines, hidden: Tensor) -> dict[str, Tensor]:
    """Hidden frames: what is said of them and of all others, by contrast and by distance."""
    bound = model.bind(end_to_end, lines, hidden.flatten()[None]).view(*hidden.shape, -1)
    said, true = model.feature_head(model.watch(video, bound)), video.hidden[hidden]
    return {
        "out/mfm_pred": said[hidden],
        "out/mfm_neg_pred": said[~hidden],
        "out/mfm_nce_losses": masked_frames.nce(said[hidden], true, said[~hidden]),
        "out/mfm_mse_losses": (said[hidden] - true).square(),
    }


def order(model: HERO, video: Stream, bound: Tensor, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Frames at other places; the file says to which place each goes."""
    came = tensors["in/fom_shuffled_orders"].argsort(dim=1)
    logits = model.order_head(model.watch(video, frame_order.move(bound, came)))
    target = frame_order.targets(came, tensors["in/fom_targets"] >= 0)
    return {"out/fom_logits": logits.flatten(0, 1), "out/fom_loss": frame_order.loss(logits, target)}


def moments(model: HERO, video: Stream, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every query with every video; losses are summed over queries, as the code does when it evaluates."""
    ids, own = tensors["in/vsm_query_ids"], tensors["in/vsm_q_vidx"]
    text = model.words(Batch.bare(ids.new_zeros(len(ids), 0), ids, tensors["in/vsm_query_mask"]))
    query, count = model.query(model.fusion(text)), len(ids)
    scores = moment.of_videos(query, video.hidden, video.mask)
    shown = zip(video.hidden, video.mask, strict=True)
    spans = torch.stack([model.span_head(query, v.expand(count, -1, -1), m.expand(count, -1)) for v, m in shown], dim=1)
    span = moment.span_loss(spans[torch.arange(count), own], tensors["in/vsm_targets"])
    weights = torch.tensor([model.config.span_weight, *[model.config.match_weight] * 2])
    losses = weights * torch.stack([span, *moment.ranking_loss(scores, own)])
    return {
        "out/modularized_query": query,
        "out/vsm_scores": scores,
        "out/vsm_st_prob": spans[..., 0],
        "out/vsm_ed_prob": spans[..., 1],
        "out/vsm_losses_st_ed_ctx_q": losses * count,
    }


def build(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> HERO:
    """The page at the file's sizes, with the file's weights."""
    model = HERO(
        Config(
            inputs=Inputs(),
            words=WordIds(size=config["vocab"], pad=1, start=0, end=2, mask=3),  # a toy vocabulary
            features=config["vdim"],
            width=config["dim"],
            depths=(config["fl"], config["cl"]),
            heads=config["heads"],
            inner=config["ff"],
            word_places=config["pos"],
            frame_places=(config["maxf"], config["pos"], 100),
        )
    )
    load_state(model, part(tensors, "param/"), NAMES, FAMILY.doubles)
    name_taps(model)
    return model.eval()
