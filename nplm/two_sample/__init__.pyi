from .matrix import TwoSampleMatrix as TwoSampleMatrix
from .result import TwoSampleResult as TwoSampleResult
from .sweep import TwoSampleSweep as TwoSampleSweep
from .sweep import n_sweep as n_sweep
from .test import TwoSampleTest as TwoSampleTest
