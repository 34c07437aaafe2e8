"""What else people do with a network, tried on a swapped one: nothing of it may know that it was swapped."""

import copy
import io
import pickle
import threading
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize, prune

from poolab.backbones import swap_pooling
from poolab.pooling import AvgTopKPool2d, Pool
from tests.backbones.surgery.networks import Functions, Layers, Shared, Strided

KINDS = (Layers, Functions, Shared, Strided)


@pytest.fixture
def images():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def swapped(kind, images, pooling="avg_topk", **options):
    torch.manual_seed(0)
    net = kind().eval()
    swap_pooling(net, pooling, slots="strided_conv" if kind is Strided else None, example_input=images, **options)
    return net


class TestCopies:
    @pytest.mark.parametrize("kind", KINDS)
    def test_made_anew_from_its_class_it_is_as_it_was_written(self, kind, images):
        net = swapped(kind, images)
        torch.manual_seed(0)
        expected = kind().eval()
        torch.manual_seed(0)
        fresh = type(net)().eval()
        assert type(fresh) is kind
        assert torch.equal(fresh(images), expected(images))

    def test_a_convolution_made_anew_from_its_class(self, images):
        conv = swapped(Strided, images).conv1
        fresh = type(conv)(3, 8, 3, stride=2, padding=1)
        assert type(fresh) is nn.Conv2d
        assert fresh(images).shape == (2, 8, 8, 8)

    def test_copies_are_trained_in_threads(self, images):
        net = swapped(Shared, images, "mixed", learnable=True)
        batches = [torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]

        def train(twin, batch):
            optimizer = torch.optim.SGD(twin.parameters(), 0.01)
            for _ in range(3):
                optimizer.zero_grad()
                twin(batch).square().sum().backward()
                optimizer.step()
            return twin

        expected = [train(copy.deepcopy(net), batch).state_dict() for batch in batches]
        twins = [copy.deepcopy(net) for _ in batches]
        threads = [threading.Thread(target=train, args=pair) for pair in zip(twins, batches, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for twin, state in zip(twins, expected, strict=True):
            assert all(torch.equal(twin.state_dict()[name], value) for name, value in state.items())

    @pytest.mark.parametrize("kind", KINDS)
    def test_shallow_copies(self, kind, images):
        net = swapped(kind, images)
        assert torch.equal(copy.copy(net)(images), net(images))

    @pytest.mark.slow
    def test_a_copy_is_exported(self, images):
        net = copy.deepcopy(swapped(Shared, images))
        program = torch.export.export(net, (images,))
        torch.testing.assert_close(program.module()(images), net(images))

    def test_weights_of_before_and_after(self, images):
        torch.manual_seed(3)
        plain, net = Shared(), swapped(Shared, images, "mixed", learnable=True)
        told = net.load_state_dict(plain.state_dict(), strict=False)
        assert not told.unexpected_keys
        assert all("pool_" in key for key in told.missing_keys)
        buffer = io.BytesIO()
        torch.save(net.state_dict(), buffer)
        buffer.seek(0)
        other = swapped(Shared, images, "mixed", learnable=True)
        other.load_state_dict(torch.load(buffer))
        assert torch.equal(other(images), net(images))


class TestModules:
    @pytest.mark.parametrize("kind", KINDS)
    def test_apply_and_dtypes(self, kind, images):
        net = swapped(kind, images, "mixed", learnable=True)
        seen = []
        net.apply(lambda module: seen.append(type(module).__name__))
        assert "MixedPool2d" in seen
        expected = net(images)
        assert net.double()(images.double()).dtype == torch.float64
        torch.testing.assert_close(net.float()(images), expected)
        assert net.bfloat16()(images.bfloat16()).dtype == torch.bfloat16
        assert net.half()(images.half()).dtype == torch.float16
        net.float().to(memory_format=torch.channels_last)
        assert net(images.to(memory_format=torch.channels_last)).shape == (2, 5)

    @pytest.mark.parametrize("kind", KINDS)
    def test_on_meta_and_back(self, kind, images):
        net = swapped(kind, images, "mixed", learnable=True)
        state = net.state_dict()
        empty = copy.deepcopy(net).to("meta")
        assert empty(images.to("meta")).shape == (2, 5)
        filled = empty.to_empty(device="cpu")
        filled.load_state_dict(state)
        assert torch.equal(filled(images), net(images))

    def test_frozen(self, images):
        net = swapped(Shared, images, "mixed", learnable=True).requires_grad_(False)
        assert not net(images).requires_grad
        net.fc.requires_grad_(True)
        net(images).sum().backward()
        assert [name for name, each in net.named_parameters() if each.grad is not None] == ["fc.weight", "fc.bias"]

    def test_global_hooks_see_the_layers(self, images):
        net, seen = swapped(Functions, images), []
        handle = nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(module))
        try:
            net(images)
        finally:
            handle.remove()
        assert [type(module) for module in seen].count(AvgTopKPool2d) == 3

    @pytest.mark.parametrize("kind", KINDS)
    def test_parametrized_and_pruned(self, kind, images):
        class Half(nn.Module):
            def forward(self, weight):
                return weight / 2

        net = swapped(kind, images)
        conv = net.conv1
        before = net(images)
        parametrize.register_parametrization(conv, "weight", Half())
        assert not torch.equal(net(images), before)
        copied = copy.deepcopy(net)
        assert torch.equal(copied(images), net(images))
        parametrize.remove_parametrizations(conv, "weight", leave_parametrized=False)
        torch.testing.assert_close(net(images), before)
        prune.l1_unstructured(conv, "weight", 0.5)
        assert net(images).shape == (2, 5)
        prune.remove(conv, "weight")

    def test_a_pooling_s_own_parameter_is_parametrized(self, images):
        net = swapped(Functions, images, "mixed", learnable=True)
        pool = next(module for module in net.modules() if isinstance(module, Pool))
        name = next(name for name, _ in pool.named_parameters())
        parametrize.register_parametrization(pool, name, nn.Tanh())
        net(images).sum().backward()
        assert getattr(pool.parametrizations, name).original.grad is not None

    def test_a_forward_that_is_set_afterwards(self, images):
        net = swapped(Functions, images)
        expected, forward = net(images), net.forward
        net.forward = lambda x: forward(x) * 2
        assert torch.equal(net(images), expected * 2)


class TestFunctions:
    @pytest.mark.parametrize("kind", KINDS)
    def test_functional_call_and_gradients_of_each_image(self, kind, images):
        net = swapped(kind, images, "mixed", learnable=True)
        state = {name: each.detach() for name, each in net.named_parameters()}
        assert torch.equal(torch.func.functional_call(net, state, (images,)), net(images))

        def loss(state, image):
            return torch.func.functional_call(net, state, (image[None],)).square().sum()

        each = torch.func.vmap(torch.func.grad(loss), (None, 0))(state, images)
        net(images).square().sum().backward()
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(each[name].sum(0), parameter.grad, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("reentrant", [True, False])
    def test_checkpointed_as_a_whole_and_in_parts(self, reentrant, images):
        from torch.utils.checkpoint import checkpoint, checkpoint_sequential

        net, plain = (swapped(Shared, images, "mixed", learnable=True) for _ in range(2))
        plain(images.clone().requires_grad_()).square().sum().backward()
        checkpoint(net, images.clone().requires_grad_(), use_reentrant=reentrant).square().sum().backward()
        for first, second in zip(net.parameters(), plain.parameters(), strict=True):
            assert torch.equal(first.grad, second.grad)
        whole = nn.Sequential(net, nn.Linear(5, 5))
        checkpoint_sequential(whole, 2, images.clone().requires_grad_(), use_reentrant=reentrant).sum().backward()

    @pytest.mark.parametrize("kind", [Layers, Shared, Strided])
    def test_jit_trace(self, kind, images):
        net = swapped(kind, images)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(net, images)
        torch.testing.assert_close(traced(images), net(images))

    def test_an_average_of_models(self, images):
        from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

        net = swapped(Functions, images, "mixed", learnable=True)
        average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.5))
        average.update_parameters(net)
        assert torch.equal(average(images), net(images))
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(1)
        average.update_parameters(net)
        pairs = zip(average.module.parameters(), net.parameters(), strict=True)
        assert all(torch.allclose(first + 0.5, second, atol=1e-5) for first, second in pairs)

    @pytest.mark.parametrize("prepared", [False, True])
    def test_autocast_and_a_gradient_scaler(self, prepared, images):
        net = swapped(Functions, images, "mixed", learnable=True).train()
        if prepared:
            net = net.to(torch.bfloat16).float()
        optimizer, scaler = torch.optim.SGD(net.parameters(), 0.01), torch.amp.GradScaler("cpu")
        with torch.autocast("cpu", torch.bfloat16):
            loss = net(images).square().sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        assert all(parameter.grad.dtype == torch.float32 for parameter in net.parameters())


class TestLightning:
    def test_a_module_whose_own_forward_pools_is_trained_saved_and_loaded(self, images, tmp_path):
        import pytorch_lightning as pl

        class Module(pl.LightningModule):
            def __init__(self, width=8):
                super().__init__()
                self.save_hyperparameters()
                self.conv, self.fc = nn.Conv2d(3, width, 3, padding=1), nn.Linear(width, 5)

            def forward(self, x):
                return self.fc(F.max_pool2d(self.conv(x), 2).mean((2, 3)))

            def training_step(self, batch, index):
                return self(batch[0]).square().mean()

            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), 0.1)

        torch.manual_seed(0)
        net = Module(width=6)
        swap_pooling(net, "mixed", example_input=images, learnable=True)
        before = copy.deepcopy(net.state_dict())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer = pl.Trainer(
                max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
                enable_model_summary=False, default_root_dir=tmp_path,
            )  # fmt: skip
            trainer.fit(net, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images)))
        assert not all(torch.equal(before[name], value) for name, value in net.state_dict().items())
        assert [name for name in before if "max_pool2d_1" in name]
        trainer.save_checkpoint(tmp_path / "net.ckpt")
        saved = torch.load(tmp_path / "net.ckpt", weights_only=False)
        assert saved["hyper_parameters"] == {"width": 6}
        other = Module(width=6)
        swap_pooling(other, "mixed", example_input=images, learnable=True)
        other.load_state_dict(saved["state_dict"])
        assert torch.equal(other.eval()(images), net.eval()(images))


class Traceable(Functions):
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, stride=2, padding=1)
        return self.fc(torch.max_pool2d(self.conv2(x), 2).mean((2, 3)))


class TestTracers:
    @pytest.mark.parametrize("kind", [Layers, Traceable, Shared, Strided])
    def test_an_extractor_of_a_swapped_network(self, kind, images):
        from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

        net = swapped(kind, images)
        last = get_graph_node_names(net)[1][-1]
        for training in (True, False):
            found = create_feature_extractor(net.train(training), [last])
            assert torch.equal(found(images)[last], net(images))
            assert any(isinstance(module, Pool) for module in found.modules())

    @pytest.mark.slow
    def test_timm_s_extractors(self, images):
        timm = pytest.importorskip("timm")
        from timm.models import FeatureGraphNet

        images, seen = images.repeat(1, 1, 4, 4), []
        torch.manual_seed(0)
        net = timm.create_model("resnet18", num_classes=5).eval()
        swap_pooling(net, "avg_topk", example_input=images)
        features = FeatureGraphNet(net, out_indices=(0, 1))(images)
        net.layer1.register_forward_hook(lambda module, args, output: seen.append(output))
        net(images)
        assert torch.equal(features[1], seen[0])
        listed = timm.create_model("resnet18", features_only=True).eval()
        swap_pooling(listed, "avg_topk", example_input=images)
        assert isinstance(listed["maxpool"], AvgTopKPool2d)
        assert len(listed(images)) == 5

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", [Layers, Traceable, Strided])
    def test_quantised_by_torch_fx(self, kind, images):
        """FX mode is deprecated and there in torch 2.14; a pooling stays a layer on floating numbers."""
        quantize_fx = pytest.importorskip("torch.ao.quantization.quantize_fx")
        from torch.ao.quantization import get_default_qconfig_mapping

        net = swapped(kind, images)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            prepared = quantize_fx.prepare_fx(net, get_default_qconfig_mapping("x86"), (images,))
            prepared(images)
            found = quantize_fx.convert_fx(prepared)(images)
        torch.testing.assert_close(found, net(images), rtol=0.1, atol=0.1)

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", [Layers, Traceable, Shared, Strided])
    def test_quantised_by_pt2e(self, kind, images):
        pytest.importorskip("torchao", reason="torchao is missing: the extra networks has it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
            from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

            net = swapped(kind, images)
            quantizer = x86.X86InductorQuantizer()
            quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
            prepared = prepare_pt2e(torch.export.export(net, (images,)).module(), quantizer)
            prepared(images)
            found = convert_pt2e(prepared)(images)
        torch.testing.assert_close(found, net(images), rtol=0.1, atol=0.1)


@pytest.mark.long
def test_poolings_in_a_row_export_for_any_size():
    """As densenet121, where the size of a map that was halved five times could not be solved for."""
    torch.manual_seed(0)
    halves = [nn.AvgPool2d(2) for _ in range(3)]
    net = nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), nn.MaxPool2d(3, 2, 1), *halves, nn.AdaptiveAvgPool2d(1)).eval()
    images, open_ = torch.randn(2, 3, 64, 64), torch.export.Dim.DYNAMIC
    swap_pooling(net, "avg_topk", example_input=images)
    sizes = ({0: open_, 2: open_, 3: open_},)
    program = torch.export.export(net, (images,), dynamic_shapes=sizes, strict=False)
    others = torch.randn(3, 3, 101, 97)
    assert torch.equal(program.module()(others), net(others))


class TestOwnArithmeticAroundOnePooling:
    """As transformers' BitMaxPool2d: a subclass of torch's pooling that does more than pool."""

    class Padded(nn.MaxPool2d):
        def __init__(self, size):
            super().__init__(size)
            self.pad = nn.ConstantPad2d(1, 3.0)

        def forward(self, x):
            return F.max_pool2d(self.pad(x), self.kernel_size, self.stride) * 2

    def build(self):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 8, 3), self.Padded(2), nn.AvgPool2d(2)).eval()

    def test_what_is_around_it_stays(self, images):
        net = self.build()
        report = swap_pooling(net, "max", slots=["1.max_pool2d_1"], example_input=images)
        assert report.replaced[0].was == "max_pool2d 2x2/2"
        assert torch.equal(net(images), self.build()(images))
        assert isinstance(net[1], self.Padded)
        net, plain = self.build(), self.build()
        assert [place.name for place in swap_pooling(net, "avg", example_input=images).replaced] == [
            "1.max_pool2d_1", "2",
        ]  # fmt: skip
        expected = F.avg_pool2d(F.avg_pool2d(plain[1].pad(plain[0](images)), 2) * 2, 2)
        torch.testing.assert_close(net(images), expected)
        assert len(swap_pooling(net, "softpool", example_input=images).replaced) == 2
        assert torch.equal(pickle.loads(pickle.dumps(net[2]))(images), net[2](images))
