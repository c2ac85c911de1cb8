from .result import Tuned as Tuned
from .result import largest_chi2 as largest_chi2
from .tuner import TuneSettings as TuneSettings
from .tuner import Tuning as Tuning
