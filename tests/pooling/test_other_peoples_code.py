"""What other people's code does with a layer, beside the suite's items: FSDP2, inference mode, scripts, folding."""

import copy
import pickle

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from poolab.pooling import create_pool, functional, get_pool, list_pools
from poolab.testing import Subject
from poolab.testing.subject import seeded

PLANE = [pytest.param(Subject.of(get_pool(name)), id=name) for name in list_pools()]
VARIANTS = [
    pytest.param(variant, id=f"{name}-{variant.label}")
    for name in list_pools()
    for variant in Subject.of(get_pool(name)).variants()
    if variant.kind != "choice"
]

# What torch itself warns of inside jacfwd, jit.trace and jit.script.
TORCHS_OWN = pytest.mark.filterwarnings(
    "ignore:.torch.jit", "ignore:There is a performance drop", "ignore::torch.jit.TracerWarning"
)


def a_map(subject: Subject, batch: int = 2) -> torch.Tensor:
    return subject.distinct(8, 8, 6, batch=batch, dtype=torch.float32)


@pytest.mark.parametrize("name", dir(functional))
def test_a_tracer_keeps_a_function_as_one_node(name: str):
    function = getattr(functional, name)
    dims = int(name[-2])
    arguments = (3,) if get_pool(name.rpartition("_pool")[0]).role == "window" else ()
    options = {"training": False} if get_pool(name.rpartition("_pool")[0]).random else {}

    class Network(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return function(x, *arguments, **options)

    graph, x = torch.fx.symbolic_trace(Network()), torch.rand(2, 4, *(8, 8, 6)[:dims])
    assert [node.target for node in graph.graph.nodes if node.op == "call_function"] == [function]
    assert torch.equal(pickle.loads(pickle.dumps(graph))(x), function(x, *arguments, **options))


@pytest.fixture(scope="module")
def mesh():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module .* returned a view")  # in-place operations are the caller's
@pytest.mark.parametrize("subject", VARIANTS)
def test_fully_shard_takes_every_layer(subject: Subject, mesh):
    pool, x = subject.make(training=True), a_map(subject)
    if not list(pool.parameters()):
        return
    sharded = fully_shard(copy.deepcopy(pool), mesh=mesh)
    found, expected = seeded(sharded, x), seeded(pool, x)
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    for own, other in zip(sharded.parameters(), pool.parameters(), strict=True):
        torch.testing.assert_close(own.grad.full_tensor(), other.grad)


@pytest.mark.parametrize("subject", VARIANTS)
def test_numbers_kept_without_a_dimension_still_load(subject: Subject):
    pool = subject.make()
    earlier = {name: v.reshape(()) if v.shape == (1,) else v for name, v in pool.state_dict().items()}
    for strict in (True, False):
        twin = nn.Sequential(subject.make(seed=1))
        twin.load_state_dict({f"0.{name}": value for name, value in earlier.items()}, strict=strict)
        assert all(torch.equal(v, pool.state_dict()[name]) for name, v in twin[0].state_dict().items())


@pytest.mark.parametrize("subject", PLANE)
def test_a_layer_made_under_inference_mode_trains(subject: Subject):
    with torch.inference_mode():
        pool = subject.make()
    assert all(parameter.requires_grad and not parameter.is_inference() for parameter in pool.parameters())
    pool(a_map(subject).requires_grad_()).sum().backward()


@TORCHS_OWN
@pytest.mark.parametrize("subject", PLANE)
def test_script_is_refused_by_name_and_trace_works(subject: Subject):
    pool = subject.make()
    with pytest.raises(TypeError, match=rf"{subject.cls.__name__}: torch\.jit\.script .*torch\.jit\.trace"):
        torch.jit.script(nn.Sequential(pool))
    traced = torch.jit.trace(pool, (a_map(subject),), check_trace=False)
    torch.testing.assert_close(traced(a_map(subject, 3)), pool(a_map(subject, 3)))


@pytest.mark.parametrize("bias", [True, False])
def test_a_strided_convolution_has_the_weight_and_bias_of_one(bias: bool):
    pool = create_pool("strided_conv", channels=4, kernel_size=3, stride=2, padding=1, bias=bias).eval()
    assert pool.weight is pool.conv.weight
    assert pool.bias is pool.conv.bias
    assert ("bias=False" in repr(pool)) != bias
    norm, x = nn.BatchNorm2d(4).eval(), torch.randn(2, 4, 9, 8)
    for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        nn.init.uniform_(values, 0.5, 2.0)
    folded = nn.utils.fuse_conv_bn_eval(pool, norm)
    torch.testing.assert_close(folded(x), norm(pool(x)))
    assert set(folded.state_dict()) == {"conv.weight", "conv.bias"}
