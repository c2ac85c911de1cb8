"""Toys on an HTCondor cluster with Dask: this program asks HTCondor for workers and gives them toys until all are done.

    python htcondor_dask.py --dry-run     # the submit file that HTCondor would get
    python htcondor_dask.py               # the same command again goes on where it ended

It runs as long as the toys do: start it in tmux, on a machine that the workers can reach. Change `cluster_of` to suit
your cluster, and `campaign_of` to suit your test.
"""

from __future__ import annotations

import argparse
import signal
import sys

from dask.distributed import Client
from dask_jobqueue import HTCondorCluster

from nplm import NetworkModel, NPLMTest, read_sample
from nplm.calibration.null_campaign import bootstrapped_reference, needs_references
from nplm.toys import PoolSampler
from nplm.toys.campaign import Campaign
from nplm.toys.engines.base import EngineError
from nplm.toys.engines.dask import DaskWorkers
from nplm.toys.run import run_campaign


def cluster_of() -> HTCondorCluster:
    """Jobs of one worker with one core each."""
    return HTCondorCluster(
        job_name="nplm-toys",
        cores=1,
        processes=1,
        memory="2GB",
        disk="1GB",
        log_directory="logs",
        # The most time a job may take, as CERN's cluster calls it. A worker leaves before it is over, which would look
        # like a toy that kills it; another job takes its place.
        job_extra_directives={"+MaxRuntime": 4 * 3600},
        worker_extra_args=["--lifetime", "220m", "--lifetime-stagger", "10m"],
        # One thread: HTCondor does not bind a job to its cores.
        job_script_prologue=["export NPROC=1"],
    )


def campaign_of(options: argparse.Namespace) -> Campaign:
    """Null toys of a test of this reference, as `nplm toys run` draws them."""
    test = NPLMTest(read_sample(options.reference, weights="weight"), NetworkModel((4,), clip=7.0))
    expected = test.reference.total_weight
    # Where the reference is small, it fluctuates from toy to toy as the data do.
    references = bootstrapped_reference(test) if needs_references(test, expected) else None
    return Campaign(test, PoolSampler(test.reference, expected), seed=1, reference_sampler=references)


def main() -> int:
    """Runs the toys that are not in the store yet."""
    parser = argparse.ArgumentParser(description="Runs toys on an HTCondor cluster.")
    parser.add_argument("--reference", default="reference.npz", metavar="FILE", help="(%(default)s)")
    parser.add_argument("--store", default="null", metavar="FOLDER", help="where the toys are kept (%(default)s)")
    parser.add_argument("--toys", type=int, default=10_000, metavar="N", help="(%(default)s)")
    parser.add_argument("--jobs", type=int, default=100, metavar="N", help="workers to ask HTCondor for (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="print the submit file and do nothing")
    options = parser.parse_args()
    # dask_jobqueue makes Ctrl-C a silent success; SIGTERM is how batch systems end a job.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with cluster_of() as cluster:
        if options.dry_run:
            print(cluster.job_script())
            return 0
        # A job that ends is replaced.
        cluster.adapt(minimum_jobs=options.jobs, maximum_jobs=options.jobs)
        with Client(cluster) as client:
            engine = DaskWorkers(client, notify=print)
            try:
                table = run_campaign(campaign_of(options), options.toys, store=options.store, engine=engine, batch=1)
            except EngineError as error:
                print(f"{error}. The same command runs the rest", file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                print("interrupted; the same command runs the rest", file=sys.stderr)
                return 130
    print(f"{len(table)} toys in {options.store}, mean t {table.t[table.succeeded].mean():.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
