"""Networks and inputs of other dtypes, under autocast and in inference mode."""

import pytest
import torch
from torch import nn

from poolab.backbones import swap_pooling
from poolab.pooling import create_pool
from tests.backbones.surgery.networks import Functions, Layers, Strided, made


class TestDtypes:
    @pytest.mark.parametrize("kind", [Layers, Functions, Strided])
    def test_under_autocast_parameters_are_the_network_s(self, kind, images):
        net = made(kind)
        slots = "strided_conv" if kind is Strided else "window"
        with torch.autocast("cpu", torch.bfloat16):
            swap_pooling(net, "mixed", learnable=True, slots=slots, example_input=images)
        assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}

    def test_a_map_of_another_dtype(self, images):
        class Cast(Layers):
            def forward(self, x):
                return self.pool1(self.conv1(x).to(torch.float16)).float()

        net = made(Cast)
        swap_pooling(net, "mixed", learnable=True, example_input=images)
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cpu")
        scaler.scale(net(images).sum()).backward()
        scaler.unscale_(optimizer)
        assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_of_networks_in_another_dtype(self, dtype, images):
        net = made(Functions).to(dtype)
        swap_pooling(net, "mixed", learnable=True, example_input=images.to(dtype))
        assert {parameter.dtype for parameter in net.parameters()} == {dtype}

    @pytest.mark.parametrize("kind", [Layers, Functions])
    def test_in_inference_mode(self, kind, images):
        net = made(kind)
        with torch.inference_mode():
            swap_pooling(net, "lip", example_input=images.clone())
        net.train()(images).sum().backward()
        assert all(parameter.grad is not None for parameter in net.parameters())
        assert not any(parameter.is_inference() for parameter in net.parameters())

    @pytest.mark.parametrize("names", [("softpool", "max"), ("gem", "lip")])
    @pytest.mark.parametrize("again", [True, False])
    def test_of_a_network_that_was_made_in_it(self, names, again):
        with torch.inference_mode():
            images = torch.rand(2, 3, 16, 16)
            net = nn.Sequential(nn.Conv2d(3, 4, 3), create_pool(names[0], kernel_size=2)).eval()
        with torch.inference_mode(again):
            report = swap_pooling(net, names[1], example_input=images)
            wanted = create_pool(names[1], channels=4, kernel_size=2).eval()
            wanted.load_state_dict(net[1].state_dict())
            torch.testing.assert_close(net(images), wanted(net[0](images)))
        assert report.saved_bytes is not None

    @pytest.mark.parametrize("again", [True, False])
    def test_a_convolution_that_was_made_in_it_has_no_backward_to_count(self, again):
        with torch.inference_mode():
            images = torch.rand(2, 3, 16, 16)
            net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.MaxPool2d(2)).eval()
        with torch.inference_mode(again):
            wanted = nn.functional.max_pool2d(nn.functional.conv2d(images, *net[0].parameters()), 2)
            report = swap_pooling(net, "max", slots=["0"], example_input=images)
            torch.testing.assert_close(net[0](images), wanted)
        assert report.saved_bytes is None
        assert "saved for backward" not in str(report)
