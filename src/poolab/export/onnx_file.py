"""Write and run ONNX files, also with weights and activations of 8 bits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from poolab.export.job import Job, Program
from poolab.export.torch_export_file import traced

# What is computed in 8 bits. Poolings stay in float32, also those with matrix products: netvlad in 8 bits changed 52 %
# of the predictions, and lost 7 points of accuracy (keras_cnn, digits, one epoch).
QUANTISED = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
CALIBRATED_TOGETHER = 32


def make(job: Job, folder: Path) -> bytes:
    """Return an ONNX file with the input `images` and the outputs `probabilities` and `logits`."""
    content = converted(traced(job.module, job.example))
    if job.calibration is not None:
        content = quantised(content, job.calibration, folder, job.whole)
    _describe(content, job.facts)
    found: bytes = content.SerializeToString()
    return found


def converted(program: torch.export.ExportedProgram) -> Any:
    """Return a program of torch.export as an ONNX model."""
    model = torch.onnx.export(
        program, dynamo=True, input_names=["images"], output_names=["probabilities", "logits"], verbose=False
    )
    assert model is not None
    return model.model_proto


def opened(path: Path) -> Program:
    """Return a function that runs the file in ONNX Runtime, on as many threads as torch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: Tensor) -> tuple[np.ndarray, np.ndarray]:
        probabilities, logits = session.run(None, {name: images.numpy()})
        return probabilities, logits

    return run


def _describe(content: Any, facts: Mapping[str, str]) -> None:
    import onnx

    onnx.helper.set_model_props(content, dict(facts))


def _nodes_of(content: Any, modules: Sequence[str]) -> list[str]:
    """Return the names of the nodes that these modules became; the exporter notes the modules around each node."""
    quoted = [f"'{module}'" for module in modules]
    return [
        node.name
        for node in content.graph.node
        if any(
            prop.key.endswith("name_scopes") and any(module in prop.value for module in quoted)
            for prop in node.metadata_props
        )
    ]


def quantised(content: Any, images: Tensor, folder: Path, whole: Sequence[str]) -> Any:
    """Return an ONNX model with convolutions and matrix products in 8 bits, scaled for these images.

    Args:
        folder: for temporary files.
        whole: the names of the modules that stay in float32.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.parts = iter(images.split(CALIBRATED_TOGETHER))

        def get_next(self) -> dict[str, np.ndarray] | None:
            part = next(self.parts, None)
            return None if part is None else {"images": part.numpy()}

    path = folder / "quantised.onnx"
    quantize_static(
        content,
        path,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        # Weights of 7 bits: without VNNI, x86 adds two products in 16 bits, which saturate for weights of 8 bits. On an
        # AVX2-only EPYC 13 of 100 predictions of a small CNN changed with 8 bits, and 2 with 7.
        reduce_range=True,
        op_types_to_quantize=QUANTISED,
        nodes_to_exclude=_nodes_of(content, whole),
    )
    return onnx.load(path)
