"""Files at their full size, written from lists of keys alone, loaded from end to end, and asked once.

What is expected is computed without the loader: by transformers' BERT and DistilBERT, or by hand from the file's
tensors. Layers for which that would mean a second implementation are held to the authors' numbers in test_parity.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import stand_ins
import torch
import torch.nn.functional as F
from stand_ins import tensors_of
from torch import Tensor, nn

from vtexplore import registry
from vtexplore.types import Batch
from vtexplore.weights import part
from vtexplore.weights import tensors_of as all_of

pytestmark = pytest.mark.slow

BACKBONES = [name for name in registry.publications() if name not in registry.names()]


@pytest.fixture(autouse=True)
def _no_gradients(tmp_path: Path) -> Iterator[None]:
    """Nor a gigabyte left behind."""
    with torch.no_grad():
        yield
    for path in tmp_path.glob("*.pt"):
        path.unlink()


def written(folder: Path, manifest: str, seed: int = 0) -> tuple[Path, dict[str, Tensor]]:
    tensors = tensors_of(manifest, seed)
    return stand_ins.write(folder / f"{abs(hash(manifest))}.pt", manifest, tensors), tensors


def held(tensors: Mapping[str, Tensor]) -> Counter[tuple[Any, ...]]:
    """Tensors without their names: whatever they are called, it is these."""
    return Counter((tuple(t.shape), t.double().sum().item(), t.flatten()[-1].item()) for t in tensors.values())


def batch_of(frames: int, ids: list[list[int]], size: int = 224) -> Batch:
    words = torch.tensor(ids)
    return Batch.bare(torch.rand(len(ids), frames, 3, size, size), words, words != 0)


def near(ours: Tensor, theirs: Tensor, within: float = 1e-4) -> None:
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= within * max(1.0, theirs.abs().max().item())
    assert theirs.std() > 0, "a constant would agree with anything"


# ── by hand ───────────────────────────────────────────────────────────────────────────────────────


def linear(t: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.linear(x, t[f"{name}.weight"], t.get(f"{name}.bias"))


def norm(t: Mapping[str, Tensor], name: str, x: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"], eps)


def bert(t: Mapping[str, Tensor], layers: int, prefix: str) -> nn.Module:
    """transformers' BERT encoder with the layers of a file."""
    from transformers import BertConfig
    from transformers.models.bert.modeling_bert import BertEncoder

    config = BertConfig(num_hidden_layers=layers, attn_implementation="eager")
    encoder = BertEncoder(config).eval()
    encoder.load_state_dict(part(t, prefix))
    return encoder


def vit(t: Mapping[str, Tensor], x: Tensor, names: Mapping[str, str], heads: int, eps: float, **how: Any) -> Tensor:
    """Pre-norm blocks on [batch, token, channel], as many as the file has; ``names``: what it calls the parts."""
    act: Callable[[Tensor], Tensor] = how.get("act", F.gelu)
    at = 0
    while f"{names['block'].format(at)}{names['qkv']}weight" in t:
        b = part(t, names["block"].format(at))
        n = norm(b, names["norm1"], x, eps)
        qkv = F.linear(n, b[f"{names['qkv']}weight"], b[f"{names['qkv']}bias"])
        q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=how.get("causal", False))
        x = x + linear(b, names["proj"], mixed.transpose(1, 2).flatten(2))
        x = x + linear(b, names["fc2"], act(linear(b, names["fc1"], norm(b, names["norm2"], x, eps))))
        at += 1
    assert at == 12
    return x


TIMM = {
    "block": "video_model.blocks.{}.", "qkv": "attn.qkv.", "proj": "attn.proj", "norm1": "norm1", "norm2": "norm2",
    "fc1": "mlp.fc1", "fc2": "mlp.fc2",
}  # fmt: skip
OPENAI = {
    "qkv": "attn.in_proj_", "proj": "attn.out_proj", "norm1": "ln_1", "norm2": "ln_2", "fc1": "mlp.c_fc",
    "fc2": "mlp.c_proj",
}  # fmt: skip


def quick(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def coder(t: Mapping[str, Tensor], x: Tensor, resize: Callable[[Tensor], Tensor]) -> Tensor:
    """DALL-E's encoder or decoder."""

    def conv(name: str, x: Tensor) -> Tensor:
        w = t[f"blocks.{name}.w"]
        return F.conv2d(x, w, t[f"blocks.{name}.b"], padding=w.shape[-1] // 2)

    x = conv("input", x)
    for group in range(1, 5):
        for block in (f"group_{group}.block_{i}" for i in (1, 2)):
            inner = x
            for i in range(1, 5):
                inner = conv(f"{block}.res_path.conv_{i}", F.relu(inner))
            skip = conv(f"{block}.id_path", x) if f"blocks.{block}.id_path.w" in t else x
            x = skip + inner / 64
        x = resize(x) if group < 4 else x
    return conv("output.conv", F.relu(x))


# ── VIOLET ────────────────────────────────────────────────────────────────────────────────────────

SENTENCES = [[101, 1037, 2417, 4418, 102], [101, 2630, 102, 0, 0]]


def violet_by_hand(t: Mapping[str, Tensor], video: Tensor, batch: Batch) -> Tensor:
    """The joint sequence after the cross-modal transformer, its video embedded before."""
    e = part(t, "enc_txt.emb_txt.")
    ids = batch.word_ids
    words = e["word_embeddings.weight"][ids] + e["position_embeddings.weight"][: ids.shape[1]]
    words = norm(e, "LayerNorm", words + e["token_type_embeddings.weight"][0], 1e-12)
    seen = torch.cat([torch.ones(video.shape[:2], dtype=torch.bool), ids != 0], dim=1)
    mask = torch.where(seen, 0.0, -1e9)[:, None, None]
    joint: Tensor = bert(t, 12, "trsfr.")(torch.cat([video, words], dim=1), attention_mask=mask)[0]
    return joint


def perceptron(t: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    return linear(t, f"{name}.3", F.relu(linear(t, f"{name}.1", x)))


def violet_eyes(model: Any, t: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """The embedded video, whose first step is checked by hand."""
    pixels = torch.rand(1, 2, 3, 8, 8)
    padded = F.pad(pixels.transpose(1, 2), (0, 0, 0, 0, 0, 1))
    e = part(t, "enc_img.swin.patch_embed.")
    patches = F.conv3d(padded, e["proj.weight"], e["proj.bias"], (1, 4, 4)).movedim(1, -1)
    near(model.swin.patch(pixels), norm(e, "norm", patches, 1e-5))
    hidden: Tensor = model.embed(batch)[0].hidden
    return hidden


def test_violet_pretrained_with_its_discrete_vae(tmp_path: Path) -> None:
    whole, t = written(tmp_path, "violet:VIOLET_Pretrain")
    encoder, e = written(tmp_path, "dalle:Encoder", 1)
    decoder, d = written(tmp_path, "dalle:Decoder", 2)
    model: Any = registry.load("violet", weights=(whole, encoder, decoder))
    twice = "fc_mtm.predictions.decoder.bias"
    filled = {f"t.{n}": x for n, x in t.items() if n != twice}
    filled |= {f"e.{n}": x for n, x in e.items()} | {f"d.{n}": x for n, x in d.items()}
    assert held(all_of(model)) == held(filled)
    assert model.report.missing == () and not model.report.ignored and len(model.report.checked) == 25

    batch = batch_of(1, SENTENCES, 64)
    out = model(batch)
    joint = violet_by_hand(t, violet_eyes(model, t, batch), batch)
    words = joint[:, 5:]  # one frame of a [CLS] and 2 × 2 patches
    near(out.match_logits, perceptron(t, "fc", words[:, 0]).squeeze(-1))
    near(out.code_logits, perceptron(t, "fc_mvm", joint[:, 1:5]))
    m = part(t, "fc_mtm.predictions.")
    dense = norm(m, "transform.LayerNorm", F.gelu(linear(m, "transform.dense", words)), 1e-12)
    near(out.word_logits, F.linear(dense, m["decoder.weight"], m["bias"]))

    image = torch.rand(1, 3, 32, 32)
    logits = coder(e, 0.8 * image + 0.1, lambda x: F.max_pool2d(x, 2))
    near(model.dvae(image), logits)
    codes = F.one_hot(logits.argmax(1), 8192).movedim(-1, 1).float()
    near(model.dvae.decoder(codes), coder(d, codes, lambda x: F.interpolate(x, scale_factor=2.0)))


def test_violet_fine_tuned_to_retrieve(tmp_path: Path) -> None:
    path, t = written(tmp_path, "violet:VIOLET_Retrieval")
    model: Any = registry.load("violet", weights=path)
    assert {n.split(".")[0] for n in model.report.missing} == {"word_head", "code_head"}
    batch = batch_of(1, SENTENCES, 64)
    out = model(batch)
    assert out.heads() == ("match_logits",)
    joint = violet_by_hand(t, violet_eyes(model, t, batch), batch)
    near(out.match_logits, perceptron(t, "fc", joint[:, 5]).squeeze(-1))


def test_violet_fine_tuned_to_answer(tmp_path: Path) -> None:
    path, t = written(tmp_path, "violet:VIOLET_QAOE_vocab1000")
    model: Any = registry.load("violet", weights=path)
    assert set(model.report.ignored) == {f"fc.{i}.{kind}" for i in (1, 3) for kind in ("weight", "bias")}
    batch = batch_of(1, SENTENCES, 64)
    assert model(batch).heads() == ()
    near(model.fuse(*model.embed(batch)).hidden, violet_by_hand(t, violet_eyes(model, t, batch), batch))


# ── BridgeFormer ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("manifest", ["MCQ_pretrain", "MCQ_zeroshot"])
def test_bridgeformer(manifest: str, tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    path, t = written(tmp_path, f"bridgeformer:{manifest}")
    model: Any = registry.load("bridgeformer", weights=path)
    with_bridge = manifest == "MCQ_pretrain"
    if with_bridge:
        assert held(all_of(model)) == held(t)
    batch = batch_of(1, [[101, 1037, 2417, 4418, 102]])
    out = model(batch)
    assert (out.answer_embedding is not None) == with_bridge
    text = DistilBertModel(DistilBertConfig()).eval()
    text.load_state_dict(part(t, "text_model."), strict=True)
    state = text(batch.word_ids).last_hidden_state[:, 0]
    near(out.text_embedding, linear(t, "text_proj.1", F.relu(state)))

    v = part(t, "video_model.")  # of one frame, every patch sees all
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    pixels = (batch.video[:, 0] - mean) / std
    patches = F.conv2d(pixels, v["patch_embed.proj.weight"], v["patch_embed.proj.bias"], 16).flatten(2).mT
    x = vit(t, torch.cat([v["cls_token"], patches], 1) + v["pos_embed"], TIMM, 12, 1e-6)
    near(out.video_embedding, linear(t, "vid_proj.0", norm(v, "norm1", x[:, 0], 1e-6)))
    if with_bridge:
        assert out.answer_embedding.isfinite().all() and out.answer_embedding.std() > 0


def test_bridgeformer_begun_from_clip(tmp_path: Path) -> None:
    path, t = written(tmp_path, "bridgeformer:MCQ_CLIP_ViT-B-32")
    model: Any = registry.load("bridgeformer", weights=path)
    assert model.size == "clip" and held(all_of(model)) == held(t)
    ids = torch.tensor([[49406, 320, 736, 49407]])
    batch = Batch.bare(torch.rand(1, 1, 3, 224, 224), ids)
    e = t["token_embedding.weight"][ids] + t["positional_embedding"][:4]
    blocks = OPENAI | {"block": "transformer.resblocks.{}."}
    x = vit(t, e, blocks, 8, 1e-5, act=quick, causal=True)
    words = norm(t, "ln_final", x, 1e-5)[:, 3] @ t["text_projection"]
    near(model.embed_text(model.text(batch).hidden, ids), words)

    v = part(t, "visual.")
    patches = F.conv2d(batch.video[:, 0], v["conv1.weight"], None, 32).flatten(2).mT
    x = torch.cat([v["class_embedding"].expand(1, 1, -1), patches], 1) + v["positional_embedding"]
    x = vit(v, norm(v, "ln_pre", x, 1e-5), blocks, 12, 1e-5, act=quick)
    seen = norm(v, "ln_post", x[:, 0], 1e-5) @ v["proj"]
    near(model.embed_video(model.video.states(batch.video)[-1].hidden), seen)


# ── HERO ──────────────────────────────────────────────────────────────────────────────────────────


def test_hero(tmp_path: Path) -> None:
    path, t = written(tmp_path, "hero")
    model: Any = registry.load("hero", weights=path)
    twice = "v_encoder.f_encoder.lm_head.decoder.weight"
    assert held(all_of(model)) == held({n: x for n, x in t.items() if n != twice})
    features = torch.randn(1, 3, 4352)
    batch = Batch.bare(features, torch.tensor([[0, 713, 16, 2]]))
    skip = part(t, "v_encoder.frame_transform.")
    bound = F.relu(linear(skip, "net.1", norm(skip, "LayerNorm", features, 1e-5)))
    c = part(t, "v_encoder.c_encoder.")
    placed = norm(c, "embeddings.LayerNorm", bound + c["embeddings.position_embeddings.weight"][:3], 1e-5)
    seen = bert(c, 3, "encoder.")(placed)[0]
    video, text = model.embed(batch)
    near(video.hidden[..., 4352:], seen)
    e = part(t, "v_encoder.f_encoder.embeddings.")
    words = e["word_embeddings.weight"][batch.word_ids] + e["position_embeddings.weight"][:4]
    near(text.hidden, norm(e, "LayerNorm", words + e["token_type_embeddings.weight"][1], 1e-5))
    hidden = torch.randn(1, 5, 768)
    near(
        model.fusion(text.with_hidden(hidden[:, :4])).hidden,
        bert(t, 6, "v_encoder.f_encoder.encoder.")(hidden[:, :4])[0],
    )
    out = model(batch)
    assert out.match_logits.isfinite().all() and out.word_logits.isfinite().all()


# ── backbones ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name, manifest", [(n, lay.manifest) for n in BACKBONES for lay in registry.published(n).layouts if lay.manifest]
)
def test_a_backbone(name: str, manifest: str, tmp_path: Path) -> None:
    path, t = written(tmp_path, manifest)
    model: Any = registry.backbone(name, weights=path)
    kept = {n: x for n, x in t.items() if n not in model.report.ignored}
    assert held(all_of(model)) == held(kept) and model.report.missing == ()
    clip = torch.rand(1, 16, 3, 32, 32)
    out = model(clip)
    assert out.isfinite().all() and out.std() > 0
    if name == "video_swin":
        e = {n.partition("patch_embed.")[2]: x for n, x in t.items() if "patch_embed." in n}
        stride = model.config.time_stride
        padded = clip.transpose(1, 2) if stride == 2 else F.pad(clip.transpose(1, 2), (0, 0, 0, 0, 0, 1))
        patches = F.conv3d(padded, e["proj.weight"], e["proj.bias"], (stride, 4, 4)).movedim(1, -1)
        near(model.patch(clip), norm(e, "norm", patches, 1e-5))
        last = {n: x for n, x in t.items() if n in ("norm.weight", "backbone.norm.weight")}
        assert torch.equal(model.norm.weight, next(iter(last.values())))
    if manifest == "s3d":
        ids = torch.tensor([[3, 7, 0, 0]])
        m = part(t, "text_module.")
        words = F.relu(linear(m, "fc1", m["word_embd.weight"][ids])).amax(1)
        near(model.text(ids), linear(m, "fc2", words))
        near(model.embed(clip), linear(t, "fc", model.features(clip)))
