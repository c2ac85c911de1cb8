"""Compiled programs are kept in the user's cache folder, so that the next run of a command need not compile again.

JAX reads its settings from the environment when it is first imported, and worker processes inherit them.
"""

from __future__ import annotations

import os
import platform
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import platformdirs

# What compiles faster than this is not worth a file.
_LEAST_SECONDS = "0.05"
# Bytes that the folder may hold before the oldest half is removed.
_MOST_BYTES = 1 << 30


def keep_compilations() -> None:
    """Tells JAX to keep what it compiles, unless the environment says where, or the folder cannot be written.

    A program that cannot be read back, such as one whose writing was interrupted, is compiled again without a word,
    each time, as JAX keeps the file that is there.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = platformdirs.user_cache_path("nplm") / f"compiled-{_processor()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(folder, os.W_OK):
        return
    remove_oldest(folder, _MOST_BYTES)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", _LEAST_SECONDS)
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")


def remove_oldest(folder: Path, most: int) -> None:
    """Removes the files of a folder that were written first, until half of the limit is left, if it is exceeded."""
    with suppress(OSError):  # another run removes them too
        files = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder))
        total = sum(size for _, size, _ in files)
        if total <= most:
            return
        for _, size, path in files:
            if total <= most // 2:
                return
            Path(path).unlink()
            total -= size


def _processor() -> str:
    """A name for the instructions that this processor has: machines that share a home folder may differ in them."""
    words = [platform.machine(), platform.processor()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        words += [line for line in lines if line.startswith(("flags", "Features"))][:1]
    return f"{zlib.crc32(' '.join(words).encode()):08x}"
