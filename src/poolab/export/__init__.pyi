from .loading import load as load
from .model import Model as Model
from .predict_verb import predict as predict
from .prediction import Prediction as Prediction
from .prediction import Segmentation as Segmentation
