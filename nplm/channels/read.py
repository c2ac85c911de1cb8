"""Tables of counting regions and of templates from files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from nplm._util.yaml_text import load_yaml
from nplm.channels.table import RegionTable
from nplm.io.records import read_records

if TYPE_CHECKING:
    from nplm.channels.workspace_likelihood import WorkspaceLikelihood


def read_regions(
    path: str | Path,
    covariances: str | Path | None = None,
    workspaces: Mapping[str, str | Path] | None = None,
) -> RegionTable:
    """Counting regions from a CSV or Parquet file with the columns region, analysis, observed, expected and error.

    All other columns are labels: experiment, energy, signature, whatever a rule of combination may need.

    Arguments:
        path: the file; or a workspace of pyhf (.json), whose bins become regions, see `nplm.channels.workspace`.
        covariances: a JSON file that has, for analyses by name, "order" (names of regions) and "covariance" or
            "correlation" (rows of numbers).
        workspaces: files of pyhf's workspaces, by the analysis whose regions their bins replace.

    Raises:
        ValueError: naming file, place and remedy, if something is missing or makes no sense.
    """
    from nplm.channels.workspace import regions_of_workspace, with_workspace

    path = Path(path)
    if _is_workspace(path):
        table = regions_of_workspace(read_document(path), analysis=path.stem, name=str(path))
    else:
        words, numbers = read_records(path, text=("region", "analysis"), numbers=("observed", "expected", "error"))
        table = RegionTable.from_columns({**words, **numbers}, name=str(path))
    if covariances is not None:
        table = table.with_covariances(read_document(Path(covariances)), name=str(covariances))
    for analysis, file in (workspaces or {}).items():
        bins = regions_of_workspace(read_document(Path(file)), analysis=analysis, name=str(file))
        table = with_workspace(table, analysis, bins)
    return table


def read_likelihoods(
    path: str | Path, workspaces: Mapping[str, str | Path] | None = None
) -> Mapping[str, WorkspaceLikelihood]:
    """Full likelihoods of the workspaces that `read_regions` would take regions from, by analysis.

    Arguments:
        path, workspaces: as there.

    Raises:
        ValueError: naming the file, if there is no workspace, or as `WorkspaceLikelihood.of`.
    """
    from nplm.channels.workspace_likelihood import WorkspaceLikelihood

    files = dict(workspaces or {})
    if _is_workspace(Path(path)):
        files[Path(path).stem] = path
    if not files:
        raise ValueError(f"{path} is a table of numbers: a full likelihood needs workspaces of pyhf")
    found = {}
    for analysis, file in files.items():
        document = read_document(Path(file))
        try:
            found[analysis] = WorkspaceLikelihood.of(document)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
    return found


def _is_workspace(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def read_document(path: Path) -> Mapping[str, Any]:
    """A JSON or YAML file that holds a mapping.

    Raises:
        ValueError: if it cannot be read or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text in UTF-8") from error
    kind = "JSON" if path.suffix.lower() == ".json" else "YAML"
    try:
        document = json.loads(text) if kind == "JSON" else load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid {kind}: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(document, Mapping):
        raise ValueError(f"{path} must hold a mapping by name")
    return document
