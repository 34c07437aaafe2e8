from pathlib import Path

from poolab.export import Model as Model
from poolab.export import Prediction as Prediction
from poolab.export import Segmentation as Segmentation
from poolab.export import load as load
from poolab.python_api import run as run
from poolab.records.collection import Records
from poolab.study.handle import StudyHandle

__version__: str

def records(place: str | Path = "runs") -> Records: ...
def study(file: str | Path, runs_dir: str | Path | None = None) -> StudyHandle: ...
