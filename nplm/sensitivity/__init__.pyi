from .asymptotic_power import ExpectedPower as ExpectedPower
from .asymptotic_power import expected_power as expected_power
from .closure import Closure as Closure
from .optimal_test import BestTest as BestTest
