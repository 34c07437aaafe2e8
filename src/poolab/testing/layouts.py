"""Tests of the input's layout: dtypes, memory formats, strides, empty and single samples, autocast."""

import torch

from poolab.testing.items import expect, expect_close, item
from poolab.testing.subject import Subject, mode, seeded

LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


@item("dtypes")
def dtypes(subject: Subject) -> None:
    """Check that output and gradient have the dtype of the input."""
    for training in (False, True):
        for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
            module = subject.make(dtype=dtype, training=training)
            x = subject.distinct(6, 7, 5, batch=2, dtype=dtype).requires_grad_()
            output = module(x)
            said = f"{module} {mode(training)}"
            expect(output.dtype == dtype, said, f": expected {dtype}, found {output.dtype}")
            (slope,) = torch.autograd.grad(output.sum(), x)
            expect(slope.dtype == dtype, said, f": expected a gradient in {dtype}, found {slope.dtype}")


@item("channels_last", dims=(2, 3))
def channels_last(subject: Subject) -> None:
    """Check that a channels_last map comes out channels_last, a contiguous one contiguous, with the same values."""
    for training in (False, True):
        module = subject.make(training=training, **subject.output_size(3))
        x = subject.distinct(9, 8, 6, batch=2, dtype=torch.float32)
        plain = seeded(module, x)
        output = seeded(module, x.contiguous(memory_format=LAST[subject.dims]))
        said = f"{module} {mode(training)}"
        expect(plain.is_contiguous(), said, ": a contiguous map comes out otherwise")
        if output.dim() == subject.dims + 2:
            kept = output.is_contiguous(memory_format=LAST[subject.dims])
            expect(kept, said, f": a channels_last map comes out with strides {output.stride()}")
        expect_close(output.contiguous(), plain, said, "channels_last against contiguous", rtol=1.3e-6, atol=1e-5)


@item("strides")
def strides(subject: Subject) -> None:
    """Check that a strided, transposed or expanded map gives what its contiguous copy gives."""
    channels = subject.channels
    whole = subject.distinct(12, 9, 7, dtype=torch.float32)
    whole = torch.cat([whole, whole.flip(1) + 0.1, whole - 0.2], 1)
    views = {
        "every second row": whole[:, :channels, ::2],
        "every third channel": whole[:, ::3],
        "expanded": whole[:1, :1].expand(2, channels, *whole.shape[2:]),
    }
    if subject.dims > 1:
        views["transposed"] = whole[:, :channels].transpose(2, 3)
    for training in (False, True):
        for name, x in views.items():
            module = subject.make(training=training)
            found, expected = seeded(module, x), seeded(module, x.contiguous())
            expect_close(found, expected, f"{module} {mode(training)} on a map, {name}", rtol=1.3e-6, atol=1e-5)


@item("empty_batch")
def empty_batch(subject: Subject) -> None:
    """Check that an empty batch gives an empty batch of the right size, with a gradient."""
    for training in (False, True):
        module = subject.make(training=training)
        x = torch.zeros(0, subject.channels, *subject.sizes(6, 6, 5), requires_grad=True)
        output = module(x)
        expected = (0, *module(torch.zeros(1, *x.shape[1:])).shape[1:])
        said = f"{module} {mode(training)} on {list(x.shape)}"
        expect(output.shape == expected, said, f": expected shape {list(expected)}, found {list(output.shape)}")
        (slope,) = torch.autograd.grad(output.sum(), x)
        expect(slope.shape == x.shape, said, f": found a gradient of shape {list(slope.shape)}")


@item("unbatched")
def unbatched(subject: Subject) -> None:
    """Check that a single map gives what a batch of one gives."""
    for training in (False, True):
        module = subject.make(dtype=torch.float64, training=training)
        x = subject.distinct(6, 7, 5)
        found, expected = seeded(module, x[0]), seeded(module, x)[0]
        said = f"{module} {mode(training)} on {list(x.shape[1:])}"
        expect_close(found, expected, said, rtol=1e-12, atol=1e-12)


@item("autocast", variants="learned")
def autocast(subject: Subject) -> None:
    """Check that under autocast to bfloat16 the values are those of float32 to its precision, and that gradients
    arrive.
    """
    for dtype in (torch.float32, torch.bfloat16):
        module = subject.make()
        x = subject.distinct(6, 7, 5, dtype=torch.float32).requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = module(x.to(dtype))
        said = f"{module} under autocast, input {dtype}"
        expect_close(output.detach().float(), module(x).detach(), said, rtol=0.03, atol=0.03)
        (slope,) = torch.autograd.grad(output.sum(), x)
        expect(slope.isfinite().all(), said, ": the gradient is not finite")
