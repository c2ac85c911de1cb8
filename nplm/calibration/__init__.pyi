from .importance.run import importance_null as importance_null
from .methods import Asymptotic as Asymptotic
from .methods import CheckedByToys as CheckedByToys
from .methods import ImportanceSampling as ImportanceSampling
from .methods import Toys as Toys
from .methods import ToysThenAsymptotic as ToysThenAsymptotic
from .null_toys import NullToys as NullToys
from .record import Calibration as Calibration
