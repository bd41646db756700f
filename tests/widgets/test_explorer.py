"""The explorer in a real browser: clicked, dragged and typed into; its numbers held to Python's."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_page import HARNESS, Python

from vtexplore.widgets._joined import SCRIPT, STYLE
from vtexplore.widgets.bench import Bench
from vtexplore.widgets.page import page as write

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def bench() -> Bench:
    from vtexplore.registry import load
    from vtexplore.world.video_file import example_scene, plain_caption

    scene = example_scene("red_circle_slides_left")
    return Bench(load("violet"), scene.clip(), plain_caption(scene))


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """A page that tells every error and every request."""
    page = browser.new_page(viewport={"width": 1024, "height": 900})
    page.errors, page.asked = [], []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda said: page.errors.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: page.asked.append(request.url))
    page.set_default_timeout(60_000)
    yield page
    page.close()
    assert not page.errors


@pytest.fixture
def alive(opened: Any, bench: Bench, tmp_path: Path) -> Any:
    """A bench with Python behind it."""
    opened.expose_function("python", Python(bench))
    (tmp_path / "bench.html").write_text(HARNESS % (STYLE, SCRIPT), "utf-8")
    opened.goto((tmp_path / "bench.html").as_uri())
    opened.wait_for_function("window.ready")
    return opened


def said(page: Any) -> str:
    text: str = page.locator(".vtx-saying").first.inner_text()
    return text


def heat(bench: Bench, word: int, look: int = 0, head: int = 0) -> np.ndarray:
    first = bench.scene()["looks"][look]["first"]
    rows: np.ndarray = bench.rows[first + head, word]
    return rows.reshape(bench.result.grid.shape)


def test_a_page_from_disk_shows_pythons_numbers(opened: Any, bench: Bench, tmp_path: Path) -> None:
    where = write([bench], tmp_path / "page.html")
    opened.goto(where.as_uri())
    words = opened.locator(".vtx-word")
    assert words.all_inner_texts() == list(bench.result.words)
    opened.locator(".vtx-head").nth(5).click()  # the second layer's second head
    for word in (1, 3):
        words.nth(word).hover()
        frames = heat(bench, word, 1, 1).sum(axis=(1, 2))
        share, frame = frames.max() / frames.sum(), frames.argmax() + 1
        told = re.search(r"'(.+)': ([\d.]+) % on frame (\d)", said(opened))
        assert told and told[1] == bench.result.words[word] and int(told[3]) == frame
        assert float(told[2]) == pytest.approx(100 * share, abs=0.6)
    assert not [url for url in opened.asked if not url.startswith(("file:", "data:"))]
    assert opened.get_by_role("button", name="shuffle").is_disabled()


def test_a_patch_lights_its_words(opened: Any, bench: Bench, tmp_path: Path) -> None:
    opened.goto(write([bench], tmp_path / "page.html").as_uri())
    opened.locator(".vtx-frame canvas").nth(2).hover(position={"x": 20, "y": 20})
    lit = [
        opened.locator(".vtx-word").nth(i).evaluate("e => e.style.background") for i in range(len(bench.result.words))
    ]
    assert all(lit), "a word was not coloured"
    opened.mouse.move(500, 880)
    assert opened.locator(".vtx-word").first.evaluate("e => e.style.background") == ""


def test_a_masked_word_is_predicted(alive: Any, bench: Bench) -> None:
    alive.locator(".vtx-word").nth(1).dblclick()
    table = alive.locator(".vtx-predictions table")
    table.wait_for()
    expected = bench.fill(1)
    assert table.locator("tbody th").all_inner_texts()[0].split()[0] == expected["words"][0]
    first = table.locator("tbody tr").first.locator(".vtx-value").first.inner_text()
    assert float(first.split()[0]) == pytest.approx(100 * expected["p"][0][0], abs=0.6)
    assert alive.locator(".vtx-word").nth(1).inner_text() == "[MASK]"


def test_a_dragged_frame_changes_the_score(alive: Any, bench: Bench) -> None:
    frames = alive.locator(".vtx-frame")
    boxes = [frames.nth(i).bounding_box() for i in range(frames.count())]
    x, y = boxes[0]["x"] + 30, boxes[0]["y"] + 40
    alive.mouse.move(x, y)
    alive.mouse.down()
    alive.mouse.move(x + 60, y, steps=4)
    alive.mouse.move(boxes[2]["x"] + boxes[2]["width"] / 2, y, steps=4)
    alive.mouse.up()
    alive.wait_for_function("document.querySelector('.vtx-score').textContent.startsWith('2 3 1 4')")
    score = bench.order([1, 2, 0, 3])["score"]
    number = float(re.search(r"score ([+−][\d.]+)", alive.locator(".vtx-score").inner_text())[1].replace("−", "-"))  # type: ignore[index]
    assert number == pytest.approx(score, abs=0.006)
    assert alive.evaluate("window.chosen.order") == [1, 2, 0, 3]
    alive.get_by_role("button", name="as filmed").click()
    alive.wait_for_function("document.querySelector('.vtx-score').textContent.startsWith('as filmed')")


def test_the_keyboard_does_all_of_it(alive: Any) -> None:
    alive.locator(".vtx-word").first.focus()
    alive.keyboard.press("ArrowRight")
    alive.keyboard.press("Enter")
    assert alive.evaluate("window.chosen.word") == 1
    alive.keyboard.press("m")
    alive.locator(".vtx-predictions table").wait_for()
    alive.locator(".vtx-frame").first.focus()
    alive.keyboard.press("Alt+ArrowRight")
    alive.wait_for_function("document.querySelector('.vtx-score').textContent.startsWith('2 1 3 4')")
    outline = alive.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_another_caption_and_a_wrong_one(alive: Any) -> None:
    typed = alive.locator(".vtx-text")
    typed.fill("the red zebra slides left")
    typed.press("Enter")
    alive.locator(".vtx-status", has_text="zebra").wait_for()
    typed.fill("the blue square grows")
    typed.press("Enter")
    alive.locator(".vtx-word", has_text="grows").wait_for()
    assert alive.locator(".vtx-word").count() == 4


def choose(page: Any, method: str) -> None:
    """Take a method and wait until the model has answered."""
    page.get_by_label("layer or method").first.select_option(f"method {method}")
    page.locator(".vtx-saying", has_text=method).first.wait_for()


def test_a_method_is_asked_for_once_and_its_map_is_explains(alive: Any, bench: Bench) -> None:
    choose(alive, "relevancy")
    found = bench.maps.found[f"relevancy/{bench.result.word()}"]
    told = alive.locator(".vtx-saying").first.inner_text()
    assert "ln p(red)" in told and f"strongest in frame {np.abs(found.heat()).max(axis=(1, 2)).argmax() + 1}" in told
    ends = alive.locator(".vtx-ends").first.locator("span").all_inner_texts()
    assert ends[0] == "0" and float(ends[-1].split()[0]) == pytest.approx(100 * found.heat().max(), abs=0.6)
    assert "one scale for all frames" in alive.locator(".vtx-unit").first.inner_text()
    alive.get_by_label("a scale for each frame").check()
    assert "a scale for each frame" in alive.locator(".vtx-unit").first.inner_text()
    alive.locator(".vtx-word").nth(2).click()
    alive.locator(".vtx-saying", has_text="ln p(circle)").first.wait_for()
    alive.locator(".vtx-word").nth(1).click()  # seen before: at once
    assert "ln p(red)" in alive.locator(".vtx-saying").first.inner_text()
    alive.get_by_label("what is to be explained").select_option("match")
    alive.locator(".vtx-saying", has_text="the matching score").first.wait_for()
    assert alive.evaluate("[window.chosen.method, window.chosen.of]") == ["relevancy", "match"]
    alive.locator(".vtx-head").nth(5).click()
    assert "attention of 'red'" in said(alive) and alive.evaluate("window.chosen.method") is None


def test_a_map_of_two_sides_says_which_is_which(alive: Any) -> None:
    choose(alive, "gradient × input")
    ends = alive.locator(".vtx-ends").first.inner_text()
    assert "against" in ends and "for" in ends
    lit = alive.locator(".vtx-word").evaluate_all("all => all.map((e) => Boolean(e.style.background))")
    assert lit == [True, False, True, True, True]  # not the word itself


def test_all_rows_come_when_asked_for(alive: Any, bench: Bench) -> None:
    alive.get_by_role("button", name="all rows").click()
    square = alive.locator(".vtx-square")
    square.wait_for()
    said = bench.square(bench.result.site, bench.result.head).said
    assert square.evaluate("e => [e.width, e.height]") == [len(said["columns"]["names"]), len(said["rows"]["names"])]
    square.focus()
    alive.keyboard.press("ArrowRight")
    told = alive.locator(".vtx-saying", has_text="gives").inner_text()
    assert said["rows"]["names"][0] in told and said["columns"]["names"][1] in told
    alive.get_by_role("button", name="all rows").click()
    assert not square.is_visible()


def test_a_saved_page_keeps_what_was_asked_and_says_what_was_not(opened: Any, bench: Bench, tmp_path: Path) -> None:
    bench.maps.ask("edges", 2)
    opened.goto(write([bench], tmp_path / "page.html").as_uri())
    options = opened.get_by_label("layer or method").first.locator("option")
    off = [o for o in options.all_inner_texts() if "before this page was saved" in o]
    assert any(o.startswith("occlusion") for o in off) and not any(o.startswith("edges") for o in off)
    opened.get_by_label("layer or method").first.select_option("method edges")
    assert "was asked of 'circle', not of 'red'" in said(opened)
    opened.locator(".vtx-word").nth(2).click()
    assert "By edges, it is strongest" in said(opened)
    assert opened.get_by_role("button", name="all rows").is_disabled()


def test_captions_are_text(opened: Any, toy_model: Any, toy_clip: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    evil = "<img src=x onerror=\"document.title='caught'\">"
    opened.goto(write([Bench(toy_model, replace(toy_clip, name=evil))], tmp_path / "x.html").as_uri())
    opened.locator(".vtx-bench").wait_for()
    assert opened.title() != "caught" and evil in opened.locator(".vtx-origin").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(browser: Any, bench: Bench, tmp_path: Path, scheme: str) -> None:
    """Contrast of at least 4.5 (WCAG AA) between every text and what is behind it."""
    page = browser.new_page(viewport={"width": 1024, "height": 900}, color_scheme=scheme)
    page.goto(write([bench], tmp_path / "x.html").as_uri())
    page.locator(".vtx-bench").wait_for()
    assert page.evaluate("document.getElementById('root').dataset.theme") == scheme
    worst = page.evaluate((HERE / "contrast.js").read_text("utf-8"))
    page.close()
    assert worst[0] >= 4.5, worst


def test_nothing_is_cut_off_at_twice_the_size(browser: Any, bench: Bench, tmp_path: Path) -> None:
    """1024 px at 200 % are 512: no sideways scrolling."""
    page = browser.new_page(viewport={"width": 512, "height": 450})
    page.goto(write([bench], tmp_path / "x.html").as_uri())
    page.locator(".vtx-bench").wait_for()
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert wide <= 512


# ── one thing each ──


def test_frames_are_sorted_and_judged(opened: Any, tmp_path: Path) -> None:
    from vtexplore.registry import load
    from vtexplore.widgets.sorter import Sorter
    from vtexplore.world.video_file import example_scene, plain_caption

    scene = example_scene("red_circle_slides_left")
    part = Sorter(load("violet"), scene.clip(), plain_caption(scene))
    opened.goto(write([part], tmp_path / "x.html").as_uri())
    times = opened.locator(".vtx-strip").first.locator(".vtx-time")
    assert times.all_inner_texts() == [f"place {i + 1}" for i in range(4)]
    order = part.scene()["start"]
    for place in range(4):  # by hand: each frame to its place
        frames = opened.locator(".vtx-strip").first.locator(".vtx-frame")
        frames.nth(order.index(place)).focus()
        for _ in range(order.index(place) - place):
            opened.keyboard.press("Alt+ArrowLeft")
        order.insert(place, order.pop(order.index(place)))
    opened.get_by_role("button", name="That is the order").click()
    assert "You: 100 %" in opened.locator(".vtx-score").first.inner_text()
    found = part.scene()["found"]
    pairs = [found[i] < found[j] for i in range(4) for j in range(i + 1, 4)]
    assert f"violet: {100 * sum(pairs) / 6:.0f} %" in opened.locator(".vtx-score").nth(1).inner_text()
    shown = [float(t.split()[0]) for t in opened.locator(".vtx-strip").nth(1).locator(".vtx-time").all_inner_texts()]
    assert shown == [round(part.scene()["times_s"][i], 1) for i in found]


def test_a_moment_says_its_word(opened: Any, tmp_path: Path) -> None:
    from vtexplore.registry import load
    from vtexplore.widgets.timeline import Timeline
    from vtexplore.world import script

    part = Timeline(load("videobert"), script(3, 4).clip())
    opened.goto(write([part], tmp_path / "x.html").as_uri())
    moments = opened.locator(".vtx-moment")
    assert moments.count() == len(part.result.codes)
    moments.nth(2).hover()
    told = opened.locator(".vtx-saying").inner_text()
    assert f"word {part.result.codes[2]} " in told and f"{part.result.distance[2]:.2f}" in told


def test_a_question_is_guessed_and_answered(opened: Any, toy_answerer: Any, toy_clip: Any, tmp_path: Path) -> None:
    from vtexplore.widgets.card import Card

    part = Card(toy_answerer, toy_clip, phrase="red disc", choices=["red disc", "blue disc", "red square"])
    opened.goto(write([part], tmp_path / "x.html").as_uri())
    assert "[MASK]" in opened.locator(".vtx-task").inner_text()
    assert not opened.locator("table").count()  # guess first
    opened.get_by_role("button", name="blue disc").click()
    assert "You: blue disc (wrong)" in opened.locator(".vtx-score").inner_text()
    row = opened.locator("tbody tr", has_text="red disc").locator(".vtx-value").first.inner_text()
    assert float(row.split()[0]) == pytest.approx(100 * part.result.probability("red disc"), abs=0.6)
