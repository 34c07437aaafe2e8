"""Facts about a trained network beside its weights: class names, image statistics and size; needs no torch.

They stand in model.json in the run's folder, so that the folder can be used where the training data is not.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from poolab.errors import PoolabError
from poolab.records import read_json

if TYPE_CHECKING:
    from poolab.data import ImageData

FILE = "model.json"
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The facts about a trained network that its data set gives.

    Attributes:
        classes: the names of the classes, in the order of the network's outputs.
        mean, std: of the training images, one number a channel, in units of 0..1.
        channels: 1 (grey) or 3 (colour).
        image_size: height and width in pixels.
        from_files: True if the images were decoded and resized file by file, False if as tensors in memory.
        background: what lies behind transparent pixels: "white", "black" or "grey".
        data_fingerprint: the identity of the training data.
    """

    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int
    image_size: tuple[int, int]
    from_files: bool
    background: str = "white"
    data_fingerprint: str = ""

    @classmethod
    def of(cls, data: "ImageData", background: str | None) -> Self:
        """Return the facts of a loaded data set; `background` is the setting of folders of images."""
        return cls(
            classes=data.classes,
            mean=data.mean,
            std=data.std,
            channels=data.channels,
            image_size=data.image_size,
            from_files=data.train.mapped,
            background=background or "white",
            data_fingerprint=data.fingerprint,
        )

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read model.json of a run's folder; return None where there is none.

        Raises:
            PoolabError: it is damaged, or a newer poolab wrote it.
        """
        path = folder / FILE
        try:
            content = read_json(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as fault:
            raise PoolabError(f"{path} cannot be read: {getattr(fault, 'strerror', None) or fault}") from fault
        faults = _faults(content)
        if faults:
            raise PoolabError(f"{path} does not describe a model: {'; '.join(faults)}")
        get = content.get
        return cls(
            classes=tuple(content["classes"]),
            mean=tuple(map(float, content["mean"])),
            std=tuple(map(float, content["std"])),
            channels=content["channels"],
            image_size=(content["image_size"][0], content["image_size"][1]),
            from_files=content["from_files"],
            background=get("background", "white"),
            data_fingerprint=get("data_fingerprint", ""),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of model.json."""
        return {"version": VERSION, **asdict(self)}


def _faults(content: object) -> list[str]:
    """Return what is wrong with the content of a model.json, which others may have written."""
    if not isinstance(content, Mapping):
        return ["it is not a mapping"]
    version = content.get("version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        return [f"its version is {version!r}, expected {VERSION}{'; install a newer poolab' if newer else ''}"]
    get = content.get
    channels, size = get("channels"), get("image_size")
    wrong = {
        "classes (names)": not _is_list(get("classes"), str) or not get("classes"),
        "channels (1 or 3)": channels not in (1, 3) or isinstance(channels, bool),
        "image_size (height and width)": not _is_list(size, int) or len(size or ()) != 2 or min(size or (0,)) < 1,
        "from_files (true or false)": not isinstance(get("from_files"), bool),
        "background (white, black or grey)": get("background", "white") not in ("white", "black", "grey"),
        "data_fingerprint (a text)": not isinstance(get("data_fingerprint", ""), str),
    }
    for name in ("mean", "std"):
        values = get(name)
        fits = isinstance(values, list) and len(values) == channels and all(map(_is_number, values))
        wrong[f"{name} (a number for each channel)"] = not fits
    return [f"{name} is missing or wrong" for name, is_wrong in wrong.items() if is_wrong]


def _is_list(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) and not isinstance(one, bool) for one in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
