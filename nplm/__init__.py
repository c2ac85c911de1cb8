"""nplm: do data agree with a reference, and if not, where? A likelihood-ratio test with calibrated p-values, on JAX.

Names are imported when they are first used, so `import nplm` is quick and does not start JAX.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nplm._citation import citation
    from nplm.calibrate.chi2 import Chi2Null, FittedChi2Null, fit_chi2
    from nplm.calibrate.compatibility import Compatibility, chi2_compatibility
    from nplm.calibrate.empirical import EmpiricalNull
    from nplm.calibrate.power import Power, signal_power
    from nplm.calibrate.precision import largest_z, toys_for_p, toys_for_z, toys_to_reach
    from nplm.calibrate.summary import EnsembleSummary, summarize_toys
    from nplm.calibrate.zscore import z_score
    from nplm.ensemble.sampler import PoolSampler
    from nplm.ensemble.table import ToyTable
    from nplm.hypothesis_test import FitError, Interrupted, NPLMTest
    from nplm.io import ReadError, read_reference, read_sample, write_sample
    from nplm.models.box_search import BoxSearch
    from nplm.models.histogram import HistogramModel
    from nplm.models.network import NetworkModel
    from nplm.optimize.adam import Adam
    from nplm.optimize.search import SearchSettings
    from nplm.result import Calibration, Result
    from nplm.sample import Sample, Scaler, concatenate

__all__ = [
    "Adam",
    "BoxSearch",
    "Calibration",
    "Chi2Null",
    "Compatibility",
    "EmpiricalNull",
    "EnsembleSummary",
    "FitError",
    "FittedChi2Null",
    "HistogramModel",
    "Interrupted",
    "NPLMTest",
    "NetworkModel",
    "PoolSampler",
    "Power",
    "ReadError",
    "Result",
    "Sample",
    "Scaler",
    "SearchSettings",
    "ToyTable",
    "__version__",
    "chi2_compatibility",
    "citation",
    "concatenate",
    "fit_chi2",
    "largest_z",
    "read_reference",
    "read_sample",
    "signal_power",
    "summarize_toys",
    "toys_for_p",
    "toys_for_z",
    "toys_to_reach",
    "write_sample",
    "z_score",
]

__version__ = version("nplm-jax")

# Where each public name lives; the imports above say the same to type checkers and editors.
_HOME = {
    "z_score": "nplm.calibrate.zscore",
    "FitError": "nplm.hypothesis_test",
    "SearchSettings": "nplm.optimize.search",
    "BoxSearch": "nplm.models.box_search",
    "Adam": "nplm.optimize.adam",
    "Calibration": "nplm.result",
    "Chi2Null": "nplm.calibrate.chi2",
    "Compatibility": "nplm.calibrate.compatibility",
    "EmpiricalNull": "nplm.calibrate.empirical",
    "EnsembleSummary": "nplm.calibrate.summary",
    "FittedChi2Null": "nplm.calibrate.chi2",
    "Power": "nplm.calibrate.power",
    "chi2_compatibility": "nplm.calibrate.compatibility",
    "fit_chi2": "nplm.calibrate.chi2",
    "largest_z": "nplm.calibrate.precision",
    "signal_power": "nplm.calibrate.power",
    "summarize_toys": "nplm.calibrate.summary",
    "toys_for_p": "nplm.calibrate.precision",
    "toys_for_z": "nplm.calibrate.precision",
    "toys_to_reach": "nplm.calibrate.precision",
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
