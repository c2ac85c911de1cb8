"""Results read from files: the classes that they are made of, by the names that these have there."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from nplm._util.arrays_file import ChangedError, read_npz
from nplm.calibration.record import Calibration
from nplm.channels.channel import Channel
from nplm.channels.combination_result import CombinationResult
from nplm.channels.combine_result import CombinedResult, GlobalTail
from nplm.channels.explain_result import ExplainResult
from nplm.channels.extremes import Extreme
from nplm.channels.factor import ErrorFactor
from nplm.channels.graph import CompatibilityGraph
from nplm.channels.histogram import Expectation, PHistogram
from nplm.channels.pvalues import RegionPValues
from nplm.channels.regions_result import RegionsResult
from nplm.channels.score import Score
from nplm.channels.table import Covariance, RegionTable
from nplm.channels.templates import Templates
from nplm.channels.workspace_fit import TemplateLimit, WorkspaceFit
from nplm.data.support import Outside
from nplm.hunt.degree import Trend
from nplm.hunt.result import Dropped, HuntResult, InFeatures, InSpectrum
from nplm.hunt.spectrum import Spectrum
from nplm.hunt.windows import Windows
from nplm.hypotest.multiple_result import MultipleResult
from nplm.hypotest.result import Result
from nplm.hypotest.saved import SCHEMA, Decoder, SavedResult, SavedResultError
from nplm.hypotest.yields import OwnRate, Shape
from nplm.measure.information import FisherInformation
from nplm.measure.left import GoodnessOfFit
from nplm.measure.limits import UpperLimit
from nplm.measure.result import Contour, Interval, MeasureResult
from nplm.measure.toys import ToyFits
from nplm.nuisance.fit_summary import NuisanceSummary
from nplm.stats.chi2 import Chi2Null, FittedChi2Null
from nplm.stats.combination import Combination
from nplm.stats.ensemble_summary import EnsembleSummary
from nplm.stats.global_pvalue import GlobalP
from nplm.stats.goodness_of_fit import Chi2Compatibility, Tail
from nplm.stats.goodness_of_fit_weighted_chi2 import WeightedChi2Compatibility
from nplm.stats.weighted_chi2 import FittedWeightedChi2Null, WeightedChi2Null
from nplm.stats.yields import Rate
from nplm.toys.table import ToyTable
from nplm.two_sample.calibration import TwoSampleCalibration
from nplm.two_sample.kept import Kept
from nplm.two_sample.matrix import TwoSampleMatrix
from nplm.two_sample.result import TwoSampleResult
from nplm.two_sample.sweep import Crossing, TwoSampleSweep

# Nothing else is made from a file. A name stays as it is in files that were saved before: a class that is renamed has a
# line more here, and keeps that of its old name.
CLASSES: Mapping[str, type] = {
    "Calibration": Calibration,
    "Channel": Channel,
    "Chi2Compatibility": Chi2Compatibility,
    "Chi2Null": Chi2Null,
    "Combination": Combination,
    "CombinationResult": CombinationResult,
    "CombinedResult": CombinedResult,
    "CompatibilityGraph": CompatibilityGraph,
    "Contour": Contour,
    "Covariance": Covariance,
    "Crossing": Crossing,
    "Dropped": Dropped,
    "EnsembleSummary": EnsembleSummary,
    "ErrorFactor": ErrorFactor,
    "Expectation": Expectation,
    "ExplainResult": ExplainResult,
    "Extreme": Extreme,
    "FisherInformation": FisherInformation,
    "FittedChi2Null": FittedChi2Null,
    "FittedMixtureNull": FittedWeightedChi2Null,  # the name of before, as with the other two
    "FittedWeightedChi2Null": FittedWeightedChi2Null,
    "GlobalP": GlobalP,
    "GlobalTail": GlobalTail,
    "GoodnessOfFit": GoodnessOfFit,
    "HuntResult": HuntResult,
    "InFeatures": InFeatures,
    "InSpectrum": InSpectrum,
    "Interval": Interval,
    "Kept": Kept,
    "MeasureResult": MeasureResult,
    "MixtureCompatibility": WeightedChi2Compatibility,
    "MixtureNull": WeightedChi2Null,
    "MultipleResult": MultipleResult,
    "NuisanceSummary": NuisanceSummary,
    "Outside": Outside,
    "OwnRate": OwnRate,
    "PHistogram": PHistogram,
    "Rate": Rate,
    "RegionPValues": RegionPValues,
    "RegionTable": RegionTable,
    "RegionsResult": RegionsResult,
    "Result": Result,
    "Score": Score,
    "Shape": Shape,
    "Spectrum": Spectrum,
    "Tail": Tail,
    "TemplateLimit": TemplateLimit,
    "Templates": Templates,
    "ToyFits": ToyFits,
    "ToyTable": ToyTable,
    "Trend": Trend,
    "TwoSampleCalibration": TwoSampleCalibration,
    "TwoSampleMatrix": TwoSampleMatrix,
    "TwoSampleResult": TwoSampleResult,
    "TwoSampleSweep": TwoSampleSweep,
    "UpperLimit": UpperLimit,
    "WeightedChi2Compatibility": WeightedChi2Compatibility,
    "WeightedChi2Null": WeightedChi2Null,
    "Windows": Windows,
    "WorkspaceFit": WorkspaceFit,
}
# Fields that had other names in files that were saved before.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "Calibration": {
        "formula": "asymptotic",
        "formula_for_toys": "asymptotic_for_toys",
        "formula_p_value": "asymptotic_p_value",
        "formula_z": "asymptotic_z",
        "rare": "importance",
    },
    "Shape": {"law": "null"},
    "TwoSampleResult": {"analytic": "asymptotic"},
}


def load_result(
    path: str | Path,
) -> (
    Result
    | TwoSampleResult
    | MultipleResult
    | TwoSampleMatrix
    | TwoSampleSweep
    | HuntResult
    | MeasureResult
    | RegionsResult
    | CombinedResult
    | ExplainResult
    | CombinationResult
):
    """The result that `result.save(path)` wrote; it does not know its samples, which `write_report` has to be given.

    Raises:
        SavedResultError: (a ValueError) if the file holds something else, was changed, or is of a later version.
        OSError: if the file cannot be read.
    """
    try:
        header, arrays = read_npz(path, SCHEMA)
        if header["schema"] != SCHEMA:
            raise SavedResultError(f"{path} has the schema {header['schema']}, not {SCHEMA}")
        result = Decoder(CLASSES, arrays, RENAMED).decoded(header["result"])
    except SavedResultError:
        raise
    except ChangedError as error:
        raise SavedResultError(f"{error}; save the result anew") from error
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise SavedResultError(
            f"{path} holds no saved result: load_result reads what result.save(path) wrote, and no result.json"
        ) from error
    if not isinstance(result, SavedResult):
        raise SavedResultError(f"{path} holds a {type(result).__name__}, which is no result")
    return result  # type: ignore[return-value]
