"""Writes the demonstration's two files: `python -m toys.demo FOLDER` gives FOLDER/reference.npz and FOLDER/data.npz."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nplm.io import write_sample
from toys.exponential import BULK, EXPECTED_YIELD, draw_data, draw_reference, ideal_z

N_REFERENCE = 100_000
SEED = 2


def write_demo(folder: Path) -> tuple[Path, Path]:
    """Writes the reference and the data, both with fixed seed.

    Arguments:
        folder: where to; made if it does not exist.

    Returns:
        The paths of the reference and of the data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    reference, data = folder / "reference.npz", folder / "data.npz"
    write_sample(draw_reference(rng, N_REFERENCE), reference)
    write_sample(draw_data(rng, signal=BULK), data)
    return reference, data


def main() -> None:
    """Command line of the demonstration."""
    parser = argparse.ArgumentParser(prog="python -m toys.demo", description="Write the demonstration's two files.")
    parser.add_argument("folder", type=Path, help="where to write reference.npz and data.npz")
    reference, data = write_demo(parser.parse_args().folder)
    print(f"{reference}: {N_REFERENCE} events of an exponential that expects {EXPECTED_YIELD:g} events of data")
    print(f"{data}: such data with about {BULK.expected:g} events of a peak at x = {BULK.distribution.mean():g} added")
    print(f"A test that knew this signal would find Z = {ideal_z(BULK):.1f} in the median")


if __name__ == "__main__":
    main()
