#!/usr/bin/env bash
# Caches codes in a Slurm array, a GPU a task: sbatch --array=0-15 tools/launch/slurm_cache.sh
# Every task takes its share of the parts. A task that is preempted starts again and goes on.
# $SNAC_ARTIFACTS, or ./artifacts, must be on a file system that all machines see.
#SBATCH --job-name=snac-cache
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@60
#SBATCH --output=snac-cache-%A-%a.log
set -euo pipefail

# exec: Slurm's signals reach the command itself, which puts its work away in order
exec snac-cache "$@"
