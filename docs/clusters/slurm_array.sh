#!/bin/bash
# Toys as an array of SLURM jobs: each job runs its share of the toys into one store on the shared file system.
#
#     sbatch slurm_array.sh
#
# The same command again runs what is missing then. Change what follows to suit your cluster and your test.
#SBATCH --job-name=nplm-toys
#SBATCH --array=1-100
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=04:00:00
#SBATCH --output=nplm-toys-%A-%a.log

set -euo pipefail

# The shares are counted here, not by SLURM: they stay the same when only some jobs are submitted again, as with
# sbatch --array=7,12 slurm_array.sh. It must be the last number of --array above.
SHARES=${SHARES:-100}

# Where nplm is installed, such as a virtual environment on the shared file system.
# source "$HOME/nplm/.venv/bin/activate"

# One thread, also where SLURM does not bind a job to its cores.
export NPROC=${SLURM_CPUS_PER_TASK:-1}

# exec: so that the signal by which SLURM ends a job reaches nplm, which then stops in good order.
exec nplm toys run \
    --reference "${REFERENCE:-reference.npz}" --weights weight --clip 7 \
    --toys "${TOYS:-10000}" --seed 1 \
    --batch 1 --shard "$SLURM_ARRAY_TASK_ID/$SHARES" --quiet \
    --output "${STORE:-null}"
