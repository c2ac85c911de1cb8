"""Toys on a SLURM cluster with Dask: this program asks SLURM for workers and gives them toys until all are done.

    python slurm_dask.py --dry-run     # the job script that SLURM would get
    python slurm_dask.py               # the same command again goes on where it ended

It runs as long as the toys do: start it in tmux, or as a small job of its own. Change `cluster_of` to suit your
cluster, and `campaign_of` to suit your test.
"""

from __future__ import annotations

import argparse
import signal
import sys

from dask.distributed import Client
from dask_jobqueue import SLURMCluster

from nplm import NetworkModel, NPLMTest, read_sample
from nplm.calibration.null_campaign import bootstrapped_reference, needs_references
from nplm.toys import PoolSampler
from nplm.toys.campaign import Campaign
from nplm.toys.engines.base import EngineError
from nplm.toys.engines.dask import DaskWorkers
from nplm.toys.run import run_campaign


def cluster_of(options: argparse.Namespace) -> SLURMCluster:
    """Jobs of one worker with one core each."""
    return SLURMCluster(
        job_name="nplm-toys",
        queue=options.partition,
        account=options.account,
        cores=1,
        processes=1,
        memory="2GB",
        walltime="04:00:00",
        log_directory="logs",
        # A worker leaves before SLURM ends it, which would look like a toy that kills it; another job takes its place.
        worker_extra_args=["--lifetime", "220m", "--lifetime-stagger", "10m"],
        # One thread, also where SLURM does not bind a job to its cores.
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
    parser = argparse.ArgumentParser(description="Runs toys on a SLURM cluster.")
    parser.add_argument("--reference", default="reference.npz", metavar="FILE", help="(%(default)s)")
    parser.add_argument("--store", default="null", metavar="FOLDER", help="where the toys are kept (%(default)s)")
    parser.add_argument("--toys", type=int, default=10_000, metavar="N", help="(%(default)s)")
    parser.add_argument("--jobs", type=int, default=100, metavar="N", help="workers to ask SLURM for (%(default)s)")
    parser.add_argument("--partition", metavar="NAME", help="partition of SLURM (default: that of the cluster)")
    parser.add_argument("--account", metavar="NAME", help="account of SLURM (default: your own)")
    parser.add_argument("--dry-run", action="store_true", help="print the job script and do nothing")
    options = parser.parse_args()
    # dask_jobqueue makes Ctrl-C a silent success; SIGTERM is how batch systems end a job.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with cluster_of(options) as cluster:
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
