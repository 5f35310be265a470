"""The choice of the b jet, and the probability of a tag."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xaug.events.tagging import draw_tagged


class TestDraw:
    def test_weight_in_closed_form(self):
        efficiency = np.array([0.7, 0.01, 0.01, 0.7, 0.15, 0.01, 1.0, 0.2])
        _, weight = draw_tagged(efficiency, np.array([0, 0, 0, 1, 1, 1, 2, 2]), 3, np.full(3, 0.5))
        assert_allclose(weight, [1 - 0.3 * 0.99**2, 1 - 0.3 * 0.85 * 0.99, 1.0], rtol=1e-12)

    def test_small_efficiencies_keep_their_precision(self):
        _, weight = draw_tagged(np.full(4, 1e-12), np.zeros(4, int), 1, np.array([0.5]))
        assert_allclose(weight, 4e-12, rtol=1e-9)

    def test_drawn_in_proportion(self):
        """Equally spaced numbers instead of random ones: the shares are exact."""
        n, efficiency = 1000, np.array([0.01, 0.7, 0.15, 0.14])
        chosen, _ = draw_tagged(np.tile(efficiency, n), np.repeat(np.arange(n), 4), n, (np.arange(n) + 0.5) / n)
        assert_array_equal(chosen // 4, np.arange(n))
        assert_array_equal(np.bincount(chosen % 4), [10, 700, 150, 140])

    @pytest.mark.parametrize("uniform", [0.0, 1.0])
    def test_ends_of_the_interval(self, uniform):
        chosen, _ = draw_tagged(np.full(6, 0.1), np.repeat([0, 1], 3), 2, np.full(2, uniform))
        assert_array_equal(chosen, [0, 3] if uniform == 0 else [2, 5])
