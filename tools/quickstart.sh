#!/usr/bin/env bash
# From nothing to a report: tools/quickstart.sh [FOLDER]
# FOLDER holds speech (wav, flac, ogg, mp3), of which at most 80 files are used; without one,
# speech-like audio is made.
# Results go to quickstart/ under $SNAC_ARTIFACTS, else ./artifacts; those of an earlier
# quick start on the same audio are cleared.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"

model=builtin:speech-small
run=first
rejects=(--max-reject-rate 1) # are told, and stop nothing
taste=(--limit 64 --val-limit 16) # of a large FOLDER, so that it stays quick
training=(--epochs 6 --warmup-epochs 2 --warmup-lr 5e-3 --main-lr 5e-4 --lr-24k-final-conv 5e-4)

if [ $# -gt 1 ] || { [ $# -eq 1 ] && [ ! -d "$1" ]; }; then
    echo "usage: tools/quickstart.sh [FOLDER]   (an existing folder of speech, or nothing)" >&2
    exit 2
fi

source "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"

audio=${1:-}
name=$(basename -- "${audio:+$(CDPATH='' cd -- "$audio" && pwd)}")
export SNAC_ARTIFACTS=${SNAC_ARTIFACTS:-artifacts}/quickstart/${name:-made}

if [ -d "$SNAC_ARTIFACTS/manifests" ]; then
    echo "clearing the earlier quick start's results in $SNAC_ARTIFACTS" >&2
    rm -rf -- "$SNAC_ARTIFACTS"/{manifests,audio48k,codes,runs,eval}
fi
if [ -z "$audio" ]; then
    audio=$SNAC_ARTIFACTS/speech
    step "$root/tools/make_speech.py" -o "$audio"
fi

step snac-manifest "$audio" --min-duration 0.3 --val-ratio 0.1 "${taste[@]}" "${rejects[@]}"
step snac-upsample --engine resample "${rejects[@]}"
step snac-cache --model "$model" "${rejects[@]}"
step snac-train --recipe small --run "$run" "${training[@]}" "${rejects[@]}"
step snac-eval "$run" "${rejects[@]}"

say_times
echo "report: $SNAC_ARTIFACTS/eval/$run/report.html"
