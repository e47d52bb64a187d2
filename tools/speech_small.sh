#!/usr/bin/env bash
# Makes builtin:speech-small and its figures: tools/speech_small.sh SPEECH
# SPEECH holds nathalie, kerstin and klettres, each with train/ and val/. Hours on two CPU cores.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"

if [ $# -ne 1 ] || [ ! -d "$1/nathalie/train" ] || [ ! -d "$1/kerstin/train" ]; then
    echo "usage: tools/speech_small.sh SPEECH   (a folder with nathalie/, kerstin/ and klettres/)" >&2
    exit 2
fi

source "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"
speech=$(CDPATH='' cd -- "$1" && pwd)
export SNAC_ARTIFACTS=${SNAC_ARTIFACTS:-artifacts}/speech-small
model=$SNAC_ARTIFACTS/runs/speech-small/best

step snac-manifest "$speech/nathalie" "$speech/kerstin"
step snac-train --phase base --run speech-small

# every codebook's use, over all there is
step snac-manifest "$speech"/{nathalie,kerstin,klettres} --min-duration 0.2 -o "$SNAC_ARTIFACTS/everything"
step snac-cache --model "$model" --manifest "$SNAC_ARTIFACTS/everything"
step snac-check --manifest "$SNAC_ARTIFACTS/everything"
step snac-check --sql 'FROM codebooks'

step python "$root/tools/codec_figures.py" "$model" "$speech"/{nathalie,kerstin,klettres}/val
say_times
echo "copy config.json and model.safetensors of $model to packages/snac-model/src/snac_model/builtin/speech-small"
