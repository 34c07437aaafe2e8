"""The figure of score and cost, with many arms on its front."""

from types import SimpleNamespace

from matplotlib.figure import Figure

from poolab.report.figures.pareto import TALL, _label


def test_no_name_of_a_point_lies_below_the_axes():
    axes = Figure().subplots()
    points = {i: (float(i), float(i)) for i in range(40)}
    axes.plot(*zip(*points.values(), strict=True), "o")
    _label(axes, points, [SimpleNamespace(label=f"arm{i}") for i in points])
    low, high = axes.get_ylim()
    heights = [(one.xy[1] - low) / (high - low) * TALL + one.get_position()[1] for one in axes.texts]
    assert axes.texts[0].get_text() == "arm39"
    assert len(heights) > 10
    assert min(heights) >= 0
