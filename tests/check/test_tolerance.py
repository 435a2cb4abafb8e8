from __future__ import annotations

import numpy as np
import pytest

from simulator.check.tolerance import stored_margin, typed_margin

# typed,      half a unit of its last digit
MARGINS = [
    (0.2495, 5e-5),
    (0.062, 5e-4),  # two digits, three decimals
    (0.25, 5e-4),  # 0.250
    (0.0003, 5e-5),
    (7.0, 5e-3),  # 7.00
    (12.5, 5e-2),
    (100.0, 5e-1),
    (1230.0, 5e0),  # may be 1234 to three digits
    (1234.0, 5e-1),
    (-0.2495, 5e-5),
    (1.5e-7, 5e-9),
    (0.0, 5e-4),
]


@pytest.mark.parametrize(("number", "margin"), MARGINS)
def test_a_typed_number_stands_for_all_that_round_to_it(number: float, margin: float) -> None:
    assert typed_margin(number) == pytest.approx(margin)


@pytest.mark.parametrize("digits", range(3, 11))
def test_every_number_rounded_to_some_digits_lies_within_its_margin(digits: int) -> None:
    for x in np.random.default_rng(digits).normal(size=200) * 10.0 ** np.arange(-8, 12).repeat(10):
        rounded = float(f"{x:.{digits - 1}e}")
        assert abs(x - rounded) <= typed_margin(rounded) * (1 + 1e-6)


@pytest.mark.parametrize("decimals", range(3, 7))
def test_every_number_rounded_to_some_decimals_lies_within_its_margin(decimals: int) -> None:
    for x in np.random.default_rng(decimals).normal(size=200) * 10.0 ** np.arange(-8, 4).repeat(17)[:200]:
        rounded = round(float(x), decimals)
        assert abs(x - rounded) <= typed_margin(rounded) * (1 + 1e-6)


@pytest.mark.parametrize("digits", [10, 15, 17])
def test_what_a_program_stored_lies_within_the_margin_of_its_digits(digits: int) -> None:
    for x in np.random.default_rng(0).uniform(0.1, 10, size=200):
        assert abs(float(f"{x:.{digits - 1}e}") - x) <= stored_margin(digits) * x
