"""The folder of a result, for those who work in Python: what a command writes with -o, with the same care."""

from __future__ import annotations

from functools import singledispatch
from pathlib import Path
from typing import Any

from nplm._util.json_values import json_value
from nplm.channels.combination_result import CombinationResult
from nplm.channels.combine_result import CombinedResult
from nplm.channels.explain_result import ExplainResult
from nplm.channels.regions_result import RegionsResult
from nplm.data.sample import Sample
from nplm.hunt.expectation import require_hunted
from nplm.hunt.result import HuntResult
from nplm.hypotest.multiple import MultipleTest
from nplm.hypotest.multiple_result import MultipleResult
from nplm.hypotest.result import Result
from nplm.io.tables import Tabular, as_sample, sample_like, two_samples
from nplm.measure.measurement import Measurement
from nplm.measure.result import MeasureResult
from nplm.report.channels import write_combination, write_combined, write_explained, write_regions
from nplm.report.hunt import write_hunt
from nplm.report.measure import write_measure
from nplm.report.multiple import write_multiple_run
from nplm.report.two_sample import write_two_sample
from nplm.report.two_sample_many import write_matrix, write_sweep
from nplm.report.write_folder import write_folder, write_toys
from nplm.report.write_run import write_run
from nplm.statistic import LikelihoodRatio
from nplm.two_sample.matrix import TwoSampleMatrix
from nplm.two_sample.result import TwoSampleResult
from nplm.two_sample.sweep import TwoSampleSweep

_NOT_KNOWN = (
    "this result does not know its samples, as it was loaded or copied: give what ran and what it tested, as"
    " write_report(result, folder, test, data)"
)
_SAMPLES_NOT_KNOWN = (
    "this result does not know its samples: give those that were compared, in their order, as"
    " write_report(result, folder, a, b), or write_report(result, folder, reference, data)"
)


@singledispatch
def write_report(
    result: Result
    | MultipleResult
    | TwoSampleResult
    | TwoSampleMatrix
    | TwoSampleSweep
    | HuntResult
    | MeasureResult
    | RegionsResult
    | CombinedResult
    | ExplainResult
    | CombinationResult,
    folder: str | Path,
    test: LikelihoodRatio | MultipleTest | Measurement | Tabular | None = None,
    data: Tabular | None = None,
    *,
    force: bool = False,
    top: int = 200,
    leave_one_out: bool = True,
) -> Path:
    """Writes what `nplm test` and `nplm validate` do with -o: result.json, report.html, plots, toys, where it differs.

    A result that comes from `run` or `validate` knows its samples; one that was loaded or copied from another process
    has to be given them. Matrices, sweeps, and what `nplm channels` gives need none, and take neither these nor `top`.

    Arguments:
        result: of a test, of several tests, of two samples or of many, of a sweep, of a bump hunt, of a measurement, of
            counting regions, of a combination, of templates, or of which analyses may be combined.
        folder: where to; it is made. What nplm did not write is never replaced.
        test, data: what ran, and what it tested; where two samples were compared these, in their order:
            `write_report(result, folder, a, b)`, or `write_report(result, folder, reference, data)`. A bump hunt needs
            its events, `write_report(result, folder, events)`; a measurement itself and its data,
            `write_report(result, folder, measurement, data)`.
        force: replace an older run in the folder.
        top: how many events of the data (of B) go to events.csv, those of largest f.
        leave_one_out: fit again without each feature, see `nplm.localize`; for tests of one model or several.

    Returns:
        The path of report.html.

    Raises:
        TypeError: if this is no such result, or an argument is not for it.
        ValueError: if test or samples are not known, or are others.
        OSError: if the folder holds other files, or an older run and `force` is not given; or cannot be written.
    """
    raise TypeError(f"there is no report of a {type(result).__name__}: give the result of a test or of a comparison")


@write_report.register(Result)
def write_report_of_test(
    result: Result,
    folder: str | Path,
    test: LikelihoodRatio | None = None,
    data: Tabular | None = None,
    *,
    force: bool = False,
    top: int = 200,
    leave_one_out: bool = True,
) -> Path:
    """The report of a test of one model."""
    test, data = _known(result._of, test, data, _NOT_KNOWN)
    sample = _tested_by(test, data, result)

    def write(path: Path) -> Path:
        write_toys(path, {result.model: result.toys})
        return write_run(path, test, sample, result, top=top, leave_one_out=leave_one_out and result.complete)

    return write_folder(folder, write, force=force)


@write_report.register(MultipleResult)
def write_report_of_tests(
    result: MultipleResult,
    folder: str | Path,
    test: MultipleTest | None = None,
    data: Tabular | None = None,
    *,
    force: bool = False,
    top: int = 200,
    leave_one_out: bool = True,
) -> Path:
    """The report of several tests of the same data."""
    test, data = _known(result._of, test, data, _NOT_KNOWN)
    sample = _tested_by(test.tests[0], data, result.tests[0])

    def write(path: Path) -> Path:
        write_toys(path, {name: each.toys for name, each in zip(result.names, result.tests, strict=True)})
        again = leave_one_out and result.complete
        return write_multiple_run(path, test, sample, result, top=top, leave_one_out=again)

    return write_folder(folder, write, force=force)


@write_report.register(TwoSampleResult)
def write_report_of_samples(
    result: TwoSampleResult,
    folder: str | Path,
    a: Tabular | None = None,
    b: Tabular | None = None,
    *,
    force: bool = False,
    top: int = 200,
) -> Path:
    """The report of two samples, such as reference and data."""
    first, second = two_samples(*_known(result._of, a, b, _SAMPLES_NOT_KNOWN))
    if (len(first), len(second)) != result.sizes or first.features != result.features:
        sizes = f"{len(first)} and {len(second)} events of {', '.join(first.features)}"
        raise ValueError(
            f"the result is about {result.sizes[0]} and {result.sizes[1]} events of {', '.join(result.features)}, not"
            f" {sizes}: give the samples that were compared, in their order"
        )

    def write(path: Path) -> Path:
        return write_two_sample(path, first, second, result, result.to_dict(), None, top=top)

    return write_folder(folder, write, force=force)


@write_report.register(MeasureResult)
def write_report_of_measurement(
    result: MeasureResult,
    folder: str | Path,
    measurement: Measurement,
    data: Tabular | None = None,
    *,
    force: bool = False,
) -> Path:
    """The report of a measurement, which has to be given that and its data (none if it was of what is expected)."""
    sample = None if data is None else sample_like(measurement.reference, data, "data")
    sizes = (len(measurement.reference), 0 if sample is None else len(sample))
    if sizes != result.sizes or measurement.model.names != result.names:
        raise ValueError(
            f"the result is about {result.sizes[0]} reference and {result.sizes[1]} data events and"
            f" {', '.join(result.names)}, not {sizes[0]}, {sizes[1]} and {', '.join(measurement.model.names)}: give the"
            " measurement that it is of, and its data"
        )
    fitted = measurement.fitted_reference(result)
    return write_folder(folder, lambda path: write_measure(path, result, fitted, sample, result.to_dict()), force=force)


@write_report.register(HuntResult)
def write_report_of_hunt(
    result: HuntResult, folder: str | Path, data: Tabular, *, force: bool = False, top: int = 200
) -> Path:
    """The report of a bump hunt, which has to be given the events that it looked at."""
    sample = as_sample(data, features=(result.resonance, *result.features), name="data")
    require_hunted(result, sample)
    return write_folder(folder, lambda path: write_hunt(path, sample, result, result.to_dict(), top=top), force=force)


@write_report.register(TwoSampleMatrix)
def write_report_of_matrix(result: TwoSampleMatrix, folder: str | Path, *, force: bool = False) -> Path:
    """The report of many samples, each compared with each."""
    content = {**result.to_dict(), "configuration": json_value(result.configuration)}
    return write_folder(folder, lambda path: write_matrix(path, result, content), force=force)


@write_report.register(TwoSampleSweep)
def write_report_of_sweep(result: TwoSampleSweep, folder: str | Path, *, force: bool = False) -> Path:
    """The report of a sweep over numbers of events."""
    return write_folder(folder, lambda path: write_sweep(path, result), force=force)


@write_report.register(RegionsResult)
def write_report_of_regions(result: RegionsResult, folder: str | Path, *, force: bool = False) -> Path:
    """The report of a table of counting regions."""
    return write_folder(folder, lambda path: write_regions(path, result, result.to_dict()), force=force)


@write_report.register(CombinedResult)
def write_report_of_combination(result: CombinedResult, folder: str | Path, *, force: bool = False) -> Path:
    """The report of a combination of results."""
    return write_folder(folder, lambda path: write_combined(path, result, result.to_dict()), force=force)


@write_report.register(ExplainResult)
def write_report_of_explanation(result: ExplainResult, folder: str | Path, *, force: bool = False) -> Path:
    """The report of templates that explain a table."""
    return write_folder(folder, lambda path: write_explained(path, result, result.to_dict()), force=force)


@write_report.register(CombinationResult)
def write_report_of_graph(result: CombinationResult, folder: str | Path, *, force: bool = False) -> Path:
    """The report of which analyses may be combined."""
    return write_folder(folder, lambda path: write_combination(path, result, result.to_dict()), force=force)


def _known(own: tuple[Any, Any] | None, first: Any, second: Any, message: str) -> tuple[Any, Any]:
    """Both of what a result is about: as given, or as it knows itself.

    Raises:
        ValueError: with the message, if one is not known.
    """
    own_first, own_second = own or (None, None)
    found = first if first is not None else own_first, second if second is not None else own_second
    if found[0] is None or found[1] is None:
        raise ValueError(message)
    return found


def _tested_by(test: LikelihoodRatio, data: Tabular, result: Result) -> Sample:
    """The data of a result as a sample, once their number and that of the reference are known to be those of it.

    Raises:
        ValueError: if they are not.
    """
    sample = sample_like(test.reference, data, "data")
    if (len(test.reference), len(sample)) != (result.n_reference, result.n_data):
        raise ValueError(
            f"the result is about {result.n_data} events against {result.n_reference} of a reference, not"
            f" {len(sample)} against {len(test.reference)}: give the test that ran and the data that it tested"
        )
    return sample
