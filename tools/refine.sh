#!/usr/bin/env bash
# Refines a run against discriminators, trains a control of as many steps without them, and evaluates
# both beside the start:
#   tools/refine.sh RUN [OPTION OF snac-train]...     tools/refine.sh first --gpus 0,1,2,3
# The runs are RUN-refined and RUN-control. Given again after a stop, it goes on where it was.
# SMALL=1 takes discriminators that learn on a CPU.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"

if [ -z "${1:-}" ] || [[ $1 == -* ]]; then
    echo "usage: tools/refine.sh RUN [OPTION OF snac-train]..." >&2
    exit 2
fi
source "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"

run=$1
shift
runs=${SNAC_ARTIFACTS:-artifacts}/runs
small=()
if [ -n "${SMALL:-}" ]; then
    small=(--batch-size 4 --epochs 8 --main-lr 1e-4
        --set adversarial.period_channels=4,16,64,128,128 --set adversarial.band_channels=8
        --set adversarial.window_sizes=1024,512 --set adversarial.lr=1e-3
        --set adversarial.head_start=300 --set optimizer.average=0.99)
fi

arm() { # arm NAME OPTION...: trains a run, or goes on with it
    if [ -d "$runs/$1" ]; then
        step snac-train --run "$1" --resume
    else
        step snac-train --phase refine --base "$runs/$run" --run "$@"
    fi
}

arm "$run-refined" "${small[@]}" "$@"
arm "$run-control" "${small[@]}" "$@" --set adversarial.weight=0
step snac-eval "$run" "$run-refined" "$run-control" --name "$run-refined"
say_times
