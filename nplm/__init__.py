"""nplm: do data agree with a reference, and if not, where? A likelihood-ratio test with calibrated p-values, on JAX.

Names are imported when they are first used, so `import nplm` is quick and does not start JAX.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nplm._citation import citation
    from nplm.calibrate.best_test import BestTest
    from nplm.calibrate.closure import Closure, closure
    from nplm.calibrate.expected_power import ExpectedPower, expected_power
    from nplm.calibrate.rare_run import rare_null
    from nplm.calibrate.tune import TuneSettings, Tuning
    from nplm.calibrate.tuned import Tuned, largest_chi2
    from nplm.data.coordinates import Coordinates, coordinates_of
    from nplm.data.normal_scores import NormalScores
    from nplm.data.overflow import Overflow
    from nplm.data.sample import Sample, concatenate
    from nplm.data.scaler import Scaler
    from nplm.ensemble.campaign import Campaign, SamplerError
    from nplm.ensemble.dask_engine import DaskWorkers
    from nplm.ensemble.engine import EngineError, InProcess
    from nplm.ensemble.null_toys import NullToys
    from nplm.ensemble.processes import LocalProcesses
    from nplm.ensemble.run import run_campaign
    from nplm.ensemble.sampler import (
        BootstrapSampler,
        ExpectationSampler,
        GeneratorSampler,
        InjectionSampler,
        PoolSampler,
    )
    from nplm.ensemble.store import Store, StoreError, merge_stores
    from nplm.ensemble.table import ToyTable
    from nplm.estimator import LogRatioEstimator
    from nplm.family.comparison import FamilyTest
    from nplm.family.settings import FamilySettings
    from nplm.hypothesis_test import FitError, Interrupted, NPLMTest
    from nplm.io import BeforeCut, ReadError, as_sample, read_reference, read_sample, row_numbers, write_sample
    from nplm.localization.comparison import Comparison, compared
    from nplm.localization.left_out import LeftOut, leave_one_out, project_out
    from nplm.localization.localize import Localization, localize, localize_samples
    from nplm.localization.pairs import rank_pairs
    from nplm.localization.ranking import RankedEvents, most_discrepant, rank_events
    from nplm.localization.region import Region, local_regions
    from nplm.models.box_search import BoxSearch
    from nplm.models.falkon import FalkonModel
    from nplm.models.histogram import HistogramModel
    from nplm.models.kernel import KernelModel
    from nplm.models.network import NetworkModel
    from nplm.monitor.limits import ControlLimits
    from nplm.monitor.monitor import Monitor
    from nplm.monitor.pvalues import PValueDistribution, pvalue_density, pvalue_distribution
    from nplm.multiple import MultipleInterrupted, MultipleTest, kernel_widths
    from nplm.multiple_result import MultipleResult
    from nplm.nuisance.binned_ratio import BinnedLogRatio
    from nplm.nuisance.callable_ratio import CallableLogRatio
    from nplm.nuisance.constraint import Constraint, Constraints
    from nplm.nuisance.gaussian_constraint import CorrelatedGaussian, GaussianConstraint
    from nplm.nuisance.learn_from_samples import learn_from_samples
    from nplm.nuisance.learn_from_weights import learn_from_scores, learn_from_weights
    from nplm.nuisance.learn_set import LearnedSet, learn_from_set
    from nplm.nuisance.learned_ratio import LearnedLogRatio
    from nplm.nuisance.log_ratio import LogRatio, log_ratio
    from nplm.nuisance.nuisances import Nuisances
    from nplm.nuisance.poisson_constraint import PoissonControlRegion
    from nplm.nuisance.pyhf_constraint import PyhfConstraint
    from nplm.nuisance.pyhf_likelihood import PyhfLikelihood
    from nplm.nuisance.ratio_settings import RatioSettings
    from nplm.nuisance.ratio_store import read_ratio, write_ratio
    from nplm.nuisance.ratio_validation import RatioValidation
    from nplm.nuisance.sampler import NuisanceSampler, sampler_at
    from nplm.nuisance.separable_ratio import (
        AsymmetricNormalization,
        Normalization,
        SeparableLogRatio,
        SumOfLogRatios,
    )
    from nplm.nuisance.validate_ratio import validate_ratio
    from nplm.optimize.adam import Adam
    from nplm.optimize.search import SearchSettings
    from nplm.plot.closure import plot_closure
    from nplm.plot.histograms import MarginalHistograms, marginal_histograms, pair_histograms
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
    from nplm.result import Calibration, Result
    from nplm.result_file import SavedResultError, load_result
    from nplm.result_of import with_impacts
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
    from nplm.two_sample.comparison import TwoSampleTest
    from nplm.two_sample.matrix import TwoSampleMatrix, validate_matrix
    from nplm.two_sample.result import TwoSampleResult
    from nplm.two_sample.sweep import TwoSampleSweep, n_sweep
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
    "AsymmetricNormalization": "nplm.nuisance.separable_ratio",
    "Adam": "nplm.optimize.adam",
    "BestTest": "nplm.calibrate.best_test",
    "BeforeCut": "nplm.io",
    "BinnedLogRatio": "nplm.nuisance.binned_ratio",
    "BootstrapSampler": "nplm.ensemble.sampler",
    "BoxSearch": "nplm.models.box_search",
    "Calibration": "nplm.result",
    "CallableLogRatio": "nplm.nuisance.callable_ratio",
    "Campaign": "nplm.ensemble.campaign",
    "Chi2Null": "nplm.stats.chi2",
    "Closure": "nplm.calibrate.closure",
    "Comparison": "nplm.localization.comparison",
    "Compatibility": "nplm.stats.goodness_of_fit",
    "Constraint": "nplm.nuisance.constraint",
    "Constraints": "nplm.nuisance.constraint",
    "ControlLimits": "nplm.monitor.limits",
    "Coordinates": "nplm.data.coordinates",
    "CorrelatedGaussian": "nplm.nuisance.gaussian_constraint",
    "DaskWorkers": "nplm.ensemble.dask_engine",
    "EmpiricalNull": "nplm.stats.empirical",
    "EngineError": "nplm.ensemble.engine",
    "EnsembleSummary": "nplm.stats.ensemble_summary",
    "ExpectationSampler": "nplm.ensemble.sampler",
    "ExpectedPower": "nplm.calibrate.expected_power",
    "FalkonModel": "nplm.models.falkon",
    "FamilySettings": "nplm.family.settings",
    "FamilyTest": "nplm.family.comparison",
    "FitError": "nplm.hypothesis_test",
    "FittedChi2Null": "nplm.stats.chi2",
    "FittedMixtureNull": "nplm.stats.weighted_chi2",
    "GaussianConstraint": "nplm.nuisance.gaussian_constraint",
    "GeneratorSampler": "nplm.ensemble.sampler",
    "HistogramModel": "nplm.models.histogram",
    "InProcess": "nplm.ensemble.engine",
    "InjectionSampler": "nplm.ensemble.sampler",
    "Interrupted": "nplm.hypothesis_test",
    "KernelModel": "nplm.models.kernel",
    "LearnedSet": "nplm.nuisance.learn_set",
    "LearnedLogRatio": "nplm.nuisance.learned_ratio",
    "LeftOut": "nplm.localization.left_out",
    "LocalProcesses": "nplm.ensemble.processes",
    "Localization": "nplm.localization.localize",
    "LogRatio": "nplm.nuisance.log_ratio",
    "LogRatioEstimator": "nplm.estimator",
    "MarginalHistograms": "nplm.plot.histograms",
    "MixtureNull": "nplm.stats.weighted_chi2",
    "Monitor": "nplm.monitor.monitor",
    "MultipleInterrupted": "nplm.multiple",
    "MultipleResult": "nplm.multiple_result",
    "MultipleTest": "nplm.multiple",
    "NPLMTest": "nplm.hypothesis_test",
    "NetworkModel": "nplm.models.network",
    "NormalScores": "nplm.data.normal_scores",
    "Normalization": "nplm.nuisance.separable_ratio",
    "NuisanceSampler": "nplm.nuisance.sampler",
    "Nuisances": "nplm.nuisance.nuisances",
    "NullToys": "nplm.ensemble.null_toys",
    "Overflow": "nplm.data.overflow",
    "PValueDistribution": "nplm.monitor.pvalues",
    "PoissonControlRegion": "nplm.nuisance.poisson_constraint",
    "PoolSampler": "nplm.ensemble.sampler",
    "Power": "nplm.stats.power",
    "PyhfConstraint": "nplm.nuisance.pyhf_constraint",
    "PyhfLikelihood": "nplm.nuisance.pyhf_likelihood",
    "RankedEvents": "nplm.localization.ranking",
    "RareError": "nplm.stats.importance",
    "RareNull": "nplm.stats.importance",
    "RatioSettings": "nplm.nuisance.ratio_settings",
    "RatioValidation": "nplm.nuisance.ratio_validation",
    "ReadError": "nplm.io",
    "Region": "nplm.localization.region",
    "Result": "nplm.result",
    "Sample": "nplm.data.sample",
    "SamplerError": "nplm.ensemble.campaign",
    "SavedResultError": "nplm.result_file",
    "Scaler": "nplm.data.scaler",
    "SearchSettings": "nplm.optimize.search",
    "SeparableLogRatio": "nplm.nuisance.separable_ratio",
    "Store": "nplm.ensemble.store",
    "StoreError": "nplm.ensemble.store",
    "SumOfLogRatios": "nplm.nuisance.separable_ratio",
    "ToyTable": "nplm.ensemble.table",
    "TuneSettings": "nplm.calibrate.tune",
    "Tuned": "nplm.calibrate.tuned",
    "Tuning": "nplm.calibrate.tune",
    "TwoSampleMatrix": "nplm.two_sample.matrix",
    "TwoSampleResult": "nplm.two_sample.result",
    "TwoSampleSweep": "nplm.two_sample.sweep",
    "TwoSampleTest": "nplm.two_sample.comparison",
    "as_sample": "nplm.io",
    "chi2_compatibility": "nplm.stats.goodness_of_fit",
    "citation": "nplm._citation",
    "closure": "nplm.calibrate.closure",
    "compared": "nplm.localization.comparison",
    "concatenate": "nplm.data.sample",
    "coordinates_of": "nplm.data.coordinates",
    "expected_power": "nplm.calibrate.expected_power",
    "fit_chi2": "nplm.stats.chi2",
    "fit_mixture": "nplm.stats.weighted_chi2",
    "kernel_widths": "nplm.multiple",
    "largest_chi2": "nplm.calibrate.tuned",
    "largest_z": "nplm.stats.precision",
    "learn_from_samples": "nplm.nuisance.learn_from_samples",
    "learn_from_set": "nplm.nuisance.learn_set",
    "learn_from_scores": "nplm.nuisance.learn_from_weights",
    "learn_from_weights": "nplm.nuisance.learn_from_weights",
    "leave_one_out": "nplm.localization.left_out",
    "load_result": "nplm.result_file",
    "local_regions": "nplm.localization.region",
    "localize": "nplm.localization.localize",
    "localize_samples": "nplm.localization.localize",
    "log_ratio": "nplm.nuisance.log_ratio",
    "marginal_histograms": "nplm.plot.histograms",
    "merge_stores": "nplm.ensemble.store",
    "mixture_compatibility": "nplm.stats.goodness_of_fit_weighted_chi2",
    "most_discrepant": "nplm.localization.ranking",
    "n_sweep": "nplm.two_sample.sweep",
    "pair_histograms": "nplm.plot.histograms",
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
    "project_out": "nplm.localization.left_out",
    "pvalue_density": "nplm.monitor.pvalues",
    "pvalue_distribution": "nplm.monitor.pvalues",
    "rank_events": "nplm.localization.ranking",
    "rank_pairs": "nplm.localization.pairs",
    "rare_null": "nplm.calibrate.rare_run",
    "read_ratio": "nplm.nuisance.ratio_store",
    "read_reference": "nplm.io",
    "read_sample": "nplm.io",
    "row_numbers": "nplm.io",
    "run_campaign": "nplm.ensemble.run",
    "sampler_at": "nplm.nuisance.sampler",
    "signal_power": "nplm.stats.power",
    "summarize_toys": "nplm.stats.ensemble_summary",
    "toys_for_p": "nplm.stats.precision",
    "toys_for_z": "nplm.stats.precision",
    "toys_to_reach": "nplm.stats.precision",
    "validate": "nplm.two_sample.validate",
    "validate_matrix": "nplm.two_sample.matrix",
    "validate_ratio": "nplm.nuisance.validate_ratio",
    "with_impacts": "nplm.result_of",
    "write_ratio": "nplm.nuisance.ratio_store",
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
