"""The modules that write the formats, by the formats' names."""

from poolab.export.job import Writer


def writer_of(name: str) -> Writer:
    """Return the module that writes a format; each imports what it needs when it is used."""
    from poolab.export import executorch_file, litert_file, onnx_file, torch_export_file, torchscript_file

    writers: dict[str, Writer] = {
        "onnx": onnx_file,
        "torch_export": torch_export_file,
        "torchscript": torchscript_file,
        "executorch": executorch_file,
        "litert": litert_file,
    }
    return writers[name]
