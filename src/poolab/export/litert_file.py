"""Write and run LiteRT files (.tflite), which take one image at a time."""

from pathlib import Path

import numpy as np
from torch import Tensor

from poolab.export.job import Job, Program


def make(job: Job, folder: Path) -> bytes:
    """Return a .tflite file."""
    import litert_torch

    path = folder / "model.tflite"
    litert_torch.convert(job.module, (job.example[:1],)).export(str(path))
    return path.read_bytes()


def opened(path: Path) -> Program:
    """Return a function that runs the file in LiteRT's interpreter, image by image."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    outputs = sorted(interpreter.get_output_details(), key=lambda output: output["name"])

    def one(image: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(place, image)
        interpreter.invoke()
        return [interpreter.get_tensor(output["index"]) for output in outputs]

    def run(images: Tensor) -> tuple[np.ndarray, np.ndarray]:
        found = [one(image[None].numpy()) for image in images]
        probabilities, logits = (np.concatenate([pair[place] for pair in found]) for place in (0, 1))
        return probabilities, logits

    return run
