"""What is recorded of a formula, and which formulas can be."""

import pytest
import torch

from poolab.pooling import AvgTopKPool2d, create_pool
from poolab.pooling.core.geometry import Geometry
from poolab.pooling.fused.c_expression import statements
from poolab.pooling.fused.call import to_spec
from poolab.pooling.fused.program import program
from poolab.pooling.fused.recorder import NotFusable, Recorder, part
from poolab.pooling.fused.taps import formula_traits
from poolab.pooling.fused.torch_source import torch_function

GEOMETRY = Geometry.of("test", 2, None, 0, 1, False, 2)
OUTSIDE = torch.arange(5.0)


def recipe_of(formula, **arguments):
    return to_spec(formula, GEOMETRY, arguments, channels=3)[0]


@pytest.mark.parametrize("formula", [
    lambda windows: windows.input.mean((2, 3), keepdim=True) + windows.maximum(),
    lambda windows: windows.maximum() * windows.sizes[0],
    lambda windows: windows.taps(0.0)[0].flip(0),
    lambda windows: windows.taps(0.0)[0].cumsum(0),
    lambda windows: windows.maximum() if windows.maximum().sum() > 0 else windows.minimum(),
    lambda windows: windows.taps(0.0)[0].mean() + windows.maximum(),
    lambda windows: torch.stack(windows.taps(0.0)),
], ids=["the map", "its size", "flip", "cumsum", "a branch", "a mean over windows", "another shape"])  # fmt: skip
def test_a_formula_that_looks_beyond_its_window_is_not_local(formula):
    assert formula_traits(recipe_of(formula)) is None
    with pytest.raises(NotFusable, match="looks at more than the taps of its window"):
        program(recipe_of(formula), is_masked=False, dtype=torch.float32)


def test_draws_are_counted():
    def formula(windows, generator=None):
        kept = windows.uniform_of_positions()[0] < windows.uniform(generator, "channel")
        return torch.where(kept, windows.maximum(), windows.uniform(generator, "sample"))

    assert formula_traits(recipe_of(formula)).draws == ("position", "channel", "sample")


def test_arguments_that_are_no_numbers_for_channels():
    for argument in (torch.randn(3, 4), torch.arange(3), torch.nn.Conv2d(3, 3, 1), [1.0]):
        assert to_spec(lambda windows, a: windows.maximum(), GEOMETRY, {"a": argument}, channels=3) is None


def test_equal_calls_have_equal_recipes():
    one, other = (AvgTopKPool2d(2, k=3) for _ in range(2))
    first, second, third = (
        to_spec(type(p).formula, p.geometry, p.arguments(), 3)[0] for p in (one, other, AvgTopKPool2d(2, k=2))
    )
    assert first == second
    assert hash(first) == hash(second)
    assert first != third


def test_stride_and_dilation_share_a_program():
    first, second = (
        to_spec(AvgTopKPool2d.formula, Geometry.of("test", 3, stride, 0, dilation, False, 2), {"k": 2}, 3)[0]
        for stride, dilation in ((1, 1), (3, 2))
    )
    assert program(first, is_masked=False, dtype=torch.float32) is program(second, is_masked=False, dtype=torch.float32)


def test_an_operation_without_a_form_is_named():
    recipe = recipe_of(lambda windows: windows.maximum().erfinv())
    found = program(recipe, is_masked=False, dtype=torch.float32)
    with pytest.raises(NotFusable, match=r"aten.erfinv.default has no C form"):
        statements(found.forward, [f"in{n}" for n in range(4)])
    with pytest.raises(NotFusable, match=r"aten.erfinv.default has no form in plain torch"):
        torch_function(found, torch.float32, is_backward=False)


def test_such_a_method_is_computed_by_its_formula():
    from poolab.pooling import WindowPool2d, use_backend

    class ErfinvPool2d(WindowPool2d):
        formula = staticmethod(lambda windows: windows.maximum().erfinv())

    x = torch.rand(1, 2, 4, 4, requires_grad=True)
    expected = torch.nn.functional.max_pool2d(x, 2).erfinv()
    for path in ("plain", "fused"):
        with use_backend(path):
            y = ErfinvPool2d(2)(x)
        assert torch.equal(y, expected)
        assert torch.equal(
            torch.autograd.grad(y.sum(), x)[0], torch.autograd.grad(expected.sum(), x, retain_graph=True)[0]
        )


def test_a_tensor_from_elsewhere_is_refused():
    with pytest.raises(NotFusable, match="neither a tap nor one of its arguments"):
        program(recipe_of(lambda windows: windows.maximum() * OUTSIDE), is_masked=False, dtype=torch.float32)


def test_in_place_operations_are_noted_in_order():
    recorder = Recorder()
    x = recorder.input("x", torch.ones(5))
    with recorder:
        y = x * 2
        y += 1
        y *= 3
    graph = part(recorder.graph, [recorder.of(y)])
    assert [str(node.target) for node in graph.nodes if node.op == "call_function"] == [
        "aten.mul.Tensor",
        "aten.add_.Tensor",
        "aten.mul_.Tensor",
    ]


def test_large_windows_are_left_to_the_formula():
    pool = create_pool("avg_topk", kernel_size=9)
    recipe, _ = to_spec(type(pool).formula, pool.geometry, pool.arguments(), 3)
    with pytest.raises(NotFusable, match="operations, more than"):
        program(recipe, is_masked=True, dtype=torch.float32)
    x = torch.randn(1, 2, 18, 18)
    assert pool(x).shape == (1, 2, 2, 2)


def test_a_rank_formula_of_8x8_taps_is_fused():
    pool = create_pool("avg_topk", kernel_size=8)
    recipe, _ = to_spec(type(pool).formula, pool.geometry, pool.arguments(), 3)
    assert len(program(recipe, is_masked=False, dtype=torch.float32).backward.nodes) > 8_000


def test_as_many_operations_as_the_limit_are_fused_and_one_more_are_not(monkeypatch):
    def size():  # of a formula that no test has recorded
        return len(
            program(recipe_of(lambda windows: windows.mean()), is_masked=False, dtype=torch.float32).backward.nodes
        )

    found = size()
    monkeypatch.setattr("poolab.pooling.fused.program.MOST_NODES", found)
    assert size() == found
    monkeypatch.setattr("poolab.pooling.fused.program.MOST_NODES", found - 1)
    with pytest.raises(NotFusable, match=f"has {found} operations, more than {found - 1}"):
        size()


def test_autocast_and_inference_mode_do_not_reach_a_program():
    recipe = recipe_of(lambda windows, a: windows.maximum().pow(a), a=1.5)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = program(recipe, is_masked=False, dtype=torch.float32)
    assert all(
        node.meta["val"].dtype in (torch.float32, torch.bool) for node in found.backward.nodes if "val" in node.meta
    )
    assert len(found.backward.nodes) > len(found.forward.nodes)
