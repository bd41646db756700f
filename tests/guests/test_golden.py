"""The numbers that transformers gave, eager and by its own hooks, found again by listening to a guest.

A golden file holds weights, inputs and outputs, maps included that no output has (messages, both directions of one
shared attention). Every output must be compared; what a guest hears comes from its sites, under the default kernel.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import transformers
from safetensors.torch import load_file
from test_parity import Watched, compare, given
from torch import Tensor

from vtexplore import guests
from vtexplore.blocks.tap import listening
from vtexplore.guests._reading import Looking
from vtexplore.record import Recorder
from vtexplore.types import Batch, Inputs

FOLDER = Path(__file__).parents[1] / "golden" / "guests"
NAMES = sorted(p.name.removesuffix(".golden.safetensors") for p in FOLDER.glob("*.golden.safetensors"))
Tensors = Mapping[str, Tensor]


class Heard:
    """One forward of a guest on the file's own inputs, listened to."""

    def __init__(self, model: Any, tensors: Tensors, batch: Batch, inputs: dict[str, Any], **options: Any) -> None:
        model.load_state_dict({k.removeprefix("param/"): tensors[k] for k in tensors if k.startswith("param/")})
        kind = guests.kind_of(model.config.model_type)
        detector = options.get("detector")
        self.guest = guests.Guest(model.eval(), kind, Looking(), Inputs(), detector)
        self.guest.wants = replace(self.guest.wants, **options.get("wants", {}))
        feed = replace(kind.feed(self.guest, batch), inputs=inputs | {"output_hidden_states": True})
        recorder = Recorder(rows="all", hidden=True)
        with listening(recorder):
            self.out = self.guest.run(feed, batch)
        self.attention, self.states = recorder.attention, recorder.states

    def maps(self, **named: str) -> dict[str, Tensor]:
        """Weights by the file's names; "{}" in both is the layer's number."""
        return {f"out/{name}": a for name, a in self._each(named, lambda s: self._whole(s), self.attention)}

    def hidden(self, **named: str) -> dict[str, Tensor]:
        """States by the file's names."""
        return {f"out/{name}": x for name, x in self._each(named, lambda s: self.states[s].hidden, self.states)}

    def said(self, *names: str) -> dict[str, Tensor]:
        return {f"out/{name}": getattr(self.out, name) for name in names}

    def _whole(self, site: str) -> Tensor:
        a = self.attention[site]
        return a.weights if a.groups is None else a.weights.transpose(1, 2).flatten(0, 1)

    @staticmethod
    def _each(named: dict[str, str], of: Callable[[str], Tensor], there: Mapping[str, Any]) -> Iterator[Any]:
        for name, site in named.items():
            for layer in range(9):
                if site.format(layer) in there and (layer == 0 or "{}" in site):
                    start = int(name.endswith("+"))  # the first is what enters the layers
                    yield name.removesuffix("+").format(layer + start), of(site.format(layer))


def clip(config: dict[str, Any], t: Tensors) -> dict[str, Tensor]:
    model = transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config=config["text"], vision_config=config["vision"], projection_dim=config["projection_dim"]
        )
    )
    inputs = {n: t[f"in/{n}"] for n in ("input_ids", "attention_mask", "pixel_values")} | {"return_loss": True}
    batch = Batch.bare(inputs["pixel_values"][:, None], inputs["input_ids"], inputs["attention_mask"])
    heard = Heard(model, t, batch, inputs)
    out = heard.said("logits_per_image", "logits_per_text", "text_embeds", "image_embeds", "loss")
    for name in ("text", "vision"):
        tower = heard.out[f"{name}_model_output"]
        out |= {
            f"out/{name}_last_hidden": tower.last_hidden_state,
            f"out/{name}_projected_unnormalised": tower.pooler_output,
            f"out/{name}_hidden_0": tower.hidden_states[0],
        }
        out |= heard.maps(**{f"{name}_attn_{{}}": f"{name}_model.encoder.layers.{{}}"})
        out |= heard.hidden(**{f"{name}_hidden_{{}}+": f"{name}_model.encoder.layers.{{}}"})
    return out


def xclip(config: dict[str, Any], t: Tensors) -> dict[str, Tensor]:
    heads = {"prompt_num_attention_heads": 4}  # the json does not say so; 8, the usual number, is off by 0.013
    towers = {"text_config": config["text"], "vision_config": config["vision"]}
    model = transformers.XCLIPModel(
        transformers.XCLIPConfig(**towers, **heads, projection_dim=config["projection_dim"])
    )
    inputs = {n: t[f"in/{n}"] for n in ("input_ids", "pixel_values")}
    heard = Heard(model, t, Batch.bare(inputs["pixel_values"], inputs["input_ids"]), inputs)
    return (
        heard.said("logits_per_video", "text_embeds", "video_embeds")
        | {
            "out/mit_last_hidden": heard.out.mit_output.last_hidden_state,
            "out/text_last_hidden": heard.out.text_model_output.last_hidden_state,
        }
        | heard.maps(
            **{
                "text_attn_{}": "text_model.encoder.layers.{}",
                "vision_attn_{}": "vision_model.encoder.layers.{}",
                "vision_message_attn_{}": "vision_model.encoder.layers.{}.message_attn",
                "mit_attn_{}": "mit.encoder.layers.{}",
            }
        )
        | {"out/vision_last_hidden": heard.states["vision_model.encoder.layers.1"].hidden.reshape(8, 5, -1)}
    )


def lxmert(config: dict[str, Any], t: Tensors) -> dict[str, Tensor]:
    model = transformers.LxmertForPreTraining(transformers.LxmertConfig(**config))
    names = ("input_ids", "attention_mask", "visual_feats", "visual_pos", "labels", "matched_label", "ans")
    inputs: dict[str, Any] = {n: t[f"in/{n}"] for n in names}
    inputs["obj_labels"] = {n: (t[f"in/{n}_label"], t[f"in/{n}_mask"]) for n in ("obj", "attr", "feat")}
    batch = Batch.bare(torch.zeros(2, 1, 3, 8, 8), inputs["input_ids"], inputs["attention_mask"])
    found = inputs["visual_pos"][:, None], inputs["visual_feats"][:, None]
    heard = Heard(model, t, batch, inputs, detector=lambda video: found)
    words, things = (heard.states[f"encoder.x_layers.1.{part}"].hidden for part in ("words", "regions"))
    none = torch.zeros_like(inputs["input_ids"])
    return (
        heard.said("loss", "prediction_logits", "cross_relationship_score", "question_answering_score")
        | {
            "out/language_output": words,
            "out/vision_output": things,
            "out/pooled_output": model.lxmert.pooler(words),
            "out/text_embedding": model.lxmert.embeddings(inputs["input_ids"], none),
            "out/visual_embedding": model.lxmert.encoder.visn_fc(found[1][:, 0], found[0][:, 0]),
        }
        | {f"out/visual_head_{name}": said for name, said in model.obj_predict_head(things).items()}
        | heard.hidden(
            **{
                "language_hidden_states_{}": "encoder.layer.{}",
                "vision_hidden_states_{}": "encoder.r_layers.{}",
            }
        )
        | {f"out/language_hidden_states_{i + 2}": heard.states[f"encoder.x_layers.{i}.words"].hidden for i in (0, 1)}
        | {f"out/vision_hidden_states_{i + 2}": heard.states[f"encoder.x_layers.{i}.regions"].hidden for i in (0, 1)}
        | heard.maps(
            **{
                "language_attentions_{}": "encoder.layer.{}",
                "vision_attentions_{}": "encoder.r_layers.{}",
                "cross_encoder_attentions_{}": "encoder.x_layers.{}.visual_attention.words",
                "x{}_cross_language_query_attn": "encoder.x_layers.{}.visual_attention.words",
                "x{}_cross_vision_query_attn": "encoder.x_layers.{}.visual_attention.regions",
                "x{}_lang_self_attn": "encoder.x_layers.{}.lang_self_att",
                "x{}_visn_self_attn": "encoder.x_layers.{}.visn_self_att",
            }
        )
    )


def visual_bert(config: dict[str, Any], t: Tensors) -> dict[str, Tensor]:
    model = transformers.VisualBertForPreTraining(transformers.VisualBertConfig(**config))
    named = [n.removeprefix("in/") for n in t if n.startswith("in/") and "alignment" not in n]
    inputs = {n: t[f"in/{n}"] for n in named}
    batch = Batch.bare(torch.zeros(2, 1, 3, 8, 8), inputs["input_ids"], inputs["attention_mask"])
    regions = torch.zeros(2, 1, 4, 4), inputs["visual_embeds"][:, None]
    heard = Heard(model, t, batch, inputs, detector=lambda video: regions)
    aligned = Heard(
        model, t, batch, inputs | {"image_text_alignment": t["in/image_text_alignment"]}, detector=lambda video: regions
    )
    last = aligned.states["encoder.layer.1"].hidden
    return (
        heard.said("loss", "prediction_logits", "seq_relationship_logits")
        | heard.maps(**{"attn_{}": "encoder.layer.{}"})
        | heard.hidden(**{"hidden_{}+": "encoder.layer.{}"})
        | {
            "out/hidden_0": heard.out.hidden_states[0],
            "out/aligned_embedding": aligned.out.hidden_states[0],
            "out/aligned_last_hidden": last,
            "out/aligned_pooled": model.visual_bert.pooler(last),
        }
    )


@contextmanager
def undrawn() -> Iterator[None]:
    """As the file was made: the draw of patches replaced by counting."""
    with mock.patch("torch.multinomial", lambda weights, count, replacement=False: torch.arange(int(count))):
        yield


def vilt(config: dict[str, Any], t: Tensors) -> dict[str, Tensor]:
    model = transformers.ViltForMaskedLM(transformers.ViltConfig(**config))
    inputs = {n: t[f"in/{n}"] for n in ("input_ids", "attention_mask", "pixel_values", "pixel_mask")}
    batch = Batch.bare(inputs["pixel_values"][:, None], inputs["input_ids"], inputs["attention_mask"])
    drawn: list[Any] = []
    with undrawn():
        state = {k.removeprefix("param/"): t[k] for k in t if k.startswith("param/")}
        model.load_state_dict(state)
        drawn.append(model.vilt.embeddings.visual_embed(inputs["pixel_values"], inputs["pixel_mask"], -1))
        heard = Heard(model, t, batch, inputs, wants={"grid": (0, 3, 4)})
    x, mask, (index, _) = drawn[0]
    last = model.vilt.layernorm(heard.states["encoder.layer.1"].hidden)
    return (
        heard.maps(**{"attn_{}": "encoder.layer.{}"})
        | heard.hidden(**{"hidden_{}+": "encoder.layer.{}"})
        | {
            "out/hidden_0": heard.out.hidden_states[0],
            "out/last_hidden_state": last,
            "out/pooled": model.vilt.pooler(last),
            "out/mlm_logits": heard.out.logits,
            "out/image_embedding_no_type": x,
            "out/image_mask": mask,
            "out/patch_index": index,
        }
    )


def bridgetower(config: dict[str, Any], t: Tensors) -> dict[str, Tensor]:
    model = transformers.BridgeTowerModel(transformers.BridgeTowerConfig(**config))
    inputs = {n: t[f"in/{n}"] for n in ("input_ids", "attention_mask", "pixel_values")}
    batch = Batch.bare(inputs["pixel_values"][:, None], inputs["input_ids"], inputs["attention_mask"])
    heard = Heard(model, t, batch, inputs)
    named = {"text": "cross_modal_text_layers.{}", "image": "cross_modal_image_layers.{}"}
    return (
        heard.said("text_features", "image_features", "pooler_output")
        | heard.maps(**{f"cross{{}}_{name}_self_attn": site for name, site in named.items()})
        | heard.hidden(**{f"cross{{}}_{name}": site for name, site in named.items()})
    )


READERS = {f.__name__: f for f in (clip, xclip, lxmert, visual_bert, vilt, bridgetower)}


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_every_output_of_transformers(name: str, record_property: Any) -> None:
    stem = FOLDER / f"{name}.golden"
    config = json.loads(stem.with_suffix(".golden.json").read_text("utf-8"))["config"]
    file = Watched(load_file(f"{stem}.safetensors"))
    ours = {n: x.to(file.tensors[n].dtype) if n in file else x for n, x in READERS[name](config, file).items()}
    count, worst, wrong = compare(ours, file)
    record_property("max_error", worst)
    print(f"{name}: {count} tensors compared, off by at most {worst:.1g}")
    assert not wrong, "\n".join(wrong)
    assert worst < 1e-5 and count == sum(not given(n) for n in file) > 0


def test_the_last_order_is_the_rasters_whatever_is_drawn() -> None:
    """The file's patches, drawn at random this time: the same maps, and the draw takes nobody's random numbers."""
    config = json.loads((FOLDER / "vilt.golden.json").read_text("utf-8"))["config"]
    file = load_file(FOLDER / "vilt.golden.safetensors")
    file["in/pixel_mask"] = torch.ones_like(file["in/pixel_mask"])
    with mock.patch(f"{__name__}.undrawn", nullcontext):
        before = torch.random.get_rng_state()
        model = transformers.ViltForMaskedLM(transformers.ViltConfig(**config))
        inputs = {n: file[f"in/{n}"] for n in ("input_ids", "attention_mask", "pixel_values", "pixel_mask")}
        batch = Batch.bare(inputs["pixel_values"][:, None], inputs["input_ids"], inputs["attention_mask"])
        runs = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            state = torch.random.get_rng_state()
            runs.append(Heard(model, file, batch, dict(inputs), wants={"grid": (0, 3, 4)}))
            assert torch.equal(state, torch.random.get_rng_state())
        assert not torch.equal(before, torch.random.get_rng_state())
    for site, a in runs[0].attention.items():
        assert torch.allclose(a.weights, runs[1].attention[site].weights, atol=1e-6)
    assert runs[0].out.logits.isfinite().all()
