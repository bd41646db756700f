"""BridgeFormer against TencentARC/MCQ: the three encoders, layer by layer, both contrasts, and retrieval alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vtexplore.blocks.embeddings import BERT_WORDS
from vtexplore.blocks.tap import Call, listening, name_taps
from vtexplore.blocks.vit import ViTConfig
from vtexplore.models.bridgeformer import FAMILY, NAMES, BridgeFormer, Config
from vtexplore.objectives import contrastive
from vtexplore.types import Batch, Inputs, Stream
from vtexplore.weights import load_state, part


class Listener:
    """Keeps attention weights and states, by the file's names."""

    KINDS = {  # noqa: RUF012 (a constant of the class)
        "bridge.layers.{}": "bridge_attn_frame_layer{}",
        "bridge.layers.{}.cls": "bridge_attn_cls_layer{}",
        "bridge.layers.{}.cross": "cross_attn_frame_layer{}",
        "bridge.layers.{}.cross.cls": "cross_attn_cls_layer{}",
        "video.blocks.{}.cls": "video_attn_cls_layer{}",
    }

    def __init__(self, depth: int) -> None:
        self.kept: dict[str, Tensor] = {}
        self.names = {site.format(i): name.format(i) for site, name in self.KINDS.items() for i in range(depth)}

    def hear(self, call: Call) -> None:
        """Keep the weights, [batch, head, frame, query, key] where frames are kept apart."""
        if call.site in self.names:
            weights = call.weights()
            if call.groups is not None:
                weights = weights.unflatten(1, (len(call.groups), -1)).transpose(1, 2)
            self.kept[f"out/{self.names[call.site]}"] = weights

    def see(self, site: str, stream: Stream) -> None:
        """Keep what leaves a layer of the video encoder or the bridge."""
        tower, _, layer = site.partition(".")
        if tower in ("video", "bridge"):
            self.kept[f"out/{tower}_layer{layer.rpartition('.')[2]}"] = stream.hidden


def golden(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every output."""
    model = build(config, tensors)
    pixels, nothing = tensors["in/video"], torch.zeros(len(tensors["in/video"]), 1, 3, 1, 1)
    text, question, answer = (
        Batch.bare(nothing, tensors[f"in/{name}_ids"], tensors[f"in/{name}_mask"])
        for name in ("text", "question", "answer")
    )
    listener = Listener(model.config.video.depth)
    asked = model.encoder.states(model.words(question))
    with listening(listener):
        seen = model.video.states(pixels)
        bridge = model.ask(seen, asked, pixels.shape[1])
    told, answers = model.text(text), model.text(answer)
    video, words = model.embed_video(seen[-1]), model.embed_text(told)
    single = model.embed_video(model.video.states(pixels[:, :1])[-1])
    pairs = contrastive.cosine(words, video)
    choices = contrastive.cosine(model.embed_text(answers), bridge)
    out = {name: t for name, t in listener.kept.items() if name in tensors or "video_attn" not in name}
    out |= {f"out/question_hidden{i}": state.hidden for i, state in enumerate(asked)}
    return out | {
        "out/text_last_hidden": told.hidden,
        "out/text_embed": words,
        "out/answer_embed": model.embed_text(answers),
        "out/video_embed": video,
        "out/bridge_embed": bridge,
        "out/sim_text_video": pairs,
        "out/sim_answer_bridge": choices,
        "out/loss_vt_mcq": torch.stack([contrastive.loss(pairs), contrastive.loss(choices)]),
        "out/zeroshot_text_embed": words,
        "out/zeroshot_video_embed": video,
        "out/zeroshot_sim": pairs,
        "out/zeroshot_video_embed_first_frame_only": single,
    }


def build(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> BridgeFormer:
    """The page at the file's sizes, with the file's weights."""
    video, text = config["video"], config["distilbert"]
    model = BridgeFormer(
        Config(
            inputs=Inputs(config["frames_in"], size_px=video["img_size"], max_words=config["question_len"]),
            words=replace(BERT_WORDS, size=text["vocab_size"]),  # a toy vocabulary
            video=ViTConfig(
                size_px=video["img_size"],
                patch_px=video["patch_size"],
                width=video["embed_dim"],
                depth=video["depth"],
                heads=video["num_heads"],
                inner=4 * video["embed_dim"],
                eps=config["video_layernorm_eps"],
            ),
            depth=text["n_layers"],
            heads=text["n_heads"],
            inner=text["hidden_dim"],
            word_places=text["max_position_embeddings"],
            word_eps=config["text_layernorm_eps"],
            out=config["projection_dim"],
        )
    )
    load_state(model, part(tensors, "param/"), NAMES, FAMILY.doubles)
    name_taps(model)
    return model.eval()
