"""Learned log-ratios and scores on disk: plain arrays with a JSON header, never pickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from nplm._util.arrays_file import ChangedError, read_npz, write_npz
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.learning.learned_polynomial import LearnedPolynomialRatio
from nplm.learning.learned_ratio import LearnedLogRatio, LearnedTerms
from nplm.learning.local_score import LocalScore
from nplm.learning.network import RatioNetwork
from nplm.learning.regression import Regression
from nplm.learning.training import FitRecord
from nplm.learning.validation import RatioValidation

SCHEMA = "nplm-learned-ratio/2"
# Without a digest of its contents, as earlier versions wrote it.
_OLDER_SCHEMA = "nplm-learned-ratio/1"
POLYNOMIAL_SCHEMA = "nplm-learned-polynomial/1"
SCORE_SCHEMA = "nplm-local-score/1"

AnyLearned = LearnedLogRatio | LearnedPolynomialRatio


class RatioFileError(ValueError):
    """Raised when a file holds no learned log-ratio."""


def write_ratio(path: str | Path, ratio: AnyLearned) -> None:
    """Writes a learned log-ratio as an npz file, whole or not at all, with its validation.

    Raises:
        ValueError: if the folder does not exist.
        OSError: if the file cannot be written.
    """
    if isinstance(ratio, LearnedPolynomialRatio):
        _write_polynomial(Path(path), ratio)
        return
    arrays: dict[str, Any] = {}
    parts = []
    for number, part in enumerate(ratio.parts):
        arrays[f"thetas_{number}"] = part.thetas
        parts.append(
            {
                "terms": part.terms,
                "inputs": part.inputs,
                "location": part.scaler.location.tolist(),
                "deviation": part.scaler.scale.tolist(),
                "scale": part.scale.tolist(),
                "hidden": part.network.hidden,
                "form": part.form,
                "records": [record.to_dict() for record in part.records],
            }
        )
    header = {
        "schema": SCHEMA,
        "nuisances": ratio.nuisances,
        "features": ratio.features,
        "yields": ratio.yields,
        "yield_effect": dict(ratio.yield_effect),
        "reference": dict(ratio.reference),
        "parts": parts,
        "validation": None if ratio.validation is None else ratio.validation.to_dict(),
        "left_out": ratio.left_out,
    }
    write_npz(Path(path), header, arrays)


def read_ratio(path: str | Path, reference: Sample | None = None, *, allow_failed: bool = False) -> AnyLearned:
    """Reads what `write_ratio` wrote, for use with a reference.

    Arguments:
        path: the file.
        reference: that it shall be used with; None to look at the ratio only.
        allow_failed: take a ratio that failed its checks, or was never checked.

    Raises:
        RatioFileError: (a ValueError) if the file is something else, was changed, or cannot be read.
        ValueError: if the ratio was learned on another reference, or failed its checks.
    """
    try:
        header, arrays = read_npz(path, SCHEMA, POLYNOMIAL_SCHEMA)
        if header["schema"] not in (SCHEMA, _OLDER_SCHEMA, POLYNOMIAL_SCHEMA):
            raise RatioFileError(f"{path} has the schema {header['schema']}, not {SCHEMA}: learn it anew")
        of_kind = _polynomial if header["schema"] == POLYNOMIAL_SCHEMA else _networks
        ratio = of_kind(header, arrays)
    except OSError as error:
        raise RatioFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except ChangedError as error:
        raise RatioFileError(f"{error}: learn it anew") from error
    except RatioFileError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile, EOFError) as error:
        raise RatioFileError(f"{path} holds no learned log-ratio: make it with nplm learn") from error
    try:
        if reference is not None:
            ratio.require_reference(reference)
        if not allow_failed:
            ratio.require_valid()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return ratio


def write_score(path: str | Path, score: LocalScore) -> None:
    """Writes a local score as an npz file, whole or not at all.

    Raises:
        ValueError: if the folder does not exist.
        OSError: if the file cannot be written.
    """
    header = {
        "schema": SCORE_SCHEMA,
        "parameters": score.parameters,
        "reference": dict(score.reference),
        "regression": score.regression.header(),
    }
    write_npz(Path(path), header, score.regression.arrays())


def read_score(path: str | Path) -> LocalScore:
    """Reads what `write_score` wrote.

    Raises:
        RatioFileError: (a ValueError) if the file is something else, was changed, or cannot be read.
    """
    try:
        header, arrays = read_npz(path, SCORE_SCHEMA)
        if header["schema"] != SCORE_SCHEMA:
            raise RatioFileError(f"{path} has the schema {header['schema']}, not {SCORE_SCHEMA}")
        regression = Regression.from_header(header["regression"], arrays)
        return LocalScore(tuple(header["parameters"]), regression, header["reference"])
    except OSError as error:
        raise RatioFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except ChangedError as error:
        raise RatioFileError(f"{error}: learn it anew") from error
    except RatioFileError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile, EOFError) as error:
        raise RatioFileError(f"{path} holds no local score: make it with learn_local_score") from error


def _networks(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> LearnedLogRatio:
    parts = tuple(_part(values, arrays[f"thetas_{number}"]) for number, values in enumerate(header["parts"]))
    return LearnedLogRatio(
        nuisances=tuple(header["nuisances"]),
        features=tuple(header["features"]),
        parts=parts,
        yields=header["yields"],
        yield_effect=header["yield_effect"],
        reference=header["reference"],
        validation=None if header["validation"] is None else RatioValidation.from_dict(header["validation"]),
        left_out=header.get("left_out", 0),
    )


def _write_polynomial(path: Path, ratio: LearnedPolynomialRatio) -> None:
    header = {
        "schema": POLYNOMIAL_SCHEMA,
        "nuisances": ratio.nuisances,
        "form": ratio.form,
        "order": ratio.order,
        "reference": dict(ratio.reference),
        "regression": ratio.regression.header(),
        "validation": None if ratio.validation is None else ratio.validation.to_dict(),
    }
    own = {"powers": ratio.powers, "reach": ratio.reach, "yields": ratio.yields, "mean": ratio.mean}
    write_npz(path, header, {**own, **ratio.regression.arrays()})


def _polynomial(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> LearnedPolynomialRatio:
    ratio = LearnedPolynomialRatio(
        nuisances=tuple(header["nuisances"]),
        powers=arrays["powers"],
        form=header["form"],
        regression=Regression.from_header(header["regression"], arrays),
        reach=arrays["reach"],
        order=header["order"],
        yields=arrays["yields"],
        mean=arrays["mean"],
        reference=header["reference"],
        validation=None if header["validation"] is None else RatioValidation.from_dict(header["validation"]),
    )
    terms = ratio.regression.coefficients.shape[2]
    if ratio.powers.shape != (terms, len(ratio.nuisances)) or ratio.yields.shape != ratio.mean.shape != (terms,):
        raise ValueError("arrays do not fit together")
    return ratio


def _part(values: dict[str, Any], thetas: np.ndarray) -> LearnedTerms:
    network = RatioNetwork(len(values["inputs"]), tuple(values["hidden"]))
    terms = tuple((int(i), int(j)) for i, j in values["terms"])
    if thetas.ndim != 3 or thetas.shape[1:] != (len(terms), network.parameters):
        raise ValueError(f"parameters have shape {thetas.shape}")
    return LearnedTerms(
        terms=terms,
        inputs=tuple(values["inputs"]),
        scaler=Scaler(np.array(values["location"]), np.array(values["deviation"])),
        scale=np.array(values["scale"]),
        network=network,
        thetas=thetas,
        form=values["form"],
        records=tuple(FitRecord.from_dict(record) for record in values["records"]),
    )
