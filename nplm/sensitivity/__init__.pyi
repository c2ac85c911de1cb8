from .asymptotic_power import ExpectedPower as ExpectedPower
from .asymptotic_power import expected_power as expected_power
from .closures import Closure as Closure
from .closures import closure as closure
from .operator_power import OperatorPower as OperatorPower
from .operator_power import operator_power as operator_power
from .optimal_test import BestTest as BestTest
