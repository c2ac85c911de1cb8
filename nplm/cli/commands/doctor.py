"""The command `nplm doctor`: is everything in place for a test to run?"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import nplm
from nplm.cli.output import say

DISTRIBUTION = "nplm-jax"
REQUIRED = (
    *("jax", "jaxlib", "optax", "numpy", "scipy", "matplotlib", "jaxtyping", "h5py", "pyarrow", "pyyaml", "rich"),
    *("jinja2", "threadpoolctl"),
)
EXTRAS = {
    "root": ("uproot", "awkward"),
    "keops": ("pykeops",),
    "onnx": ("onnxruntime",),
    "hep": ("pyhf", "iminuit", "mplhep", "hist"),
    "cluster": ("dask", "distributed", "dask_jobqueue"),
}
JAX_VERSIONS = ((0, 10), (0, 13))
ENOUGH_MEMORY = 4 * 2**30


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report; `info` is neither good nor bad."""

    status: Literal["ok", "warn", "info"]
    text: str

    def __str__(self) -> str:
        return f"{self.status:<5} {self.text}"


def doctor(options: None = None) -> int:
    """Prints what it finds (there are no options); returns the exit code, see `nplm.cli.errors.DOCTOR_MEANINGS`."""
    warned = False
    for check in (_versions, _name, _devices, _extras, _machine):
        for finding in check():
            say(str(finding))
            warned |= finding.status == "warn"
    return int(warned)


def _versions() -> Iterator[Finding]:
    yield Finding("ok", f"{DISTRIBUTION} {nplm.__version__} at {nplm.__path__[0]}")
    yield Finding("ok", f"Python {platform.python_version()} on {platform.platform()}")
    for package in REQUIRED:
        version = _version(package)
        if version is None:
            yield Finding("warn", f'{package} is missing; run pip install "." in a clone of nplm')
        elif package in ("jax", "jaxlib") and not _supported(version):
            yield Finding("warn", f"{package} {version} is not among the versions nplm is tested with (0.10 to 0.12)")
        else:
            yield Finding("ok", f"{package} {version}")


def _name() -> Iterator[Finding]:
    """Whether something else can be imported instead of this package."""
    clashes = list(name_clashes(sys.path, Path(nplm.__path__[0])))
    for clash in clashes:
        yield Finding("warn", clash)
    if not clashes:
        yield Finding("ok", "the import name 'nplm' belongs to this package alone")


def name_clashes(search_path: list[str], package: Path) -> Iterator[str]:
    """What competes with this package for its import name, in words.

    Names are compared without regard to case: on file systems that ignore it, `import nplm` finds a folder NPLM.

    Arguments:
        search_path: folders where Python looks for imports.
        package: the folder of this package.
    """
    for entry in dict.fromkeys(search_path):
        folder = Path(entry)
        for found in sorted(folder.iterdir()) if folder.is_dir() else []:
            importable = found.name.lower() == "nplm.py" or (
                found.name.lower() == "nplm" and (found / "__init__.py").is_file()
            )
            if importable and not found.samefile(package):
                yield f"{found} has the same import name up to case; rename it, or uninstall what brought it"
    older = [d for d in metadata.distributions(path=search_path) if d.metadata["Name"].lower() == "nplm"]
    for distribution in older:
        yield (
            f"the older package {distribution.metadata['Name']} {distribution.version} is installed, which is another"
            " program; run: pip uninstall NPLM"
        )


def _devices() -> Iterator[Finding]:
    try:
        import jax
        import jax.numpy as jnp

        devices = jax.devices()
    except (ImportError, RuntimeError) as error:
        yield Finding("warn", f"JAX finds no device to compute on: {error}")
        return
    for device in devices:
        yield Finding("ok", f"JAX device {device.id}: {device.platform}, {device.device_kind}")
    with jax.enable_x64(True):
        # 2^-40 is lost beside 1 in float32, and kept in float64.
        works = float(jnp.ones(()) + 2.0**-40) == 1.0 + 2.0**-40
    if works:
        yield Finding("ok", "float64 works")
    else:
        yield Finding("warn", f"float64 does not work on {devices[0].platform}; run with JAX_PLATFORMS=cpu")


def _extras() -> Iterator[Finding]:
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            yield Finding(
                "info",
                f'extra {extra}: {", ".join(missing)} not there (optional: run pip install ".[{extra}]" in a clone of'
                " nplm)",
            )
        else:
            yield Finding("ok", f"extra {extra}: {', '.join(modules)}")


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("ok", f"{cores} cores")
    if not hasattr(os, "sysconf"):
        yield Finding("info", "memory: unknown on this system")
        return
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if memory < ENOUGH_MEMORY:
        yield Finding("warn", f"{memory / 2**30:.1f} GiB memory; large samples need {ENOUGH_MEMORY / 2**30:.0f} GiB")
    else:
        yield Finding("ok", f"{memory / 2**30:.1f} GiB memory")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _supported(version: str) -> bool:
    major, minor = (int(part) for part in version.split(".")[:2])
    return JAX_VERSIONS[0] <= (major, minor) < JAX_VERSIONS[1]
