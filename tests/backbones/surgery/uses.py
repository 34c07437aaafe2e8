"""What people do with a network, one check a use: each raises where it fails, and is held against the original."""

import copy
import io
import pickle
import signal
from contextlib import contextmanager

import torch
from torch import nn

SECONDS = 300  # of the processor, for one use of one network
TOO_LONG = "longer than "


def trace(model, images):
    """torch.fx follows the whole network."""
    _close(torch.fx.symbolic_trace(model)(images), model(images))


def features(model, images):
    """torchvision's extractor gives the last node."""
    from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

    last = get_graph_node_names(model)[1][-1]
    _close(create_feature_extractor(model, [last])(images)[last], model(images))


def compiled(model, images):
    """torch.compile takes it in one graph."""
    torch._dynamo.reset()
    _close(torch.compile(model, backend="eager", fullgraph=True)(images), model(images))


def exported(model, images):
    """torch.export with dynamic batch, height and width; run at another batch and size."""
    program = torch.export.export(model, (images,), dynamic_shapes=(_dynamic(),), strict=False)
    other = _other(images)
    _close(program.module()(other), model(other))


def onnx(model, images):
    """onnxruntime computes the same at another batch and size."""
    import onnxruntime

    buffer = io.BytesIO()
    program = torch.onnx.export(model, (images,), dynamo=True, dynamic_shapes=(_dynamic(),), verbose=False)
    program.save(buffer)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    other = _other(images)
    found = session.run(None, {session.get_inputs()[0].name: other.numpy()})[0]
    _close(torch.from_numpy(found), model(other), 1e-3)


def copies(model, images):
    """A deep copy and a pickle compute the same."""
    expected = model(images)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(_main(twin(images)), _main(expected))


def parallel(model, images):
    """One step under DDP, and one under FSDP2, of one process on gloo."""
    from torch.distributed.fsdp import fully_shard

    with _one_process(), torch.enable_grad():
        for wrap in (nn.parallel.DistributedDataParallel, fully_shard):
            wrapped = wrap(copy.deepcopy(model).train())
            _main(wrapped(images)).square().sum().backward()
            torch.optim.SGD(wrapped.parameters(), 0.01).step()


def quantised(model, images):
    """PT2E's static quantisation prepares, calibrates, converts and runs."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(torch.export.export(model, (images,)).module(), quantizer)
    prepared(images)
    assert torch.isfinite(_main(convert_pt2e(prepared)(images))).all()


USES = {
    "trace": trace,
    "features": features,
    "compile": compiled,
    "export, any size": exported,
    "ONNX, another size": onnx,
    "copy, pickle": copies,
    "DDP, FSDP2": parallel,
    "PT2E": quantised,
}


class _TooLong(BaseException):
    """A use takes longer than it may; no tool's own handling of faults catches it."""


def attempt(use, model, images):
    """Return "" where a use works, else its fault in one line; None where a package for it is missing."""
    try:
        with _limited(SECONDS), torch.no_grad():
            USES[use](copy.deepcopy(model).eval(), images)
    except ImportError:
        return None
    except _TooLong as fault:
        return str(fault)
    except BaseException as fault:  # whatever a tool raises is the answer
        if isinstance(fault, KeyboardInterrupt):
            raise
        return reason(fault)
    return ""


def reason(fault):
    """Return a fault in one line: of one that was raised from another, as the ONNX exporter's are, the first.

    >>> reason(ValueError("two\\nlines"))
    'ValueError: two'
    """
    while fault.__cause__ is not None:
        fault = fault.__cause__
    lines = [line for line in str(fault).splitlines() if line.strip()] or [""]
    return f"{type(fault).__name__}: {lines[0]}"[:160].replace("|", "/")


@contextmanager
def _limited(seconds):
    def end(*_):
        raise _TooLong(f"{TOO_LONG}{seconds} s")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _one_process():
    import torch.distributed as dist

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


def _dynamic():
    auto = torch.export.Dim.DYNAMIC
    return {0: auto, 2: auto, 3: auto}


def _other(images):
    side = images.shape[-1] + 32
    return torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(2))


def _main(output):
    while not isinstance(output, torch.Tensor):
        output = next(iter(output.values())) if hasattr(output, "values") else output[0]
    return output


def _close(found, expected, tolerance=1e-4):
    torch.testing.assert_close(_main(found), _main(expected), rtol=tolerance, atol=tolerance)
