"""Turns what goes wrong while toys are run or written into the end of the command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nplm.cli.errors import DataFitError, InputError, OutputError, WorkersError


@contextmanager
def refusing_bad_output(folder: Path) -> Iterator[None]:
    """Around what is written into a folder.

    Raises:
        OutputError: if the folder holds other toys, or a file in it cannot be written.
    """
    from nplm.toys.store import StoreError

    try:
        yield
    except StoreError as error:
        raise OutputError(str(error)) from error
    except OSError as error:
        raise OutputError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error


@contextmanager
def refusing_failed_toys(folder: Path, kept: Callable[[], str]) -> Iterator[None]:
    """Around toys that are run into a folder.

    Arguments:
        folder: where they are stored.
        kept: says which toys are there by now.

    Raises:
        CommandError: if a sampler, the fits, the engine or the folder fails.
    """
    from nplm.statistic import FitError
    from nplm.toys.campaign import SamplerError
    from nplm.toys.engines.base import EngineError

    try:
        with refusing_bad_output(folder):
            yield
    except SamplerError as error:
        raise InputError(f"{error}; {kept()}") from error
    except FitError as error:
        raise DataFitError(str(error)) from error
    except EngineError as error:
        raise WorkersError(f"{error}; {kept()}") from error
