"""nplm: do data agree with a reference, and if not, where? A likelihood-ratio test with calibrated p-values, on JAX.

Names are imported when they are first used, so `import nplm` is quick and does not start JAX.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nplm._util.citation import citation
    from nplm.calibration.importance.run import rare_null
    from nplm.calibration.null_toys import NullToys
    from nplm.data.coordinates import Coordinates, coordinates_of
    from nplm.data.normal_scores import NormalScores
    from nplm.data.overflow import Overflow
    from nplm.data.sample import Sample, concatenate
    from nplm.data.scaler import Scaler
    from nplm.family.settings import FamilySettings
    from nplm.family.test import FamilyTest
    from nplm.hypotest.assembly import with_impacts
    from nplm.hypotest.estimator import LogRatioEstimator
    from nplm.hypotest.multiple import MultipleInterrupted, MultipleTest, kernel_widths
    from nplm.hypotest.multiple_result import MultipleResult
    from nplm.hypotest.result import Calibration, Result
    from nplm.hypotest.result_file import SavedResultError, load_result
    from nplm.hypotest.test import Interrupted, NPLMTest
    from nplm.io import BeforeCut, ReadError, as_sample, read_reference, read_sample, row_numbers, write_sample
    from nplm.learning.checks import validate_ratio
    from nplm.learning.from_samples import learn_from_samples
    from nplm.learning.from_set import LearnedSet, learn_from_set
    from nplm.learning.from_weights import learn_from_scores, learn_from_weights
    from nplm.learning.learned_ratio import LearnedLogRatio
    from nplm.learning.settings import RatioSettings
    from nplm.learning.store import read_ratio, write_ratio
    from nplm.learning.validation import RatioValidation
    from nplm.localization.ablation import LeftOut, leave_one_out, project_out
    from nplm.localization.comparison import Comparison, compared
    from nplm.localization.histograms import MarginalHistograms, marginal_histograms, pair_histograms
    from nplm.localization.localize import Localization, localize, localize_samples
    from nplm.localization.pairs import rank_pairs
    from nplm.localization.ranking import RankedEvents, most_discrepant, rank_events
    from nplm.localization.region import Region, local_regions
    from nplm.models.falkon.model import FalkonModel
    from nplm.models.histogram.model import HistogramModel
    from nplm.models.kernel.model import KernelModel
    from nplm.models.network.model import NetworkModel
    from nplm.models.network.search_settings import BoxSearch
    from nplm.models.registry import register_model
    from nplm.monitor.limits import ControlLimits
    from nplm.monitor.monitor import Monitor
    from nplm.monitor.pvalues import PValueDistribution, pvalue_density, pvalue_distribution
    from nplm.nuisance.constraints.base import Constraint, Constraints
    from nplm.nuisance.constraints.control_region import PoissonControlRegion
    from nplm.nuisance.constraints.gaussian import CorrelatedGaussian, GaussianConstraint
    from nplm.nuisance.constraints.pyhf_constraint import PyhfConstraint
    from nplm.nuisance.constraints.pyhf_likelihood import PyhfLikelihood
    from nplm.nuisance.nuisances import Nuisances
    from nplm.nuisance.ratios.base import LogRatio, log_ratio
    from nplm.nuisance.ratios.binned import BinnedLogRatio
    from nplm.nuisance.ratios.interpolated import CallableLogRatio
    from nplm.nuisance.ratios.separable import (
        AsymmetricNormalization,
        Normalization,
        SeparableLogRatio,
        SumOfLogRatios,
    )
    from nplm.optimize.adam import Adam
    from nplm.optimize.multistart import SearchSettings
    from nplm.plot.closure import plot_closure
    from nplm.plot.learned_ratio import plot_learned_ratio
    from nplm.plot.log_ratio import plot_log_ratio
    from nplm.plot.marginal import plot_marginal
    from nplm.plot.multiple import plot_multiple
    from nplm.plot.null import plot_null, plot_null_ensemble
    from nplm.plot.pair import plot_pair
    from nplm.plot.power import plot_power
    from nplm.plot.pulls import plot_pulls
    from nplm.plot.qq import plot_qq
    from nplm.plot.style import plot_style
    from nplm.plot.tune import plot_tune
    from nplm.plot.two_sample import plot_two_sample_marginal, plot_two_sample_null
    from nplm.plot.two_sample_many import plot_two_sample_matrix, plot_two_sample_sweep
    from nplm.sensitivity.asymptotic_power import ExpectedPower, expected_power
    from nplm.sensitivity.closure import Closure, closure
    from nplm.sensitivity.optimal_test import BestTest
    from nplm.statistic import FitError
    from nplm.stats.chi2 import Chi2Null, FittedChi2Null, fit_chi2
    from nplm.stats.empirical import EmpiricalNull
    from nplm.stats.ensemble_summary import EnsembleSummary, summarize_toys
    from nplm.stats.goodness_of_fit import Compatibility, chi2_compatibility
    from nplm.stats.goodness_of_fit_weighted_chi2 import mixture_compatibility
    from nplm.stats.importance import RareError, RareNull
    from nplm.stats.power import Power, signal_power
    from nplm.stats.precision import largest_z, toys_for_p, toys_for_z, toys_to_reach
    from nplm.stats.significance import z_score
    from nplm.stats.weighted_chi2 import FittedMixtureNull, MixtureNull, fit_mixture
    from nplm.toys.campaign import Campaign, SamplerError
    from nplm.toys.engines.base import EngineError, InProcess
    from nplm.toys.engines.dask import DaskWorkers
    from nplm.toys.engines.processes import LocalProcesses
    from nplm.toys.nuisance_sampler import NuisanceSampler, sampler_at
    from nplm.toys.run import run_campaign
    from nplm.toys.samplers import (
        BootstrapSampler,
        ExpectationSampler,
        GeneratorSampler,
        InjectionSampler,
        PoolSampler,
    )
    from nplm.toys.store import Store, StoreError, merge_stores
    from nplm.toys.table import ToyTable
    from nplm.tuning.result import Tuned, largest_chi2
    from nplm.tuning.tuner import TuneSettings, Tuning
    from nplm.two_sample.matrix import TwoSampleMatrix, validate_matrix
    from nplm.two_sample.result import TwoSampleResult
    from nplm.two_sample.sweep import TwoSampleSweep, n_sweep
    from nplm.two_sample.test import TwoSampleTest
    from nplm.two_sample.validate import validate

__all__ = [
    "Adam",
    "AsymmetricNormalization",
    "BeforeCut",
    "BestTest",
    "BinnedLogRatio",
    "BootstrapSampler",
    "BoxSearch",
    "Calibration",
    "CallableLogRatio",
    "Campaign",
    "Chi2Null",
    "Closure",
    "Comparison",
    "Compatibility",
    "Constraint",
    "Constraints",
    "ControlLimits",
    "Coordinates",
    "CorrelatedGaussian",
    "DaskWorkers",
    "EmpiricalNull",
    "EngineError",
    "EnsembleSummary",
    "ExpectationSampler",
    "ExpectedPower",
    "FalkonModel",
    "FamilySettings",
    "FamilyTest",
    "FitError",
    "FittedChi2Null",
    "FittedMixtureNull",
    "GaussianConstraint",
    "GeneratorSampler",
    "HistogramModel",
    "InProcess",
    "InjectionSampler",
    "Interrupted",
    "KernelModel",
    "LearnedLogRatio",
    "LearnedSet",
    "LeftOut",
    "LocalProcesses",
    "Localization",
    "LogRatio",
    "LogRatioEstimator",
    "MarginalHistograms",
    "MixtureNull",
    "Monitor",
    "MultipleInterrupted",
    "MultipleResult",
    "MultipleTest",
    "NPLMTest",
    "NetworkModel",
    "NormalScores",
    "Normalization",
    "NuisanceSampler",
    "Nuisances",
    "NullToys",
    "Overflow",
    "PValueDistribution",
    "PoissonControlRegion",
    "PoolSampler",
    "Power",
    "PyhfConstraint",
    "PyhfLikelihood",
    "RankedEvents",
    "RareError",
    "RareNull",
    "RatioSettings",
    "RatioValidation",
    "ReadError",
    "Region",
    "Result",
    "Sample",
    "SamplerError",
    "SavedResultError",
    "Scaler",
    "SearchSettings",
    "SeparableLogRatio",
    "Store",
    "StoreError",
    "SumOfLogRatios",
    "ToyTable",
    "TuneSettings",
    "Tuned",
    "Tuning",
    "TwoSampleMatrix",
    "TwoSampleResult",
    "TwoSampleSweep",
    "TwoSampleTest",
    "__version__",
    "as_sample",
    "chi2_compatibility",
    "citation",
    "closure",
    "compared",
    "concatenate",
    "coordinates_of",
    "expected_power",
    "fit_chi2",
    "fit_mixture",
    "kernel_widths",
    "largest_chi2",
    "largest_z",
    "learn_from_samples",
    "learn_from_scores",
    "learn_from_set",
    "learn_from_weights",
    "leave_one_out",
    "load_result",
    "local_regions",
    "localize",
    "localize_samples",
    "log_ratio",
    "marginal_histograms",
    "merge_stores",
    "mixture_compatibility",
    "most_discrepant",
    "n_sweep",
    "pair_histograms",
    "plot_closure",
    "plot_learned_ratio",
    "plot_log_ratio",
    "plot_marginal",
    "plot_multiple",
    "plot_null",
    "plot_null_ensemble",
    "plot_pair",
    "plot_power",
    "plot_pulls",
    "plot_qq",
    "plot_style",
    "plot_tune",
    "plot_two_sample_marginal",
    "plot_two_sample_matrix",
    "plot_two_sample_null",
    "plot_two_sample_sweep",
    "project_out",
    "pvalue_density",
    "pvalue_distribution",
    "rank_events",
    "rank_pairs",
    "rare_null",
    "read_ratio",
    "read_reference",
    "read_sample",
    "register_model",
    "row_numbers",
    "run_campaign",
    "sampler_at",
    "signal_power",
    "summarize_toys",
    "toys_for_p",
    "toys_for_z",
    "toys_to_reach",
    "validate",
    "validate_matrix",
    "validate_ratio",
    "with_impacts",
    "write_ratio",
    "write_sample",
    "z_score",
]

__version__ = version("nplm-jax")

# Where each public name lives; the imports above say the same to type checkers and editors.
_HOME = {
    "AsymmetricNormalization": "nplm.nuisance.ratios.separable",
    "Adam": "nplm.optimize.adam",
    "BestTest": "nplm.sensitivity.optimal_test",
    "BeforeCut": "nplm.io",
    "BinnedLogRatio": "nplm.nuisance.ratios.binned",
    "BootstrapSampler": "nplm.toys.samplers",
    "BoxSearch": "nplm.models.network.search_settings",
    "Calibration": "nplm.hypotest.result",
    "CallableLogRatio": "nplm.nuisance.ratios.interpolated",
    "Campaign": "nplm.toys.campaign",
    "Chi2Null": "nplm.stats.chi2",
    "Closure": "nplm.sensitivity.closure",
    "Comparison": "nplm.localization.comparison",
    "Compatibility": "nplm.stats.goodness_of_fit",
    "Constraint": "nplm.nuisance.constraints.base",
    "Constraints": "nplm.nuisance.constraints.base",
    "ControlLimits": "nplm.monitor.limits",
    "Coordinates": "nplm.data.coordinates",
    "CorrelatedGaussian": "nplm.nuisance.constraints.gaussian",
    "DaskWorkers": "nplm.toys.engines.dask",
    "EmpiricalNull": "nplm.stats.empirical",
    "EngineError": "nplm.toys.engines.base",
    "EnsembleSummary": "nplm.stats.ensemble_summary",
    "ExpectationSampler": "nplm.toys.samplers",
    "ExpectedPower": "nplm.sensitivity.asymptotic_power",
    "FalkonModel": "nplm.models.falkon.model",
    "FamilySettings": "nplm.family.settings",
    "FamilyTest": "nplm.family.test",
    "FitError": "nplm.statistic",
    "FittedChi2Null": "nplm.stats.chi2",
    "FittedMixtureNull": "nplm.stats.weighted_chi2",
    "GaussianConstraint": "nplm.nuisance.constraints.gaussian",
    "GeneratorSampler": "nplm.toys.samplers",
    "HistogramModel": "nplm.models.histogram.model",
    "InProcess": "nplm.toys.engines.base",
    "InjectionSampler": "nplm.toys.samplers",
    "Interrupted": "nplm.hypotest.test",
    "KernelModel": "nplm.models.kernel.model",
    "LearnedSet": "nplm.learning.from_set",
    "LearnedLogRatio": "nplm.learning.learned_ratio",
    "LeftOut": "nplm.localization.ablation",
    "LocalProcesses": "nplm.toys.engines.processes",
    "Localization": "nplm.localization.localize",
    "LogRatio": "nplm.nuisance.ratios.base",
    "LogRatioEstimator": "nplm.hypotest.estimator",
    "MarginalHistograms": "nplm.localization.histograms",
    "MixtureNull": "nplm.stats.weighted_chi2",
    "Monitor": "nplm.monitor.monitor",
    "MultipleInterrupted": "nplm.hypotest.multiple",
    "MultipleResult": "nplm.hypotest.multiple_result",
    "MultipleTest": "nplm.hypotest.multiple",
    "NPLMTest": "nplm.hypotest.test",
    "NetworkModel": "nplm.models.network.model",
    "NormalScores": "nplm.data.normal_scores",
    "Normalization": "nplm.nuisance.ratios.separable",
    "NuisanceSampler": "nplm.toys.nuisance_sampler",
    "Nuisances": "nplm.nuisance.nuisances",
    "NullToys": "nplm.calibration.null_toys",
    "Overflow": "nplm.data.overflow",
    "PValueDistribution": "nplm.monitor.pvalues",
    "PoissonControlRegion": "nplm.nuisance.constraints.control_region",
    "PoolSampler": "nplm.toys.samplers",
    "Power": "nplm.stats.power",
    "PyhfConstraint": "nplm.nuisance.constraints.pyhf_constraint",
    "PyhfLikelihood": "nplm.nuisance.constraints.pyhf_likelihood",
    "RankedEvents": "nplm.localization.ranking",
    "RareError": "nplm.stats.importance",
    "RareNull": "nplm.stats.importance",
    "RatioSettings": "nplm.learning.settings",
    "RatioValidation": "nplm.learning.validation",
    "ReadError": "nplm.io",
    "Region": "nplm.localization.region",
    "Result": "nplm.hypotest.result",
    "Sample": "nplm.data.sample",
    "SamplerError": "nplm.toys.campaign",
    "SavedResultError": "nplm.hypotest.result_file",
    "Scaler": "nplm.data.scaler",
    "SearchSettings": "nplm.optimize.multistart",
    "SeparableLogRatio": "nplm.nuisance.ratios.separable",
    "Store": "nplm.toys.store",
    "StoreError": "nplm.toys.store",
    "SumOfLogRatios": "nplm.nuisance.ratios.separable",
    "ToyTable": "nplm.toys.table",
    "TuneSettings": "nplm.tuning.tuner",
    "Tuned": "nplm.tuning.result",
    "Tuning": "nplm.tuning.tuner",
    "TwoSampleMatrix": "nplm.two_sample.matrix",
    "TwoSampleResult": "nplm.two_sample.result",
    "TwoSampleSweep": "nplm.two_sample.sweep",
    "TwoSampleTest": "nplm.two_sample.test",
    "as_sample": "nplm.io",
    "chi2_compatibility": "nplm.stats.goodness_of_fit",
    "citation": "nplm._util.citation",
    "closure": "nplm.sensitivity.closure",
    "compared": "nplm.localization.comparison",
    "concatenate": "nplm.data.sample",
    "coordinates_of": "nplm.data.coordinates",
    "expected_power": "nplm.sensitivity.asymptotic_power",
    "fit_chi2": "nplm.stats.chi2",
    "fit_mixture": "nplm.stats.weighted_chi2",
    "kernel_widths": "nplm.hypotest.multiple",
    "largest_chi2": "nplm.tuning.result",
    "largest_z": "nplm.stats.precision",
    "learn_from_samples": "nplm.learning.from_samples",
    "learn_from_set": "nplm.learning.from_set",
    "learn_from_scores": "nplm.learning.from_weights",
    "learn_from_weights": "nplm.learning.from_weights",
    "leave_one_out": "nplm.localization.ablation",
    "load_result": "nplm.hypotest.result_file",
    "local_regions": "nplm.localization.region",
    "localize": "nplm.localization.localize",
    "localize_samples": "nplm.localization.localize",
    "log_ratio": "nplm.nuisance.ratios.base",
    "marginal_histograms": "nplm.localization.histograms",
    "merge_stores": "nplm.toys.store",
    "mixture_compatibility": "nplm.stats.goodness_of_fit_weighted_chi2",
    "most_discrepant": "nplm.localization.ranking",
    "n_sweep": "nplm.two_sample.sweep",
    "pair_histograms": "nplm.localization.histograms",
    "plot_closure": "nplm.plot.closure",
    "plot_learned_ratio": "nplm.plot.learned_ratio",
    "plot_log_ratio": "nplm.plot.log_ratio",
    "plot_marginal": "nplm.plot.marginal",
    "plot_multiple": "nplm.plot.multiple",
    "plot_null": "nplm.plot.null",
    "plot_null_ensemble": "nplm.plot.null",
    "plot_pair": "nplm.plot.pair",
    "plot_power": "nplm.plot.power",
    "plot_pulls": "nplm.plot.pulls",
    "plot_qq": "nplm.plot.qq",
    "plot_style": "nplm.plot.style",
    "plot_tune": "nplm.plot.tune",
    "plot_two_sample_marginal": "nplm.plot.two_sample",
    "plot_two_sample_matrix": "nplm.plot.two_sample_many",
    "plot_two_sample_null": "nplm.plot.two_sample",
    "plot_two_sample_sweep": "nplm.plot.two_sample_many",
    "project_out": "nplm.localization.ablation",
    "pvalue_density": "nplm.monitor.pvalues",
    "pvalue_distribution": "nplm.monitor.pvalues",
    "rank_events": "nplm.localization.ranking",
    "rank_pairs": "nplm.localization.pairs",
    "rare_null": "nplm.calibration.importance.run",
    "read_ratio": "nplm.learning.store",
    "read_reference": "nplm.io",
    "read_sample": "nplm.io",
    "register_model": "nplm.models.registry",
    "row_numbers": "nplm.io",
    "run_campaign": "nplm.toys.run",
    "sampler_at": "nplm.toys.nuisance_sampler",
    "signal_power": "nplm.stats.power",
    "summarize_toys": "nplm.stats.ensemble_summary",
    "toys_for_p": "nplm.stats.precision",
    "toys_for_z": "nplm.stats.precision",
    "toys_to_reach": "nplm.stats.precision",
    "validate": "nplm.two_sample.validate",
    "validate_matrix": "nplm.two_sample.matrix",
    "validate_ratio": "nplm.learning.checks",
    "with_impacts": "nplm.hypotest.assembly",
    "write_ratio": "nplm.learning.store",
    "write_sample": "nplm.io",
    "z_score": "nplm.stats.significance",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nplm' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
