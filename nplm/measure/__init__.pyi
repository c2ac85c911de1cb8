from .information import FisherInformation as FisherInformation
from .intervals import UpperLimit as UpperLimit
from .left import GoodnessOfFit as GoodnessOfFit
from .measurement import Measurement as Measurement
from .parameters import Parameters as Parameters
from .result import Contour as Contour
from .result import Interval as Interval
from .result import MeasureResult as MeasureResult
