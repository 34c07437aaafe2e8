import pytest
import torch

from poolab.bench.choices import Kernel
from poolab.bench.peers import IDIOMS, PACKAGES, PEERS, chosen, installed, peers_of
from poolab.errors import ConfigError
from poolab.pooling import create_pool, list_pools

KERNELS = [Kernel(2, 2), Kernel(3, 2, 1)]
# Idioms that are another function than ours: the lower median, a sum for a mean and signed powers, zeros in padding.
OTHER_FUNCTION = {"median", "lp", "stochastic"}


def made(method, kernel):
    geometry = {"kernel_size": kernel.size, "stride": kernel.stride, "padding": kernel.padding}
    return create_pool(method, channels=4, **geometry)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("method", [name for name, *_ in IDIOMS if name not in OTHER_FUNCTION])
def test_an_idiom_is_the_same_function_inside_of_the_map(method, kernel):
    ours = made(method, kernel)
    (peer,) = peers_of(method, ["torch"])
    x = torch.rand(2, 4, 9, 9)
    mine, theirs = ours(x), peer.make(kernel, 4, ours)(x)
    assert mine.shape == theirs.shape
    torch.testing.assert_close(mine[..., 1:-1, 1:-1], theirs[..., 1:-1, 1:-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("method", sorted(OTHER_FUNCTION))
def test_the_others_give_the_size_and_a_gradient(method, kernel):
    x = torch.rand(2, 4, 9, 9).requires_grad_()
    ours = made(method, kernel)
    output = peers_of(method, ["torch"])[0].make(kernel, 4, ours)(x)
    assert output.shape == ours(x).shape
    output.sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.package != "torch"], ids=lambda peer: peer.name)
def test_the_layers_of_other_packages_run(peer):
    pytest.importorskip(PACKAGES[peer.package])
    x = torch.rand(2, 4, 8, 8).requires_grad_()
    output = peer.make(Kernel(2, 2), 4, made(peer.method, Kernel(2, 2)))(x)
    assert output.shape[:2] == (2, 4)
    output.sum().backward()


def test_every_peer_belongs_to_a_method_of_ours():
    assert {peer.method for peer in PEERS} <= set(list_pools("window"))


def test_choice_of_packages(monkeypatch):
    assert chosen(None) == []
    assert chosen([]) == installed()
    assert chosen(["torch"]) == ["torch"]
    monkeypatch.setattr("poolab.bench.peers.installed", lambda: ["torch"])
    with pytest.raises(ConfigError, match=r"--peers timm is not installed here: found torch; .*pip install"):
        chosen(["torch", "timm"])
