"""A SLURM of one node for the tests in this folder, which nothing but `make test-slurm` runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import SlurmCluster
from tests.slurm.packages import NotHereError, require_slurm


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whether a file is left out: unless the mark is asked for, as the tests install packages."""
    return None if config.option.markexpr == "slurm" else True


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """A SLURM whose node takes four jobs at a time; it ends with the tests, and so do its jobs."""
    pytest.importorskip("dask_jobqueue")
    try:
        require_slurm()
    except NotHereError as error:
        pytest.skip(str(error))
    with SlurmCluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster
