#!/usr/bin/env bash
# Trains on several machines: sbatch --nodes=2 tools/launch/slurm_train.sh --phase 12 --run first
# Killed, preempted or out of time, the job is queued again, and goes on from its last checkpoint.
#SBATCH --job-name=snac-train
#SBATCH --gpus-per-node=4
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@300
#SBATCH --open-mode=append
#SBATCH --output=snac-train-%j.log
set -euo pipefail

MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER_ADDR MASTER_PORT=${MASTER_PORT:-29500}

# Slurm sends TERM five minutes before the end; the run is saved, and 143 means that it may go on
code=0
srun snac-train "$@" --resume auto || code=$?
if [ "$code" = 143 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
