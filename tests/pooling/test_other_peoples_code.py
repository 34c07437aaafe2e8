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
    own = {name for name, _ in pool.named_parameters(recurse=False)}  # layers inside always had torch's shapes
    earlier = {name: v.reshape(()) if name in own and v.shape == (1,) else v for name, v in pool.state_dict().items()}
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


@pytest.mark.parametrize("subject", PLANE)
def test_what_is_no_dense_map_of_numbers_is_refused_by_name(subject: Subject):
    pool, x = subject.make(), a_map(subject)
    wrong = {
        "a dense map, found layout torch.sparse_coo; convert it, e.g. x.to_dense()": x.to_sparse(),
        "a dense map, found layout torch._mkldnn": x.to_mkldnn(),
        "a dense map, found a nested tensor; pool its maps one by one": torch.nested.nested_tensor(
            list(x.unbind()), layout=torch.jagged
        ),
        "found torch.float8_e4m3fn; convert it": x.to(torch.float8_e4m3fn),
        "found torch.complex64": x.to(torch.complex64),
        "found torch.int8": x.to(torch.int8),
    }
    for said, input in wrong.items():
        with pytest.raises(TypeError, match=rf"^{subject.cls.__name__}: ") as caught:
            pool(input)
        assert said in str(caught.value)


# At sizes that the compiler leaves open; where it sees one operation there is nothing to trace.
@pytest.mark.parametrize(
    "name", ["global_lp", *(pytest.param(n, marks=pytest.mark.long) for n in list_pools() if n != "global_lp")]
)
def test_a_layer_compiles_for_any_size(name: str):
    if name == "diffstride":
        pytest.skip(get_pool(name).exempt["compile"])
    subject = Subject.of(get_pool(name))
    pool = subject.make(subject.small)
    torch._dynamo.reset()
    compiled = torch.compile(pool, dynamic=True, fullgraph=True, backend="aot_eager")
    for lengths in ((8, 9), (9, 11), (6, 13)):
        x = subject.distinct(*lengths, batch=2, dtype=torch.float32).requires_grad_()
        found = compiled(x)
        torch.testing.assert_close(found, pool(x))
        found.sum().backward()


@pytest.mark.parametrize("name", ["fractional_max", "clip_attention", "adaptive_avg", "global_topk", "max_blur"])
def test_options_that_ask_for_the_size_export_for_any(name: str):
    options = {
        "fractional_max": {"kernel_size": 2, "output_ratio": 0.7},
        "clip_attention": {"channels": 4, "interpolation": "bilinear"},
        "adaptive_avg": {"output_size": (3, 7)},
        "global_topk": {"share": 0.3},
        "max_blur": {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "padding_mode": "zeros"},
    }[name]
    pool = create_pool(name, **options).eval()
    sizes = {axis: torch.export.Dim(f"size{axis}", min=4) for axis in (2, 3)}
    program = torch.export.export(pool, (torch.rand(2, 4, 8, 9),), dynamic_shapes=(sizes,)).module()
    for height, width in ((9, 8), (13, 6), (4, 11)):
        x = torch.randn(2, 4, height, width)
        torch.testing.assert_close(program(x), pool(x), rtol=1.3e-6, atol=1e-5)


def test_an_exported_diffstride_follows_its_strides_in_a_network():
    network = nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), create_pool("diffstride", kernel_size=2)),
        *(nn.Conv2d(4, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ).eval()
    x = torch.randn(2, 2, 17, 16)
    program = torch.export.export(network, (x,)).module()
    for stride in (2.0, 1.6, 3.0):
        with torch.no_grad():
            network[1].strides.fill_(stride)
            program.state_dict()["1.strides"].fill_(stride)
        torch.testing.assert_close(program(x), network(x))
