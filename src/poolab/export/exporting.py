"""Write a trained network for other programs, compare the file with the network, and keep it only if they agree."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from poolab.errors import PoolabError
from poolab.export.check_images import CheckImages, check_images
from poolab.export.comparison import Comparison, compare
from poolab.export.culprits import culprits, reason_of
from poolab.export.deployed import Deployed
from poolab.export.formats import Format, allowed_difference, check_packages, find_format, precision_of
from poolab.export.job import Job
from poolab.export.quiet import quiet
from poolab.export.target import Beside
from poolab.export.trained import Trained
from poolab.export.writers import writer_of
from poolab.pooling import use_backend
from poolab.records import replace_synced, write_atomically


@dataclass(frozen=True, repr=False)
class Exported:
    """A file that was written, and how it compares with the network.

    Attributes:
        path: the file.
        format: the name of its format.
        precision: "float32", "float16" or "int8".
        bytes: its size.
        comparison: what it computes beside the network.
        allowed: the largest difference of probabilities, or with int8 the largest share of changed predictions.
    """

    path: Path
    format: str
    precision: str
    bytes: int
    comparison: Comparison
    allowed: float

    def __str__(self) -> str:
        """Return the facts in two lines, which a notebook shows too."""
        kind = "share of changed predictions" if self.precision == "int8" else "difference"
        return (
            f"{self.path}: {self.format}, {self.precision}, {self.bytes:,} bytes\n"
            f"{self.comparison} (allowed {kind}: {self.allowed:g})"
        )

    __repr__ = __str__


def export(
    model: Trained,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    int8: bool = False,
    half: bool = False,
    images: torch.Tensor | None = None,
    tolerance: float | None = None,
    force: bool = False,
) -> Exported:
    """Write a model for other programs; `Model.export` describes it."""
    target = Path(path).expanduser()
    chosen = find_format(target, format)
    precision = precision_of(chosen, int8, half)
    allowed = allowed_difference(precision, tolerance)
    check_packages(chosen)
    with Beside(target, force) as folder:
        checked = check_images(model, images, calibrate=int8)
        new = folder / target.name
        with quiet(), use_backend("plain"), torch.no_grad():
            comparison = _written(model, chosen, precision, checked, new)
            _refuse(model, chosen, checked, comparison, precision, allowed, new)
        size = new.stat().st_size
        if not chosen.holds_facts:
            write_atomically(target.with_name(f"{target.name}.json"), json.dumps(facts_of(model, precision), indent=2))
        replace_synced(new, target)
    return Exported(target, chosen.name, precision, size, comparison, allowed)


def facts_of(model: Trained, precision: str) -> dict[str, str]:
    """Return what a file says about itself: all texts; lists and numbers are JSON."""
    from poolab import __version__

    facts, record = model.facts, model.record
    resize = "cover image_size, then crop to the centre"
    return {
        "poolab.version": __version__,
        "poolab.signature": record.signature,
        "poolab.task": record.task,
        "poolab.classes": json.dumps(list(facts.classes)),
        "poolab.channels": str(facts.channels),
        "poolab.image_size": json.dumps(list(facts.image_size)),
        "poolab.input": f"uint8 images (N, C, H, W), levels from 0 to 255, {'grey' if facts.channels == 1 else 'RGB'}",
        "poolab.resize": f"{resize}, with {'Pillow' if facts.from_files else 'torch'}",
        "poolab.background": facts.background,
        "poolab.mean": json.dumps(facts.mean),
        "poolab.std": json.dumps(facts.std),
        "poolab.backbone": str(record.config["backbone"]["name"]),
        "poolab.pooling": str(record.config["pooling"]["name"]),
        "poolab.precision": precision,
        "poolab.torch": torch.__version__,
    }


def _written(model: Trained, chosen: Format, precision: str, checked: CheckImages, new: Path) -> Comparison:
    """Write the file, and return how it compares with the network in float32.

    Raises:
        PoolabError: the format cannot hold the network.
    """
    facts, writer = model.facts, writer_of(chosen.name)
    reference = Deployed(model.network, facts.mean, facts.std)
    deployed = Deployed(model.network, facts.mean, facts.std, torch.float16) if precision == "float16" else reference
    example = checked.pixels[:1].repeat(2, 1, 1, 1)
    try:
        content = writer.make(
            Job(deployed, example, facts_of(model, precision), checked.calibration, deployed.poolings), new.parent
        )
        new.write_bytes(content)
        del content
        return compare(writer.opened(new), reference, checked)
    except (OSError, PoolabError):
        raise
    except Exception as fault:
        told = culprits(deployed.network, _normalised(deployed, checked), writer, new.parent) or [reason_of(fault)]
        raise PoolabError(_not_written(new, f"{chosen.name} cannot hold this network", told)) from fault


def _refuse(
    model: Trained,
    chosen: Format,
    checked: CheckImages,
    found: Comparison,
    precision: str,
    allowed: float,
    new: Path,
) -> None:
    """Raise an error where a file differs from its network by more than is allowed.

    Raises:
        PoolabError: it does.
    """
    value, what = (
        (found.changed, "share of changed predictions") if precision == "int8" else (found.difference, "difference")
    )
    if value <= allowed:
        return
    deployed = Deployed(model.network, model.facts.mean, model.facts.std)
    told = (
        []
        if precision != "float32"
        else culprits(deployed.network, _normalised(deployed, checked), writer_of(chosen.name), new.parent)
    )
    raise PoolabError(_not_written(new, f"{found}; allowed {what}: {allowed:g} (tolerance)", told))


def _not_written(new: Path, reason: str, told: list[str]) -> str:
    return "\n".join([f"{new.name} was not written: {reason}", *(f"  {line}" for line in told)])


def _normalised(deployed: Deployed, checked: CheckImages) -> torch.Tensor:
    return deployed.normalised(checked.pixels[:4]).to(deployed.dtype)
