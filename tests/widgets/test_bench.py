"""What is sent to a page, and what is answered: held to the probes, without a browser."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from playwright._impl._driver import compute_driver_executable

from vtexplore.errors import ConfigError, TextError
from vtexplore.widgets._joined import MODULES, SCRIPT, joined
from vtexplore.widgets.bench import Bench, quantised, rearranged
from vtexplore.widgets.page import page

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def bench(toy_model: Any, toy_clip: Any) -> Bench:
    return Bench(toy_model, toy_clip)


@pytest.fixture(scope="module")
def explained(toy_model: Any) -> Bench:
    """A bench whose model's answer can be taken apart."""
    from toy_why import Evidence, noise_clip, one_patch

    return Bench(Evidence(toy_model.inputs.vocabulary, one_patch((1, 2, 3)), {"red": 2.0}), noise_clip())


# ── numbers ──


@given(hnp.arrays(np.float32, (3, 7), elements=st.floats(0, 1, width=32)))
def test_rows_lose_at_most_a_255th_of_their_top(rows: np.ndarray) -> None:
    steps, tops = quantised(rows)
    assert (np.abs(steps / 255 * tops[:, None] - rows) <= tops[:, None] / 255 + 1e-9).all()


@pytest.mark.parametrize("rows", [np.full((1, 256), 1 / 256), np.eye(1, 256), np.zeros((1, 256))])
def test_flat_and_peaked_rows_survive(rows: np.ndarray) -> None:
    steps, tops = quantised(rows)
    assert np.allclose(steps / 255 * tops[:, None], rows, atol=rows.max() / 255)


def test_the_bytes_are_what_the_page_cuts_up(bench: Bench) -> None:
    scene, sent = bench.scene(), bench.numbers()
    lines = sum(look["heads"] for look in scene["looks"]) * len(scene["words"])
    patches = int(np.prod(scene["grid"]))
    assert len(sent) == 4 * lines * (1 + len(scene["statistics"])) + 3072 + lines * patches
    tops = np.frombuffer(sent, "<f4", lines).reshape(-1, len(scene["words"]))
    rows = np.frombuffer(sent, np.uint8, offset=len(sent) - lines * patches).reshape(*tops.shape, patches)
    look = next(look for look in scene["looks"] if look["site"] == "layers.1")
    heat = bench.result.heat("red", "layers.1", 1)
    found = rows[look["first"] + 1, 1] / 255 * tops[look["first"] + 1, 1]
    assert np.allclose(found.reshape(heat.shape), heat, atol=heat.max() / 255)


def test_the_statistic_is_the_probes_score(bench: Bench) -> None:
    scene = bench.scene()
    (named,) = [s for s in bench.statistics if s["name"] == "on the named thing"]
    grid = bench.result.head_grid("red")
    for look in [look for look in scene["looks"] if not look["method"]]:
        own = named["values"][look["first"] : look["first"] + look["heads"], 1]
        assert own == pytest.approx(grid.scores[grid.sites.index(look["site"]), : look["heads"]])
    assert named["chance"][1] == pytest.approx(grid.chance)
    assert named["chance"][0] is None and np.isnan(named["values"][:, 0]).all()  # "the" names nothing


def test_the_scene_is_plain_and_whole(bench: Bench) -> None:
    scene = json.loads(json.dumps(bench.scene()))
    assert scene["can"]["fill"] and len(scene["frames"]) == scene["grid"][0]
    assert {look["site"] for look in scene["looks"]} >= {"layers.0", "layers.1"}
    outline = scene["outlines"][0][0]
    assert re.fullmatch(r"(M[\d. L-]+Z ?)+", outline), outline


# ── answers ──


def test_a_clip_in_another_order(toy_clip: Any) -> None:
    times = [0.5, 1.5, 2.5, 3.5]
    as_is = toy_clip.sample(times, 32)
    assert rearranged(toy_clip, times, [0, 1, 2, 3]) is toy_clip
    other = rearranged(toy_clip, times, [3, 0, 0, 2])
    assert np.array_equal(other.sample(times, 32), as_is[[3, 0, 0, 2]])
    near = other.sample([0.6, 1.4], 32)  # what lies near a moment goes with it
    assert np.array_equal(near, toy_clip.sample([3.6, 0.4], 32))
    with pytest.raises(ConfigError, match="names each place"):
        rearranged(toy_clip, times, [0, 1])


def test_a_word_is_filled_as_the_probe_does(bench: Bench, toy_model: Any, toy_clip: Any) -> None:
    from vtexplore.probes.fill_mask import fill_mask

    found, probe = bench.answer({"ask": "fill", "word": 1}), fill_mask(toy_model, toy_clip, word=1)
    assert found["words"][0] == probe.top(1)[0][0] and found["conditions"] == list(probe.conditions)
    assert found["p"][0][0] == pytest.approx(probe.top(1)[0][1])


def test_another_text_is_another_bench(bench: Bench) -> None:
    other = bench.answer({"ask": "text", "text": "the blue square"})
    assert other.scene()["words"] == ["the", "blue", "square"]
    with pytest.raises(TextError):
        bench.answer({"ask": "text", "text": "  "})
    with pytest.raises(ConfigError, match="answers fill, order, text, explain, square"):
        bench.answer({"ask": "eval"})


def test_a_map_is_explains_and_made_once(explained: Bench) -> None:
    from vtexplore.probes.explain import explain

    probe = explain(explained.model, explained.clip, target="match", method="occlusion")
    found = explained.answer({"ask": "explain", "method": "occlusion", "word": None, "number": 1, "part": 0})
    assert np.allclose(np.reshape(found["heat"], probe.heat().shape), probe.heat(), atol=1e-4) and found["signed"]
    assert found["value"] == pytest.approx(probe.value) and found["words"] == pytest.approx(probe.words_map, rel=1e-3)
    kept = explained.maps.found["occlusion/match"]
    explained.answer({"ask": "explain", "method": "occlusion", "word": None})
    assert explained.maps.found["occlusion/match"] is kept
    assert explained.scene()["asked"]["maps"].keys() == {"occlusion/match"}
    alt = explained.picture({"method": "occlusion", "of": "match", "word": 1}).alt
    assert "By occlusion" in alt and "By occlusion" not in explained.picture({"method": "edges", "of": "match"}).alt


def test_what_a_model_does_not_bear_is_told_and_remembered(bench: Bench) -> None:
    told = bench.answer({"ask": "explain", "method": "relevancy", "word": 1})
    assert "grid of patches" in told["refused"] and bench.scene()["asked"]["refused"] == {"relevancy": told["refused"]}
    with pytest.raises(ConfigError, match="asks for relevancy"):
        bench.answer({"ask": "explain", "method": "raw", "word": 1})


def test_all_rows_hold_the_words_rows(bench: Bench) -> None:
    found = bench.answer({"ask": "square", "site": "layers.1", "head": 1})
    rows, columns = found.said["rows"], found.said["columns"]
    assert rows == columns and "[PAD]" not in rows["names"] and sum(rows["video"]) == bench.result.grid.size
    size = len(rows["names"])
    tops = np.frombuffer(found.numbers, "<f4", size)
    steps = np.frombuffer(found.numbers, np.uint8, offset=4 * size).reshape(size, size)
    red = steps[rows["names"].index("red"), np.array(columns["video"])] / 255 * tops[rows["names"].index("red")]
    heat = bench.result.heat("red", "layers.1", 1)
    assert np.allclose(red.reshape(heat.shape), heat, atol=heat.max() / 255)
    mean = bench.answer({"ask": "square", "site": "layers.1"})
    assert not np.array_equal(np.frombuffer(mean.numbers, "<f4", size), tops)
    with pytest.raises(ConfigError, match=r"layers\.0, layers\.1"):
        bench.answer({"ask": "square", "site": "layers.9"})
    with pytest.raises(ConfigError, match="2 heads"):
        bench.answer({"ask": "square", "site": "layers.1", "head": 2})


def test_what_is_selected_is_drawn(bench: Bench, tmp_path: Path) -> None:
    picture = bench.picture({"word": 5, "site": "layers.1", "head": 0, "order": [0], "text": ""})
    assert "layers.1" in picture.alt and "head 0" in picture.alt
    picture.save(tmp_path / "x.svg")


def test_a_lab_for_words_is_drawn_as_what_fits(toy_model: Any, toy_clip: Any) -> None:
    from vtexplore.probes.fill_mask import fill_mask

    lab = Bench(toy_model, toy_clip, show=("words", "caption"))
    assert lab.picture({"word": 1}).alt == fill_mask(toy_model, toy_clip, word=1).plot().alt
    assert lab.picture().alt == fill_mask(toy_model, toy_clip, word=lab.result.word()).plot().alt


# ── a notebook's output ──


def test_in_colab_it_says_what_draws_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colab shows a widget only where the output names the manager of widgets; anywidget asks Colab for it."""
    import sys

    import IPython.display

    from vtexplore.widgets.live import Live

    where = "https://example.org/manager.js"
    manager = SimpleNamespace(enable_custom_widget_manager=lambda: None, _widgets=SimpleNamespace(_installed_url=where))
    monkeypatch.setitem(sys.modules, "google.colab.output", manager)
    shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(IPython.display, "display", lambda data, metadata, raw: shown.append((data, metadata)))
    Live([bench])._ipython_display_()
    (picture, _), (alive, about) = shown
    kind = "application/vnd.jupyter.widget-view+json"
    assert "image/png" in picture and kind in alive
    assert about[kind]["colab"]["custom_widget_manager"]["url"] == where


# ── the page ──


def test_the_page_is_one_file_and_text_stays_text(toy_model: Any, toy_clip: Any, tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    clip = replace(toy_clip, name=evil)
    text = page([Bench(toy_model, clip)], tmp_path / "x.html").read_text("utf-8")
    assert evil not in text and "<img src=x" not in text
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", text), "the page asks the network"


def test_modules_join_to_one() -> None:
    assert not re.findall(r"^import ", SCRIPT, re.MULTILINE)
    assert re.findall(r"^export .*", SCRIPT, re.MULTILINE) == ["export default { render };"]
    top = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
    names = [name for module in MODULES for name in top.findall(joined([module]))]
    assert len(names) == len(set(names)), "two modules name the same thing"


def test_pure_functions_by_node() -> None:
    """Playwright brings a node along, so there always is one."""
    node = shutil.which("node") or compute_driver_executable()[0]
    done = subprocess.run([node, "--test", str(HERE / "kit.test.mjs")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-4000:]


def test_scripts_are_typed() -> None:
    """By `tsc` (4.8 or later), where it is installed: apt-get install node-typescript, npm install -g typescript."""
    tsc = shutil.which("tsc")
    if tsc is None:
        pytest.skip("tsc is not installed: the types in the comments of the scripts are not checked.")
    done = subprocess.run([tsc, "-p", str(HERE / "tsconfig.json")], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:]
