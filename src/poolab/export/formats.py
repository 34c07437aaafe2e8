"""The formats that a trained network can be written in: their names, files, and the packages that they need."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from poolab.errors import ConfigError, nearest

# The largest difference of two probabilities that is allowed. In 8 bits single probabilities move far more, and what
# counts is the share of predictions that change. docs/export.md has what was measured.
ALLOWED = {"float32": 1e-4, "float16": 0.02, "int8": 0.05}


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        suffixes: of its files; the first is the usual one.
        needs: packages to import, by name.
        install: what pip installs them with.
        int8: True if it can be quantised to 8 bits.
        half: True if the network can compute in float16.
        holds_facts: True if the file holds class names and the like; otherwise they stand in FILE.json.
    """

    name: str
    suffixes: tuple[str, ...]
    about: str
    needs: tuple[str, ...] = ()
    install: str = ""
    int8: bool = False
    half: bool = True
    holds_facts: bool = True


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format(
            "onnx",
            (".onnx",),
            "ONNX Runtime, and OpenVINO, TensorRT and others that read ONNX",
            needs=("onnx", "onnxscript", "onnxruntime"),
            install='"poolab[export]"',
            int8=True,
        ),
        Format("torch_export", (".pt2",), "torch.export.load, AOTInductor", int8=True),
        Format("torchscript", (".torchscript", ".ts"), "torch.jit.load, libtorch (traced; deprecated)"),
        Format(
            "executorch",
            (".pte",),
            "ExecuTorch, on phones and small devices (XNNPACK), one image at a time",
            needs=("executorch",),
            install="executorch",
            half=False,
            holds_facts=False,
        ),
        Format(
            "litert",
            (".tflite",),
            "LiteRT (TensorFlow Lite), one image at a time",
            needs=("litert_torch", "ai_edge_litert"),
            install="litert-torch",
            half=False,
            holds_facts=False,
        ),
    )
}
SAME = {"pt2": "torch_export", "tflite": "litert", "tf_lite": "litert", "pte": "executorch", "jit": "torchscript"}
ADVICE = {
    "script": "torch.jit.script cannot compile poolab's networks and is deprecated: choose torch_export, or "
    "torchscript, which is traced",
    "openvino": "OpenVINO reads ONNX files: choose onnx",
    "tensorrt": "TensorRT reads ONNX files (trtexec --onnx=model.onnx): choose onnx",
    "coreml": "coremltools reads programs of torch.export: choose torch_export",
    "weights": "the weights are last.ckpt in the run's folder",
}
OTHER_SUFFIXES = {
    ".pt": "a .pt file may hold anything: name a format too, torch_export or torchscript",
    ".pth": "a .pth file may hold anything: name a format too, torch_export or torchscript",
    ".ckpt": "the weights are last.ckpt in the run's folder",
    ".safetensors": "weights alone are no format here; last.ckpt in the run's folder has them",
    ".engine": ADVICE["tensorrt"],
    ".mlpackage": ADVICE["coreml"],
    ".xml": ADVICE["openvino"],
}


def find_format(path: str | Path | None, name: str | None = None) -> Format:
    """Return the format of a name, or else of a file's suffix.

    Raises:
        ConfigError: there is no such format, the suffix says none, or it says another one than the name.

    >>> find_format("model.onnx").name, find_format("model", "pt2").name
    ('onnx', 'torch_export')
    """
    known = ", ".join(f"{one.name} ({one.suffixes[0]})" for one in FORMATS.values())
    suffix = Path(path).suffix.lower() if path is not None else ""
    by_suffix = next((one for one in FORMATS.values() if suffix in one.suffixes), None)
    if name is None:
        if by_suffix is not None:
            return by_suffix
        hint = OTHER_SUFFIXES.get(suffix) or f"its suffix {suffix!r} is no format's" if suffix else "it has no suffix"
        raise ConfigError(f"{path} does not say a format: {hint}; the formats are {known}")
    plain = name.lower().replace("-", "_").lstrip(".")
    found = FORMATS.get(SAME.get(plain, plain))
    if found is None:
        hint = ADVICE.get(plain) or f"{nearest(plain, list(FORMATS))}the formats are {known}"
        raise ConfigError(f"format={name} is not known: {hint}")
    if by_suffix is not None and by_suffix is not found:
        raise ConfigError(f"{path} is the name of a file of {by_suffix.name}, and format={name} was chosen: rename it")
    return found


def check_packages(chosen: Format) -> None:
    """Check that the packages of a format are installed.

    Raises:
        ConfigError: one is missing.
    """
    missing = [name for name in chosen.needs if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"format={chosen.name} needs {', '.join(missing)}, which is not installed: pip install {chosen.install}"
        )


def precision_of(chosen: Format, int8: bool, half: bool) -> str:
    """Return the numbers of the file: int8, float16 or float32.

    Raises:
        ConfigError: both are asked for, or the format does not have it.
    """
    if int8 and half:
        raise ConfigError("int8 and half exclude each other: choose one")
    for wanted, name in ((int8, "int8"), (half, "half")):
        able = [one.name for one in FORMATS.values() if getattr(one, name)]
        if wanted and chosen.name not in able:
            also = f"{', '.join(able[:-1])} and {able[-1]}"
            raise ConfigError(f"{name} is not possible with format={chosen.name}; it is with {also}")
    return "int8" if int8 else "float16" if half else "float32"


def allowed_difference(precision: str, tolerance: float | None) -> float:
    """Return the largest difference of a probability (int8: the largest share of changed predictions).

    Raises:
        ConfigError: the tolerance is not between 0 and 1.
    """
    if tolerance is None:
        return ALLOWED[precision]
    if not 0 <= tolerance <= 1:
        raise ConfigError(f"tolerance={tolerance} is not possible: it must be between 0 and 1")
    return tolerance
