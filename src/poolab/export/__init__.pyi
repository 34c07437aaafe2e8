from .export_verb import export as export
from .exporting import Exported as Exported
from .formats import FORMATS as FORMATS
from .loading import load as load
from .model import Model as Model
from .predict_verb import predict as predict
from .prediction import Prediction as Prediction
from .prediction import Segmentation as Segmentation
