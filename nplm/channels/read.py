"""Tables of counting regions and of templates from files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nplm._util.yaml_text import load_yaml
from nplm.channels.table import RegionTable
from nplm.io.records import read_records


def read_regions(path: str | Path, covariances: str | Path | None = None) -> RegionTable:
    """Counting regions from a CSV or Parquet file with the columns region, analysis, observed, expected and error.

    All other columns are labels: experiment, energy, signature, whatever a rule of combination may need.

    Arguments:
        path: the file; or a workspace of pyhf (.json), whose bins become regions, see `nplm.channels.workspace`.
        covariances: a JSON file that has, for analyses by name, "order" (names of regions) and "covariance" or
            "correlation" (rows of numbers).

    Raises:
        ValueError: naming file, place and remedy, if something is missing or makes no sense.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        from nplm.channels.workspace import regions_of_workspace

        table = regions_of_workspace(read_document(path), analysis=path.stem, name=str(path))
    else:
        words, numbers = read_records(path, text=("region", "analysis"), numbers=("observed", "expected", "error"))
        table = RegionTable.from_columns({**words, **numbers}, name=str(path))
    if covariances is None:
        return table
    return table.with_covariances(read_document(Path(covariances)), name=str(covariances))


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
