"""Products in blocks are the products, also into a part of a wider array."""

import numpy as np
import pytest

from simulator.nn.backend.cpu import product


@pytest.mark.parametrize("rows, filters, columns", [(25, 6, 12544), (9, 64, 25088), (150, 16, 1280), (7, 5, 997)])
def test_blocks_add_up_to_the_whole(rows: int, filters: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 2 * columns), np.float32)
    m, d = rng.standard_normal((filters, rows), np.float32), rng.standard_normal((filters, columns), np.float32)
    some, out = x[:, columns:], np.zeros((filters, 3 * columns), np.float32)
    product.times(m, some, out[:, columns : 2 * columns])
    np.testing.assert_allclose(out[:, columns : 2 * columns], m.astype(float) @ some, rtol=1e-4, atol=1e-4)
    assert not out[:, :columns].any()
    assert not out[:, 2 * columns :].any()
    scale = np.sqrt(columns)
    np.testing.assert_allclose(product.times_turned(some, d) / scale, some.astype(float) @ d.T / scale, atol=1e-4)


def test_a_block_has_few_enough_multiply_adds_and_no_column_is_left_over() -> None:
    for columns, work in ((12544, 150), (25088, 576), (1280, 2400), (997, 35)):
        length = product.block_of(columns, work, product.FEWEST)
        assert columns % length == 0
        assert length == columns or product.FEWEST <= length <= product.SMALL // work
