"""A swapped network's `forward` is the one that its author wrote: only what its poolings compute is another."""

import copy
import pickle
import random
import sys
import threading
import traceback

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from poolab.backbones import swap_pooling
from poolab.backbones.surgery.activation import Refusal
from poolab.errors import ConfigError
from poolab.pooling import AvgTopKPool2d, Pool
from tests.backbones.surgery import pythonic as py
from tests.backbones.surgery.sameness import assert_same


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def made(kind, **attributes):
    torch.manual_seed(0)
    net = kind().train()
    for name, value in attributes.items():
        setattr(net, name, value)
    return net


def swapped(kind, images, pooling="max", **options):
    net = made(kind)
    report = swap_pooling(net, pooling, example_input=images, **options)
    assert not report.unreachable
    return net, report


def pools(net):
    return [name for name, module in net.named_modules() if isinstance(module, Pool)]


@pytest.mark.parametrize("kind", py.EVERY)
@pytest.mark.parametrize("training", [True, False])
def test_max_for_max_is_the_same_in_every_way(kind, training, images):
    slots = None if kind is not py.Nested else ["max_pool2d_1", "max_pool2d_2"]
    net, report = swapped(kind, images, slots=slots)
    assert report.replaced
    assert_same(made(kind).train(training), net.train(training), images)
    assert type(net).__name__ == kind.__name__
    assert isinstance(net, kind)


@pytest.mark.parametrize("kind", py.EVERY)
def test_copies_and_pickles_are_the_same(kind, images):
    net, _ = swapped(kind, images, "avg_topk")
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), copy.deepcopy(copy.deepcopy(net))):
        assert_same(copy.deepcopy(net), twin, images)


@pytest.mark.parametrize("kind", py.EVERY)
def test_each_pooling_call_has_its_layer(kind, images):
    """With another pooling the output is that of the network whose functions are replaced for the whole process."""
    net, _ = swapped(kind, images, "avg_topk")
    plain = made(kind)
    wanted = AvgTopKPool2d(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(F, "max_pool2d", lambda x, kernel_size: wanted(x))
        patch.setattr(F, "avg_pool2d", lambda x, kernel_size: wanted(x))
        if kind is py.Helpers:
            patch.setattr(kind, "halve", wanted)
        assert_same(plain, net, images)


def test_grad_mode_is_the_author_s(images):
    net, _ = swapped(py.NoGrad, images, "lip")
    net(images).sum().backward()
    assert net.conv1.weight.grad is None
    assert net.conv2.weight.grad is not None


def test_noise_is_drawn_at_every_call(images):
    net, _ = swapped(py.Noisy, images)
    assert not torch.equal(net(images), net(images))
    net.eval()
    assert torch.equal(net(images), net(images))


def test_attributes_and_chance_decide_when_it_runs(images):
    net, _ = swapped(py.Chance, images)
    for p, mode in ((1.0, "deep"), (0.0, "deep"), (1.0, "flat"), (0.0, "flat"), (0.5, "deep")):
        net.p, net.mode = p, mode
        for seed in range(4):
            random.seed(seed)
            expected = made(py.Chance, p=p, mode=mode)(images)
            random.seed(seed)
            assert torch.equal(net(images), expected)


def test_a_place_keeps_its_layer_whichever_way_is_taken(images):
    """The second call is the second place, also where the first one is left out."""
    net, report = swapped(py.Chance, images, "mixed", learnable=True)
    assert [place.name for place in report.replaced] == ["max_pool2d_1", "max_pool2d_2"]
    net.p = 0.0
    net(images).sum().backward()
    assert [name for name in pools(net) if next(net.get_submodule(name).parameters()).grad is not None] == [
        "max_pool2d_2"
    ]


class TestLoops:
    def test_alike_layers_take_any_number_of_calls(self, images):
        net, report = swapped(py.Loop, images)
        assert len(report.replaced) == 3
        for depth in (1, 2, 4, 5):
            net.depth = depth
            assert torch.equal(net(images), made(py.Loop, depth=depth)(images))

    def test_layers_that_learn_are_known_by_their_order_and_other_numbers_are_refused(self, images):
        net, _ = swapped(py.Loop, images, "mixed", learnable=True)
        net(images).sum().backward()
        assert all(next(net.get_submodule(name).parameters()).grad is not None for name in pools(net))
        for depth, told in ((2, r"ran 2 times instead of 3"), (4, r"more often than the 3 times")):
            net.depth = depth
            with pytest.raises(Refusal, match=rf"Loop.forward pools otherwise.*{told}.*slots="):
                net(images)
        net.depth = 3
        net(images)

    def test_a_loop_that_is_not_run_at_all_is_none_of_it(self, images):
        net, _ = swapped(py.Loop, images, "mixed", learnable=True)
        net.depth = 0
        assert torch.equal(net(images), made(py.Loop, depth=0)(images))


class TestRefusals:
    class Other(py._Base):
        """Another call in each mode."""

        def _other(self, x):
            return F.avg_pool2d(x, 2)

        def forward(self, x):
            x = self.conv1(x)
            if self.training:
                x = F.avg_pool2d(x, 2)
            elif x.shape[-1] < 50:
                x = self._other(x)
            else:
                x = F.max_pool2d(x, 2)
            return self.finish(x)

    def test_a_call_that_did_not_run_before(self, images):
        net, _ = swapped(self.Other, images)
        with pytest.raises(
            Refusal,
            match=r"Other.forward pools otherwise.*line \d+ of test_python_stays.py avg_pool2d is called, which did",
        ):
            net(images)
        net.eval()
        net(images)
        with pytest.raises(Refusal, match=r"Other._other pools otherwise.*avg_pool2d is called"):
            net(images[..., :40, :40])

    def test_other_arguments(self, images):
        class Sized(py._Base):
            size = 2

            def forward(self, x):
                return self.finish(F.max_pool2d(self.conv1(x), self.size))

        net, _ = swapped(Sized, images)
        net.size = 4
        with pytest.raises(Refusal, match=r"max_pool2d is called with kernel_size=\(4, 4\).*max_pool2d_1.*\(2, 2\)"):
            net(images)

    def test_a_window_over_the_whole_map_may_grow_with_it(self, images):
        class Whole(py._Base):
            def forward(self, x):
                x = self.conv1(x)
                return self.fc(F.avg_pool2d(x, x.shape[2:]).flatten(1))

        net, report = swapped(Whole, images, "global_max")
        assert [place.name for place in report.replaced] == ["avg_pool2d_1"]
        small = images[..., :40, :40]
        assert torch.equal(net(small), net.fc(net.conv1(small).amax((2, 3))))

    def test_without_source(self, images):
        scope = {"nn": nn, "F": F, "Base": py._Base}
        exec(
            "class Blind(Base):\n    def forward(self, x):\n        return self.finish(F.max_pool2d(self.conv1(x), 2))",
            scope,
        )
        with pytest.raises(ConfigError, match=r"Blind.forward, and the source of Blind.forward cannot be read"):
            swap_pooling(scope["Blind"](), "max", example_input=images)

    def test_source_that_is_not_what_runs(self, images, tmp_path, monkeypatch):
        file = tmp_path / "edited_network.py"
        text = (
            "from torch.nn import functional as F\nfrom tests.backbones.surgery.pythonic import _Base\n\n\n"
            "class Edited(_Base):\n    def forward(self, x):\n"
            "        return self.finish(F.max_pool2d(self.conv1(x), 2))\n"
        )
        file.write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        import edited_network

        file.write_text(text.replace("self.conv1(x)", "self.conv1(-x)"))
        with pytest.raises(ConfigError, match=r"Edited.forward is not what runs"):
            swap_pooling(edited_network.Edited(), "max", example_input=images)

    def test_a_lambda(self, images):
        class Lambda(py._Base):
            def __init__(self):
                super().__init__()
                self.pool = lambda x: F.max_pool2d(x, 2)

            def forward(self, x):
                return self.finish(self.pool(self.conv1(x)))

        with pytest.raises(ConfigError, match="a lambda has no source of its own"):
            swap_pooling(Lambda(), "max", example_input=images)

    def test_script(self, images):
        net, _ = swapped(py.Raises, images)
        with pytest.warns(FutureWarning), pytest.raises(Refusal, match=r"torch.export"):
            torch.jit.script(net)


def test_a_part_that_runs_again_in_the_backward_pools_by_the_same_layers(images):
    net, report = swapped(py.Checkpointed, images, "mixed", learnable=True)
    assert len(report.replaced) == 2
    plain = copy.deepcopy(net).eval()
    for each in (net.train(), plain):
        each(images).square().sum().backward()
    for (name, first), second in zip(net.named_parameters(), plain.parameters(), strict=True):
        assert torch.equal(first.grad, second.grad), name


def test_a_child_s_own_calls_are_its_own(images):
    net, report = swapped(py.Nested, images)
    assert [place.name for place in report.replaced] == ["max_pool2d_1", "child.avg_pool2d_1", "max_pool2d_2"]
    net = made(py.Nested)
    swap_pooling(net, "max", slots=["child.avg_pool2d_1"], example_input=images)
    assert type(net) is py.Nested
    assert type(net.child) is not py.Child
    assert pools(net) == ["child.avg_pool2d_1"]


def test_exceptions_leave_nothing_behind(images):
    net, _ = swapped(py.Raises, images)
    before = net(images)
    net.fails = True
    with pytest.raises(KeyError, match="as told") as told:
        net(images)
    lines = traceback.format_exception(told.value)
    assert any('raise KeyError("as told")' in line and "pythonic.py" in line for line in lines), "the author's line"
    net.fails = False
    assert torch.equal(net(images), before)


def test_threads_do_not_meet(images):
    """As DataParallel has it: replicas that share a class, and one module in several threads at once."""
    net, _ = swapped(py.Helpers, images, "mixed", learnable=True)
    batches = [torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in range(8)]
    expected = [net(batch) for batch in batches]
    for runners in ([net] * 8, [net._replicate_for_data_parallel() for _ in batches]):
        for runner in runners if runners[0] is not net else ():
            runner._parameters = dict(net._parameters)
        found = [None] * 8
        start = threading.Barrier(8)

        def work(index, runners=runners, found=found, start=start):
            start.wait()
            for _ in range(5):
                found[index] = runners[index](batches[index])

        threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert all(map(torch.equal, found, expected))


FOLLOWED = (py.NoGrad, py.Decorated, py.Loop, py.Helpers, py.Inherited, py.Nested, py.Flags)  # by torch's compilers


@pytest.mark.slow
@pytest.mark.parametrize("kind", FOLLOWED)
def test_compiles_without_a_break(kind, images):
    torch._dynamo.reset()
    net, _ = swapped(kind, images, "avg_topk")
    net.eval()
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), net(images))


# The strict way reads the source as torch.compile does (the test above), and takes two to three times as long.
@pytest.mark.slow
@pytest.mark.parametrize("strict", [pytest.param(True, marks=pytest.mark.long), False])
@pytest.mark.parametrize("kind", FOLLOWED)
def test_exports_for_any_number_of_images(kind, strict, images):
    torch._dynamo.reset()
    net, _ = swapped(kind, images, "avg_topk")
    net.eval()
    sizes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    program = torch.export.export(net, (images,), dynamic_shapes=sizes, strict=strict)
    other = torch.cat([images, images[:1]])
    torch.testing.assert_close(program.module()(other), net(other))


def test_torch_fx_sees_layers_at_the_calls(images):
    class EveryModule(fx.Tracer):
        def is_leaf_module(self, m, module_qualified_name):
            return True

    class Mean(py._Base):
        def forward(self, x):
            return self.fc(F.max_pool2d(self.conv1(x), 2).mean((2, 3)))

    net, _ = swapped(Mean, images)
    swap_pooling(net, "global_max", example_input=images)
    graph = EveryModule().trace(net)
    assert [node.target for node in graph.nodes if node.op == "call_module"] == [
        "conv1",
        "max_pool2d_1",
        "mean_1",
        "fc",
    ]
    assert torch.equal(fx.GraphModule(net, graph)(images), net(images))


def test_swapped_again_the_old_places_stay(images):
    net = made(py.Helpers)
    swap_pooling(net, "avg_topk", slots=["max_pool2d_2", "max_pool2d_8"], example_input=images)
    report = swap_pooling(net, "softpool", slots="window", example_input=images)
    assert len(report.replaced) == 8
    assert all("SoftPool2d" in type(net.get_submodule(name)).__name__ for name in pools(net))


def test_what_other_tools_read_is_the_author_s(images):
    import inspect

    net, _ = swapped(py.Decorated, images)
    assert inspect.signature(net.forward) == inspect.signature(made(py.Decorated).forward)
    assert net.forward.__doc__ == py.Decorated.forward.__doc__
    assert type(net).__module__ == py.Decorated.__module__
    assert inspect.getsource(type(net).forward) == inspect.getsource(py.Decorated.forward)
