from .coordinates import Coordinates as Coordinates
from .coordinates import coordinates_of as coordinates_of
from .normal_scores import NormalScores as NormalScores
from .overflow import Overflow as Overflow
from .sample import Sample as Sample
from .sample import concatenate as concatenate
from .scaler import Scaler as Scaler
