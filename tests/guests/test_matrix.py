"""Every probe and widget on every guest: a result that shows itself, or one sentence that says why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from guest_makers import made
from toy import toy_clip

import vtexplore
from vtexplore import guests
from vtexplore.data.prepare import prepare
from vtexplore.errors import VtexploreError
from vtexplore.probes.attend import looks_of
from vtexplore.probes.before_after import Pair
from vtexplore.record import record

TEXT, FOIL = "the red disc slides right", "the red disc slides left"
GAP, CHOICES = "the [MASK] disc slides [MASK]", ["the red disc", "a blue square"]
CLIP, OTHER = toy_clip(caption=TEXT), toy_clip(caption=TEXT, name="other clip")
FEW: dict[str, Any] = {"methods": ("relevancy", "edges"), "of": "frames", "randomise": 0, "moves": 0, "draws": 0}

PROBES: dict[str, Callable[[Any], Any]] = {
    "attend": lambda m: vtexplore.attend(m, CLIP, TEXT),
    "rollout": lambda m: vtexplore.attend(m, CLIP, TEXT, method="rollout"),
    "fill_mask": lambda m: vtexplore.fill_mask(m, CLIP, TEXT, word="red", frames=True),
    "fill_codes": lambda m: vtexplore.fill_codes(m, CLIP, TEXT),
    "cloze": lambda m: vtexplore.cloze(m, CLIP, GAP),
    "masked_words": lambda m: vtexplore.masked_words(m, [CLIP, OTHER], quiet=True),
    "read_words": lambda m: vtexplore.read_words(m, CLIP),
    "forecast": lambda m: vtexplore.forecast(m, CLIP),
    "illustrate": lambda m: vtexplore.illustrate(m, TEXT),
    "match": lambda m: vtexplore.match(m, CLIP, [TEXT, FOIL]),
    "compare_foils": lambda m: vtexplore.compare_foils(m, [CLIP, OTHER], [FOIL, FOIL], quiet=True),
    "answer": lambda m: vtexplore.answer(m, CLIP, TEXT, phrase=CHOICES[0], choices=CHOICES),
    "retrieve": lambda m: vtexplore.retrieve(m, [CLIP, OTHER], [TEXT, FOIL], quiet=True),
    "explain": lambda m: vtexplore.explain(m, CLIP, TEXT, method="rollout"),
    "explain a word": lambda m: vtexplore.explain(m, CLIP, TEXT, word="red", method="relevancy"),
    "faithfulness": lambda m: vtexplore.faithfulness(m, CLIP, TEXT, **FEW, quiet=True),
    "ablate_heads": lambda m: vtexplore.ablate_heads(m, [CLIP], TEXT, kinds=("zero",), quiet=True),
    "ground": lambda m: vtexplore.ground(m, [CLIP, OTHER]),
    "masking": lambda m: vtexplore.masking(m, CLIP, TEXT, draws=20),
    "compare_masking": lambda m: vtexplore.compare_masking(m, [CLIP, OTHER], draws=4),
    "reorder": lambda m: vtexplore.reorder(m, CLIP, TEXT, foil=FOIL, quiet=True),
    "compare_orders": lambda m: vtexplore.compare_orders(m, [CLIP, OTHER], quiet=True),
    "before_after": lambda m: vtexplore.before_after(m, [Pair((CLIP, OTHER), ((TEXT,) * 4, (FOIL,) * 4))], quiet=True),
    "recover_order": lambda m: vtexplore.recover_order(m, CLIP, [TEXT], quiet=True),
    "explore": lambda m: vtexplore.explore(m, CLIP, TEXT),
    "MaskedWordLab": lambda m: vtexplore.MaskedWordLab(m, CLIP, TEXT),
    "FrameSorter": lambda m: vtexplore.FrameSorter(m, CLIP, TEXT),
    "VisualWordsTimeline": lambda m: vtexplore.VisualWordsTimeline(m, CLIP),
    "QuestionCard": lambda m: vtexplore.QuestionCard(m, CLIP, TEXT, CHOICES[0], CHOICES),
}
MATCHING = {
    "match", "compare_foils", "retrieve", "explain", "faithfulness", "ablate_heads", "reorder", "compare_orders",
    "before_after", "recover_order", "FrameSorter",
}  # fmt: skip
WORDS = {"fill_mask", "cloze", "masked_words"}
LOOKING = {"attend", "ground", "explore", "MaskedWordLab"}
CASES = [(name, guests.kind_of(name).classes[0]) for name in guests.names()]
CASES += [("vilt", "ViltForImageAndTextRetrieval"), ("bridgetower", "BridgeTowerForImageAndTextRetrieval")]
PICTURED = {"attend", "explain", "faithfulness", "explore"}  # what is drawn on frames, where frames hold regions


@pytest.mark.parametrize(("name", "cls"), CASES, ids=[cls for _, cls in CASES])
def test_a_probe_answers_or_says_why_not(name: str, cls: str, tmp_path: Path) -> None:
    guest = made(name, tmp_path, cls)
    answered, refused = {}, {}
    for probe, ask in PROBES.items():
        try:
            answered[probe] = ask(guest)
        except VtexploreError as error:
            refused[probe] = str(error)
    print(f"{cls} answers {', '.join(answered)}")
    for probe, why in refused.items():
        assert "\n" not in why and why.endswith((".", "?")) and len(why) > 20, (probe, why)
    batch = prepare([CLIP], [TEXT], guest.inputs)
    with torch.no_grad():
        heads = guest(batch).heads()
    for can, wanted in (
        ("match_logits" in heads, MATCHING),
        ("word_logits" in heads, WORDS),
        (bool(looks_of(record(guest, batch), 5)), LOOKING),
    ):
        lacking = {probe: refused[probe] for probe in wanted if probe in refused}
        assert not (can and lacking), lacking
        assert can or not wanted & set(answered)
    for probe, result in answered.items():
        if probe not in PICTURED or not guest.wants.regions:
            continue
        if hasattr(result, "save_html"):
            assert result.save_html(tmp_path / f"{probe}.html").stat().st_size > 10_000
        else:
            assert len(result.plot().alt) > 20, probe
