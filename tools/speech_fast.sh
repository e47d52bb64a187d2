#!/usr/bin/env bash
# Trains a small Fourier decoder of builtin:speech-small's tokens and measures it beside its teacher:
#   tools/speech_fast.sh SPEECH [OPTION OF snac-train]...
# SPEECH holds nathalie, kerstin and klettres, each with train/ and val/. Given again after a stop, it
# goes on where it was. What it learns is its teacher's audio, written once; about 40 minutes on one core.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"

if [ ! -d "${1:-}/nathalie/train" ] || [ ! -d "$1/kerstin/train" ]; then
    echo "usage: tools/speech_fast.sh SPEECH [OPTION OF snac-train]...   (SPEECH holds nathalie/, kerstin/ and klettres/)" >&2
    exit 2
fi

source "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"
speech=$(CDPATH='' cd -- "$1" && pwd)
shift
export SNAC_ARTIFACTS=${SNAC_ARTIFACTS:-artifacts}/speech-fast
teacher=builtin:speech-small
run=$SNAC_ARTIFACTS/runs/speech-fast

small=(--epochs 45 --warmup-epochs 0 --batch-size 6 --segment-schedule 1.36
    --set model.heads=24k
    --set fourier.dim=128 --set fourier.hidden=384 --set fourier.blocks=8
    --set adversarial.weight=0 --set loss.terms=l1,stft --set loss.l1_weight=10
    --set loss.weight_24k=1 --set loss.fft_sizes_24k=256,512,1024,2048
    --set optimizer.main_lr=2e-3 --set optimizer.average=0.99
    --set schedule.shape=onecycle --set schedule.pct_start=0.1 --set schedule.div_factor=10
    --set schedule.final_div_factor=20
    --set validation.limit=12 --set validation.segment_s=2
    --set checkpoint.best=last --set checkpoint.every_minutes=10)

step snac-manifest "$speech/nathalie" "$speech/kerstin"
step snac-cache --model $teacher
step python "$root/tools/teacher_audio.py" $teacher -o "$SNAC_ARTIFACTS/teacher"
if [ -d "$run" ]; then
    step snac-train --run speech-fast --resume --manifest "$SNAC_ARTIFACTS/teacher/manifests"
else
    step snac-train --phase fast --base $teacher --run speech-fast \
        --manifest "$SNAC_ARTIFACTS/teacher/manifests" "${small[@]}" "$@"
fi
step snac-eval $teacher speech-fast --name speech-fast
for model in $teacher "$run/best"; do
    step python "$root/tools/codec_figures.py" "$model" "$speech"/{nathalie,kerstin,klettres}/val
done
say_times
echo "copy config.json and model.safetensors of $run/best to packages/snac-model/src/snac_model/builtin/speech-fast"
