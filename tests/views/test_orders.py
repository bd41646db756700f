"""Pictures of orders: letters that can be read, nothing over the edge, frames where the order puts them."""

from typing import Any

import matplotlib
import numpy as np
import pytest
from toy_order import FALLS, Judge, Storyteller, stairs, story_words

from vtexplore.probes.before_after import before_after, clip_pair
from vtexplore.probes.compare_orders import compare_orders
from vtexplore.probes.recover_order import recover_order
from vtexplore.probes.reorder import reorder
from vtexplore.views.strips import told_p


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    words = story_words(tmp_path_factory.mktemp("story"))
    model = Judge(words)
    clips = [stairs(name=f"take {i} of a film with a long name, told at length") for i in range(3)]
    pair = clip_pair(clips[0], clips[1], "the red disc spins", "the blue disc grows")
    return [
        reorder(model, clips[0], foil=FALLS),
        reorder(Judge(words, frames=40), stairs(np.linspace(0, 1, 40)), draws=20),
        compare_orders(model, clips, foils=[FALLS] * 3, reversible=[True, False, False], resamples=20, quiet=True),
        before_after(Storyteller(words), [pair], resamples=20, quiet=True),
        recover_order(model, clips, resamples=20),
    ]


def test_letters_can_be_read_and_nothing_hangs_over_the_edge(results: list[Any]) -> None:
    for some in results:
        picture = some.plot()
        picture.canvas.draw()
        assert picture.get_figwidth() <= 12.8 and picture.alt
        for text in picture.findobj(matplotlib.text.Text):
            if text.get_text().strip() and text.get_visible():
                box = text.get_window_extent()
                assert text.get_fontsize() >= 11, text.get_text()
                assert picture.bbox.x0 - 2 <= box.x0 and box.x1 <= picture.bbox.x1 + 2, (type(some), text.get_text())


def test_frames_stand_in_the_order_that_is_told(results: list[Any]) -> None:
    shown = [axes.images[0].get_array().mean() for axes in results[0].plot().axes if axes.images]
    assert len(shown) == 5 * 4 and shown[:4] == sorted(shown[:4]) and shown[4:8] == sorted(shown[4:8])[::-1]


def test_a_p_is_never_nothing() -> None:
    assert told_p(1e-9) == "p < 0.0001" and told_p(0.25) == "p = 0.2500"
