"""ONNX by torch's exporter, run by ONNX Runtime on maps of other sizes. Needs the extra `export`."""

import io
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from poolab.pooling import Pool
from poolab.testing.compilers import OTHER_LENGTHS, open_dims, open_shapes
from poolab.testing.items import Unavailable, expect, expect_close, item
from poolab.testing.subject import Subject


@item("onnx", dims=(2,))
def onnx(subject: Subject) -> None:
    """Check that its ONNX file, run by ONNX Runtime, gives the same for any size, and for zeros, ties, large and small.

    A file that gives other numbers without an error is the worst that an exporter can do.
    """
    missing = [name for name in ("onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise Unavailable(f"needs {' and '.join(missing)}: pip install 'poolab[export]'")
    for shape in open_shapes(subject):
        module = subject.make(shape)
        session = _session(module, hard_maps(subject, 8, 9))
        for lengths in OTHER_LENGTHS:
            x = hard_maps(subject, *lengths)
            (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
            expected = module(x).detach()
            said = f"{module}, exported to ONNX with open sizes, run on {list(x.shape)}"
            expect(found.shape == expected.shape, said, f": expected shape {list(expected.shape)}, found {found.shape}")
            # Each map by its own scale, so that the large ones hide nothing.
            scale = torch.maximum(_largest(expected), 0.1 * _largest(x)).clamp(min=1e-30)
            scale = scale.view(-1, *(1,) * (expected.dim() - 1))
            expect_close(torch.from_numpy(found) / scale, expected / scale, said, "by scale", rtol=0.0, atol=1e-5)


def hard_maps(subject: Subject, *lengths: int) -> Tensor:
    """Return a batch: normal values, ties, zeros, negative, large and small values."""
    normal = subject.normal(0, *lengths, batch=2).float()
    ties = subject.normal(1, *lengths).float()
    return torch.cat([normal, ties, torch.zeros_like(ties), -normal[:1].abs() - 0.1, normal * 1e4, normal * 1e-3])


def _largest(x: Tensor) -> Tensor:
    return x.flatten(1).abs().amax(1)


def _session(module: Pool, x: Tensor) -> Any:
    import onnxruntime

    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(module, (x[:2],), dynamo=True, dynamic_shapes=(open_dims(x),), verbose=False)
    assert program is not None
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    file = program.model_proto.SerializeToString()
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
