"""What a network learns of the border, and that it changes nothing else."""

from __future__ import annotations

import pytest
import torch
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.training.border import NEAR_PX, BorderLesson, Cuts, border_loss
from stylecam.training.export import read_generator
from stylecam.training.network import Border, Generator
from stylecam.training.pictures import to_tensor
from stylecam.training.start import HERE
from stylecam.training.views import AXES

SIDE = 128
SHIFTS = ((50, 60), (53, 56))


def picture() -> torch.Tensor:
    return to_tensor(PatternSource(SIDE, SIDE).image(0))[None]


def cuts(x: torch.Tensor) -> list[torch.Tensor]:
    return [x.roll(shift, AXES) for shift in SHIFTS]


def test_a_painting_that_needs_no_surroundings_loses_nothing_at_the_border() -> None:
    x = picture()
    assert border_loss(x, cuts(x), SHIFTS) == 0


def test_the_border_counts_more_the_nearer_and_the_inside_most() -> None:
    x = picture()
    shifts = ((50, 60), (50, 56))

    def loss(row: int) -> float:
        painted = [x.roll(shift, AXES) for shift in shifts]
        for cut in painted:
            cut[..., row, :] += 0.5
        return float(border_loss(x, painted, shifts))

    assert loss(100) > loss(0) > loss(4) > loss(10) > 0
    assert loss(0) == pytest.approx(loss(SIDE - 1), rel=0.1)


def test_a_frame_on_a_wall_costs_more_than_one_on_leaves() -> None:
    wall = torch.full((1, 3, SIDE, SIDE), 0.5)
    leaves = torch.rand(1, 1, SIDE, SIDE).expand_as(wall)
    left = torch.cat([wall[..., : SIDE // 2], leaves[..., SIDE // 2 :]], 3)

    def loss(side: slice) -> float:
        at_border, of_side = torch.zeros_like(left), torch.zeros_like(left)
        at_border[..., -8:, :] = 0.05
        of_side[..., side] = 1
        painted = [
            cut + at_border * of_side.roll(shift, AXES)
            for cut, shift in zip(cuts(left), SHIFTS, strict=True)
        ]
        return float(border_loss(left, painted, SHIFTS))

    assert loss(slice(0, SIDE // 2)) > 2 * loss(slice(SIDE // 2, SIDE))


def test_seams_do_not_count_at_the_border() -> None:
    x, painted = picture(), cuts(picture())
    for cut, (down, right) in zip(painted, SHIFTS, strict=True):
        cut[..., down - 8 : down + 8, :] = 0
        cut[..., right - 8 : right + 8] = 0
    assert border_loss(x, painted, SHIFTS) == 0


def test_what_changes_with_the_frame_costs_more_than_what_stays_with_the_scene() -> None:
    x = picture()
    strokes = torch.rand(1, 1, SIDE, SIDE) - 0.5
    with_scene = [cut + s for cut, s in zip(cuts(x), cuts(strokes), strict=True)]
    with_frame = [cut + strokes for cut in cuts(x)]
    assert border_loss(x, with_frame, SHIFTS) > 1.4 * border_loss(x, with_scene, SHIFTS)


def test_cuts_have_the_middle_at_their_border() -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        photo = torch.arange(float(SIDE)).expand(1, 3, SIDE, SIDE)
        cut = Cuts(photo)
        first, second = cut.photos()[:, 0, 0, 0]
        assert SIDE // 4 <= first <= SIDE * 3 // 4
        assert abs(first - second) <= NEAR_PX
        assert cut.compare(photo, cut.photos()) == 0


def test_a_lesson_betters_the_border_and_leaves_the_inside() -> None:
    torch.manual_seed(0)
    generator = Generator()
    for weight in generator.borders().values():
        torch.nn.init.normal_(weight, std=0.3)
    photo, lesson = picture(), BorderLesson(generator)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    losses = []
    for _ in range(30):
        torch.manual_seed(1)
        losses.append(float(lesson.study(photo, clip=1)["border"].detach()))
        lesson.step(rate=1)
    assert losses[-1] < 0.7 * losses[0]
    after = generator.state_dict()
    assert {n for n, v in before.items() if not torch.equal(after[n], v)} == {*generator.borders()}


@pytest.mark.parametrize("size", [(64, 96), (40, 40)])
def test_a_border_adds_nothing_inside(size: tuple[int, int]) -> None:
    border = Border(5)
    torch.nn.init.normal_(border.weight)
    x = torch.rand(2, 5, *size)
    added = border(x) - x
    torch.testing.assert_close(added[..., 2:-2, 2:-2], torch.zeros_like(added[..., 2:-2, 2:-2]))
    for edge in (added[..., 0, :], added[..., -1, :], added[..., 0], added[..., -1]):
        assert (edge.abs() > 0.01).float().mean() > 0.9


def test_a_network_from_before_borders_adds_nothing_at_its_own() -> None:
    base = read_generator(HERE / "bases" / "small.onnx")
    assert len(base.borders()) == 2
    assert all(not weight.any() for weight in base.borders().values())
    assert base.stem.conv.weight.any()
