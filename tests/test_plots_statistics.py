"""Figures of statistics show what they were given."""

import numpy as np

from fer_helpers import evaluation, plots_statistics


def test_reliability_diagram_draws_each_filled_bin_against_the_diagonal():
    bins = evaluation.calibration(
        np.array([0, 0, 1, 1]), np.array([[0.6, 0.4], [0.9, 0.1], [0.92, 0.08], [0.35, 0.65]]), bins=5
    )
    above, below = plots_statistics.reliability_diagram(bins, "title").axes
    diagonal, points = above.lines[0], above.lines[1]
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    np.testing.assert_allclose(points.get_xydata(), [[0.6, 1.0], [0.65, 1.0], [0.91, 0.5]])
    assert [bar.get_height() for bar in below.patches] == [1, 1, 2]
    assert "images" in below.get_ylabel()
