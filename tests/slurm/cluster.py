"""A real SLURM of one node in a folder of its own: munged, slurmctld and slurmd as processes, without systemd."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

# More cores than there may be: jobs wait for the processor then, not for SLURM.
_CONFIGURATION = """\
ClusterName=nplm
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
KillWait=5
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16384 State=UNKNOWN
PartitionName=toys Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class SlurmCluster:
    """SLURM in a folder, from `with` until its end.

    Arguments:
        folder: for its configuration, state and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._configure()
            key, log = self.folder / "munge.key", self.folder / "munged.log"
            files = [f"--key-file={key}", f"--socket={self.folder}/munge.socket", f"--log-file={log}"]
            files += [f"--seed-file={self.folder}/munge.seed", f"--pid-file={self.folder}/munged.pid"]
            # Forced: it dislikes that others may write to /tmp.
            self._start("munged", "--foreground", "--force", *files)
            wait_until((self.folder / "munge.socket").exists, "munged answers", 30)
            self._start("slurmctld", "-D", "-c")
            self._start("slurmd", "-D")
            wait_until(lambda: self._output("sinfo", "-h", "-o", "%T") == "idle", f"a node is idle: see {self.folder}")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def run(self, *words: str, cwd: Path | None = None, **variables: str) -> str:
        """What a program of SLURM prints.

        Arguments:
            words: the program and its arguments.
            cwd: where it runs, and so the job that it submits.
            variables: of the environment, which jobs inherit.
        """
        environment = {**self.environment, **variables}
        return subprocess.run(words, cwd=cwd, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def jobs(self, *words: str) -> list[str]:
        """The jobs, and tasks of arrays, that wait or run; more words choose among them."""
        return self.run("squeue", "--noheader", "--array", "--format=%i", *words).split()

    def stop(self) -> None:
        """Ends the daemons and all that they started."""
        for daemon in reversed(self._daemons):
            daemon.terminate()
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
        # Jobs outlive the daemons; all have the configuration in their environment.
        for process in processes_with("SLURM_CONF", self.environment["SLURM_CONF"]) - {os.getpid()}:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for daemon in self._daemons:
            daemon.wait()

    def _configure(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        text = _CONFIGURATION.format(
            folder=self.folder,
            host=socket.gethostname().partition(".")[0],
            controller_port=_free_port(),
            node_port=_free_port(),
        )
        (self.folder / "slurm.conf").write_text(text, encoding="utf-8")

    def _start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.out").open("wb") as log:
            daemon = subprocess.Popen([name, *words], env=self.environment, stdout=log, stderr=log, cwd=self.folder)
        self._daemons.append(daemon)

    def _output(self, *words: str) -> str:
        """What a program prints, which may fail as long as the daemons start."""
        return subprocess.run(words, env=self.environment, capture_output=True, text=True).stdout.strip()


def processes_with(name: str, value: str) -> set[int]:
    """The processes that have a variable of this value in their environment."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has just ended
            if f"{name}={value}".encode() in file.read_bytes().split(b"\0"):
                found.add(int(file.parent.name))
    return found


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Returns as soon as a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:g} s until {what}"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
