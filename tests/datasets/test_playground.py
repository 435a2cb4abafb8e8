"""The four planar sets: their geometry without noise, what noise does, and the seeds."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.datasets.playground import SETS, planar, split
from simulator.errors import SettingError

HALF_A_DIGIT = 0.0005  # coordinates have three decimals


def test_the_circle_is_positive_inside_and_negative_in_a_ring() -> None:
    points, labels = planar("circle", 400)
    r = np.hypot(*points.T)
    assert (labels[:200] == 1).all() and r[:200].max() < 2.5 + HALF_A_DIGIT
    assert (labels[200:] == -1).all() and r[200:].min() > 3.5 - 2 * HALF_A_DIGIT and r.max() < 5 + 2 * HALF_A_DIGIT


def test_the_exclusive_or_is_the_sign_of_the_product_with_a_gap_between_the_quadrants() -> None:
    points, labels = planar("xor", 400)
    assert (labels == np.sign(points[:, 0] * points[:, 1])).all()
    assert abs(points).min() >= 0.3 and abs(points).max() <= 5.3
    assert 0.4 < (labels == 1).mean() < 0.6


@pytest.mark.parametrize(("noise", "variance"), [(0.0, 0.5), (0.25, 2.25), (0.5, 4.0)])
def test_the_clouds_have_their_centres_and_the_variance_of_the_noise(noise: float, variance: float) -> None:
    points, labels = planar("gauss", 20_000, noise)
    for label, centre in ((1, 2.0), (-1, -2.0)):
        cloud = points[labels == label]
        assert cloud.mean(axis=0) == pytest.approx([centre, centre], abs=0.06)
        assert cloud.var(axis=0) == pytest.approx([variance, variance], rel=0.05)


def test_the_spirals_arms_follow_the_formula_half_a_turn_apart() -> None:
    points, labels = planar("spiral", 8)
    # r = 5i/4, angle = 1.75*2*pi*i/4; the first arm's third point: r = 2.5, angle = 1.75*pi
    assert points[2] == pytest.approx([2.5 * np.sin(1.75 * np.pi), 2.5 * np.cos(1.75 * np.pi)], abs=HALF_A_DIGIT)
    assert points[4:] == pytest.approx(-points[:4], abs=2 * HALF_A_DIGIT)
    assert labels.tolist() == [1, 1, 1, 1, -1, -1, -1, -1]


@pytest.mark.parametrize("name", SETS)
def test_a_seed_gives_the_same_numbers_of_three_decimals(name: str) -> None:
    data, again, other = planar(name, 40, 0.2, 7), planar(name, 40, 0.2, 7), planar(name, 40, 0.2, 8)
    assert (data.points == again.points).all() and (data.labels == again.labels).all()
    assert (data.points != other.points).any()
    assert (data.points == np.round(data.points, 3)).all()


@pytest.mark.parametrize("name", ["circle", "xor"])
def test_noise_moves_the_labelled_point_and_not_the_shown_one(name: str) -> None:
    still, moved = planar(name, 400, 0.0), planar(name, 400, 0.35)
    assert (still.points == moved.points).all()
    assert 0.05 < (still.labels != moved.labels).mean() < 0.4


def test_noise_moves_a_spirals_points_by_no_more_than_itself() -> None:
    shift = planar("spiral", 400, 0.5).points - planar("spiral", 400).points
    assert 0.4 < abs(shift).max() <= 0.5 + 2 * HALF_A_DIGIT


def test_the_halves_are_disjoint_and_complete() -> None:
    data = planar("gauss", 100)
    train, test = split(data, 3)
    together = np.concatenate([train.points, test.points])
    assert sorted(map(tuple, together)) == sorted(map(tuple, data.points))
    assert (train.points == split(data, 3).train.points).all()


def test_what_is_impossible_is_refused() -> None:
    with pytest.raises(SettingError) as error:
        planar("spirals")
    expected = "A data set is one of circle, xor, gauss, spiral. Received: 'spirals'. Did you mean 'spiral'?"
    assert str(error.value) == expected
    with pytest.raises(SettingError, match=r"noise lies between 0 and 0.5. Received: 35. The playground's 35 is 0.35."):
        planar("xor", noise=35)
    with pytest.raises(SettingError, match=r"n must be even, half of the points for each label. Received: 7. Take 8."):
        planar("xor", 7)
