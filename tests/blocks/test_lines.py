"""Lines and the frames in which they are said."""

import numpy as np
import torch

from vtexplore.blocks.lines import Lines, members
from vtexplore.types import Stream, Tokens

TIMES_S = np.array([[0.5, 1.5, 2.5, 3.5], [0.5, 1.5, 2.5, 3.5]])
SPANS_S = np.array([[[0.0, 2.0], [1.5, 3.5], [2.6, 2.9]], [[0.0, 9.0], [np.nan] * 2, [np.nan] * 2]])
SEEN = torch.tensor([[True] * 4, [True, True, True, False]])
MEMBER = torch.tensor([[[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], [[1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]).bool()


def lines() -> Lines:
    words = Stream(torch.zeros(6, 2, 3), torch.ones(6, 2, dtype=torch.bool), lambda: [])
    return Lines.of(words, MEMBER)


def test_a_frame_belongs_to_the_lines_that_are_said_in_its_middle() -> None:
    """From the start on, and before the end; to two lines at once; a line may have none; what is hidden has none."""
    assert torch.equal(members(SPANS_S, TIMES_S, SEEN), MEMBER)
    assert torch.equal(lines().member(4), MEMBER)


def test_taken_out_and_put_back() -> None:
    video = torch.arange(1.0, 9.0).view(2, 4, 1)
    found = lines().gather(video).squeeze(-1)
    assert found.tolist() == [[1, 2, 0], [2, 3, 0], [0, 0, 0], [5, 6, 7], [0, 0, 0], [0, 0, 0]]
    back = lines().scatter(torch.ones(6, 3, 1), 4).squeeze(-1)
    assert torch.equal(back, MEMBER.sum(1).float()), "a frame of two lines hears both, one of none hears nothing"
    assert torch.equal(lines().scatter(lines().gather(video), 4).squeeze(-1), MEMBER.sum(1) * video.squeeze(-1))


def test_gradients_come_back_the_way_that_frames_went() -> None:
    video = torch.rand(2, 4, 1, requires_grad=True)
    lines().gather(video).sum().backward()
    assert video.grad is not None and torch.equal(video.grad.squeeze(-1), MEMBER.sum(1).float())


def test_slots_are_called_by_their_frames() -> None:
    names = Tokens.make([f"frame {i}" for i in range(4)], [{"video"}] * 4, span_s=np.arange(8).reshape(4, 2))
    tokens = lines().tokens(lambda: [names, names])()
    assert [t.labels for t in tokens][:3] == [
        ("frame 0", "frame 1", "[PAD]"),
        ("frame 1", "frame 2", "[PAD]"),
        ("[PAD]",) * 3,
    ]
    assert tokens[1].span_s[0].tolist() == [2, 3] and "pad" in tokens[1].modality[2]


def test_lines_without_frames_have_an_empty_slot() -> None:
    nobody = Lines.of(lines().words, torch.zeros_like(MEMBER))
    assert nobody.there.shape == (2, 3, 1) and not nobody.there.any()
    assert not nobody.scatter(torch.ones(6, 1, 2), 4).any()
