"""nplm: do data agree with a reference, and if not, where? A likelihood-ratio test with calibrated p-values, on JAX.

Names are imported when they are first used, so `import nplm` is quick and does not start JAX.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nplm._citation import citation
    from nplm.calibrate.chi2 import Chi2Null
    from nplm.calibrate.empirical import EmpiricalNull
    from nplm.calibrate.zscore import z_score
    from nplm.ensemble.sampler import PoolSampler
    from nplm.ensemble.table import ToyTable
    from nplm.hypothesis_test import FitError, Interrupted, NPLMTest
    from nplm.io import ReadError, read_reference, read_sample, write_sample
    from nplm.models.histogram import HistogramModel
    from nplm.models.network import BoxSearch, NetworkModel
    from nplm.optimize.adam import Adam
    from nplm.optimize.search import SearchSettings
    from nplm.result import Calibration, Result
    from nplm.sample import Sample, Scaler, concatenate

__all__ = [
    "Adam",
    "BoxSearch",
    "Calibration",
    "Chi2Null",
    "EmpiricalNull",
    "FitError",
    "HistogramModel",
    "Interrupted",
    "NPLMTest",
    "NetworkModel",
    "PoolSampler",
    "ReadError",
    "Result",
    "Sample",
    "Scaler",
    "SearchSettings",
    "ToyTable",
    "__version__",
    "citation",
    "concatenate",
    "read_reference",
    "read_sample",
    "write_sample",
    "z_score",
]

__version__ = version("nplm-jax")

# Where each public name lives; the imports above say the same to type checkers and editors.
_HOME = {
    "z_score": "nplm.calibrate.zscore",
    "FitError": "nplm.hypothesis_test",
    "SearchSettings": "nplm.optimize.search",
    "BoxSearch": "nplm.models.network",
    "Adam": "nplm.optimize.adam",
    "Calibration": "nplm.result",
    "Chi2Null": "nplm.calibrate.chi2",
    "EmpiricalNull": "nplm.calibrate.empirical",
    "HistogramModel": "nplm.models.histogram",
    "Interrupted": "nplm.hypothesis_test",
    "NPLMTest": "nplm.hypothesis_test",
    "NetworkModel": "nplm.models.network",
    "PoolSampler": "nplm.ensemble.sampler",
    "ReadError": "nplm.io",
    "Result": "nplm.result",
    "Sample": "nplm.sample",
    "Scaler": "nplm.sample",
    "ToyTable": "nplm.ensemble.table",
    "citation": "nplm._citation",
    "concatenate": "nplm.sample",
    "read_reference": "nplm.io",
    "read_sample": "nplm.io",
    "write_sample": "nplm.io",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nplm' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
