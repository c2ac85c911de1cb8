from .limits import ControlLimits as ControlLimits
from .monitor import Monitor as Monitor
from .pvalues import PValueDistribution as PValueDistribution
from .pvalues import pvalue_density as pvalue_density
from .pvalues import pvalue_distribution as pvalue_distribution
