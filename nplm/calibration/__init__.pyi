from .importance.run import importance_null as importance_null
from .null_toys import NullToys as NullToys
from .record import Calibration as Calibration
