"""Check a layer under other people's code: traced, sharded, vectorised, differentiated in forward mode."""

import copy
import pickle
import warnings

import torch
from torch import nn

from poolab.testing.copies import is_importable
from poolab.testing.items import expect, expect_close, item
from poolab.testing.layouts import LAST
from poolab.testing.subject import Subject, mode, seeded


@item("fx")
def fx(subject: Subject) -> None:
    """Check that torch.fx.symbolic_trace keeps it as one node, and that copies of the graph compute the same."""
    x = subject.distinct(8, 8, 6, batch=2, dtype=torch.float32)
    for training in subject.modes:
        module = subject.make(training=training)
        said = f"{module} {mode(training)}, traced by torch.fx"
        for network, nodes in ((nn.Sequential(nn.Identity(), module), 2), (module, 1)):
            graph = torch.fx.symbolic_trace(network)
            graph.recompile()
            called = [str(node.target) for node in graph.graph.nodes if node.op.startswith("call_")]
            expect(len(called) == nodes, said, f": expected {nodes} nodes, a layer each, found {called}")
            expected = seeded(network, x)
            expect(torch.equal(seeded(graph, x), expected), said, ": the graph computes something else")
            twin = copy.deepcopy(graph)
            if is_importable(subject.cls):
                twin = pickle.loads(pickle.dumps(twin))
            expect(torch.equal(seeded(twin, x), expected), said, ": a copy of the graph computes something else")


@item("sharding", variants="learned")
def sharding(subject: Subject) -> None:
    """Check that no parameter is without a dimension: FSDP2's `fully_shard` cuts each along its first."""
    module = subject.make()
    flat = [name for name, parameter in module.named_parameters() if parameter.dim() == 0]
    expect(not flat, f"{module}: the parameters {flat} have the shape (), which fully_shard refuses: use (1,)")


@item("vmap", random_only=True)
def vmap(subject: Subject) -> None:
    """Check that vmap in training draws for each call with randomness="different", and once with "same"."""
    module = subject.make(training=True)
    one = subject.distinct(8, 8, 6, dtype=torch.float32)
    x = one.expand(8, *one.shape)
    for randomness, alike in (("same", True), ("different", False)):
        torch.manual_seed(0)
        found = len(torch.func.vmap(module, randomness=randomness)(x).unique(dim=0))
        said = f"{module}: vmap(randomness={randomness!r}) of 8 equal maps gives {found} different outputs"
        expect((found == 1) == alike, said)


@item("forward_mode", dims=(2, 3))
def forward_mode(subject: Subject) -> None:
    """Check that the derivative in forward mode is that of backward mode, for a channels_last map."""
    module = subject.make(dtype=torch.float64)
    x = subject.distinct(4, 4, 4, batch=2).contiguous(memory_format=LAST[subject.dims])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of vmap and of its decompositions
        found, expected = torch.func.jacfwd(module)(x), torch.func.jacrev(module)(x)
    expect_close(found, expected, f"{module}: jacfwd against jacrev", rtol=1e-7, atol=1e-7)
