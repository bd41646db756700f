"""The tour is one page that needs nothing but a browser."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from fresh import fresh
from toy import ToyModel
from toy import toy_clip as make_clip

from vtexplore import registry
from vtexplore.errors import ConfigError
from vtexplore.tour import tour
from vtexplore.types import Output


class Page(HTMLParser):
    """Tags, their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def path(toy_model: Any, toy_clip: Any, tmp_path_factory: Any) -> Path:
    return tour(toy_model, toy_clip, out=tmp_path_factory.mktemp("tour") / "tour.html")


def test_it_is_one_small_file_without_network(path: Path) -> None:
    text = path.read_text("utf-8")
    assert path.stat().st_size < 5e6 and list(path.parent.iterdir()) == [path]
    assert not re.search(r"https?://|//cdn|@import|url\(", text.replace("http://www.w3.org/2000/svg", ""))
    for _, attributes in Page(text).tags:
        assert str(attributes.get("src", "data:")).startswith("data:") and "href" not in attributes


def test_every_picture_says_what_it_shows(path: Path) -> None:
    images = Page(path.read_text("utf-8")).all("img")
    strips = [str(image["alt"]) for image in images if ": frames " in str(image["alt"])]
    assert len(images) == 4 + 4 * 11 + len(strips)  # frames, heat of each word on each, and orders of the frames
    assert "as it is: frames 1, 2, 3, 4" in strips and "reversed: frames 4, 3, 2, 1" in strips
    assert all(image["alt"] for image in images)
    assert any(str(image["alt"]).startswith("attention of 'red' on frame 2: 43\xa0%") for image in images)


def test_it_can_be_read_without_scripts(path: Path) -> None:
    text = path.read_text("utf-8")
    page = Page(re.sub(r"<script>.*?</script>", "", text, flags=re.S))
    radios = page.all("input")
    assert len(radios) == 11 and sum("checked" in r for r in radios) == 1
    for word in range(11):
        assert f"#w{word}:checked~.frames .h{word}" in page.text
    assert len(page.all("script")) == 0 and len(re.findall("<script", text)) == 1


def test_it_says_what_was_found_and_what_not(path: Path) -> None:
    text = Page(path.read_text("utf-8")).text.replace("\xa0", " ")
    for part in (
        "other clips (mean of",
        "shuffled (mean of",
        "contrast",
        "Does the order of the frames matter?",
        "all 24 orders",
    ):
        assert part in text
    for part in ("on the red disc", "not by itself an explanation", "knows 11 words", "a case, not a rate", "'red' is"):
        assert part in text
    assert "layers.1" in text and "the head that grounds words best" in text


def test_captions_cannot_run(toy_model: Any, tmp_path: Any) -> None:
    clip = make_clip(caption=None, truth=None, name='x"><img src=x onerror=alert(1)>{body}{title}')
    bare = ToyModel(toy_model.inputs.vocabulary, card={})
    evil = "<script>alert(1)</script> {body} red"
    text = tour(bare, clip, evil, tmp_path / "t.html").read_text("utf-8")
    page = Page(text)
    assert len(page.all("script")) == 1 and all("onerror" not in attributes for _, attributes in page.tags)
    assert "alert(1)</script>" in page.text and text.count("<main>") == 1


def test_a_family_without_words_gets_a_shorter_page(toy_model: Any, toy_clip: Any, tmp_path: Any) -> None:
    class Mute(ToyModel):
        def forward(self, batch: Any) -> Output:
            return Output(match_logits=super().forward(batch).match_logits)

    text = Page(tour(Mute(toy_model.inputs.vocabulary), toy_clip, out=tmp_path / "t.html").read_text()).text
    assert "no head for masked words" in text and "Which head does it?" in text and "Does the order" in text


@pytest.mark.parametrize("name", registry.names())
def test_every_family_gets_a_page(name: str, toy_clip: Any, tmp_path: Any) -> None:
    """Trained or not, with patches or with moments, with a head for words or without one."""
    page = Page(tour(fresh(name), toy_clip, "the red circle slides left", tmp_path / "t.html").read_text("utf-8"))
    words = "word_logits" in registry.family(name).heads
    assert f"A first look into {name} (mini)" in page.text and ("Would it know the word" in page.text) == words
    matches = "match_logits" in registry.family(name).heads
    assert ("Does the order of the frames matter?" in page.text) == matches
    images = [image for image in page.all("img") if ": frames " not in str(image["alt"])]
    frames = [image for image in images if str(image["alt"]).startswith("frame ")]
    assert len(images) == len(frames) * (1 + 5)  # each frame, and the heat of five words on it


def test_nothing_is_left_if_it_fails(toy_model: Any, toy_clip: Any, tmp_path: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        tour(toy_model, toy_clip, out=tmp_path / "file" / "t.html")
    assert torch.is_inference_mode_enabled() is False
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
