from .importance.run import rare_null as rare_null
from .null_toys import NullToys as NullToys
from .record import Calibration as Calibration
