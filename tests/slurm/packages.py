"""The programs of SLURM: those of Debian, which are installed where they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
_PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scontrol", "munged")


class NotHereError(Exception):
    """Raised where there can be no SLURM; says why in one line."""


def require_slurm() -> None:
    """Returns once all programs are there.

    Raises:
        NotHereError: if this user or machine can neither have nor start them.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise NotHereError("no SLURM: only root can start its daemons")
    if all(map(shutil.which, _PROGRAMS)):
        return
    if shutil.which("apt-get") is None:
        raise NotHereError(f"no SLURM: {_missing()} not found, and no apt-get to install it, as Debian has")
    # Lists of packages may be missing or too old, as in most images of containers.
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(["apt-get", "-q", *words], env=environment, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise NotHereError(f"no SLURM: apt-get {words[0]} failed ({last})")
    if missing := _missing():
        raise NotHereError(f"no SLURM: {missing} not found, though {', '.join(PACKAGES)} are installed")


def _missing() -> str:
    return ", ".join(program for program in _PROGRAMS if shutil.which(program) is None)
