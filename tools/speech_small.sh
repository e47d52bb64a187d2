#!/usr/bin/env bash
# Makes builtin:speech-small and builtin:speech-fast, and their figures: tools/speech_small.sh SPEECH
# SPEECH holds nathalie, kerstin and klettres, each with train/ and val/. Hours on two CPU cores; given
# again after a stop, it goes on where it was.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"

if [ $# -ne 1 ] || [ ! -d "$1/nathalie/train" ] || [ ! -d "$1/kerstin/train" ]; then
    echo "usage: tools/speech_small.sh SPEECH   (a folder with nathalie/, kerstin/ and klettres/)" >&2
    exit 2
fi

source "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"
speech=$(CDPATH='' cd -- "$1" && pwd)
export SNAC_ARTIFACTS=${SNAC_ARTIFACTS:-artifacts}/speech-small
art=$SNAC_ARTIFACTS runs=$SNAC_ARTIFACTS/runs

common=(--set checkpoint.best=last --set checkpoint.every_minutes=10 --set validation.segment_s=2)
mel=(--set loss.terms=stft,mel --set loss.mel_windows=256,512,1024,2048
    --set loss.fft_sizes_24k=256,512,1024,2048)

# 1. A codec from nothing, with SNAC's decoder.
step snac-manifest "$speech/nathalie" "$speech/kerstin"
step snac-train --phase base --run first --resume auto

# 2. A Fourier decoder that imitates the first one's: its steps take a third of the time.
step snac-cache --model "$runs/first/best"
step python "$root/tools/teacher_audio.py" "$runs/first/best" -o "$art/teacher"
step snac-train --phase fast --base "$runs/first/best" --run imitation --resume auto \
    --manifest "$art/teacher/manifests" \
    --epochs 45 --warmup-epochs 0 --batch-size 6 --segment-schedule 1.36 \
    --set model.heads=24k --set fourier.dim=128 --set fourier.hidden=384 --set fourier.blocks=8 \
    --set adversarial.weight=0 --set loss.terms=l1,stft --set loss.l1_weight=10 \
    --set loss.weight_24k=1 --set loss.fft_sizes_24k=256,512,1024,2048 \
    --set optimizer.main_lr=2e-3 --set optimizer.average=0.99 \
    --set schedule.shape=onecycle --set schedule.pct_start=0.1 --set schedule.div_factor=10 \
    --set schedule.final_div_factor=20 --set validation.limit=12 "${common[@]}"

# 3. Encoder, quantizer and this decoder together, for spectra alone; then once more from high rates.
together=(--phase base --resume auto --set model.weights=pretrained --set codebooks.fill=false
    --warmup-epochs 0 --epoch-ranges 1-999 --set optimizer.tokenizer_lr=5e-4 --set validation.limit=16)
step snac-train "${together[@]}" --base "$runs/imitation/best" --run joint --epochs 60 "${mel[@]}" "${common[@]}"
step snac-train "${together[@]}" --base "$runs/joint/best" --run longer --epochs 95 "${mel[@]}" "${common[@]}"

# 4. This decoder alone, of the tokens that are now: with them it is speech-fast.
export SNAC_ARTIFACTS=$art/decoder
step snac-manifest "$speech/nathalie" "$speech/kerstin"
step python "$root/tools/with_tokenizer.py" "$runs/longer/best" "$runs/first/best" -o "$SNAC_ARTIFACTS/start"
step snac-cache --model "$SNAC_ARTIFACTS/start"
step snac-train --phase refine --base "$runs/longer" --run fast --resume auto \
    --epochs 7 --batch-size 4 --segment-schedule 0.68 --main-lr 2e-4 --set optimizer.head_24k_lr=2e-4 \
    --set adversarial.weight=0 --set validation.limit=16 "${mel[@]}" "${common[@]}"

# 5. SNAC's decoder of the same tokens: with them it is speech-small.
step snac-train --phase 10 --run decoder --resume auto \
    --epochs 36 --warmup-epochs 0 --batch-size 6 --segment-schedule 0.68 --epoch-ranges 1-36 \
    --set curriculum.batch_multiplier=1.0 --set loss.weight_24k=1 \
    --main-lr 1e-3 --set optimizer.head_24k_lr=1e-3 \
    --set schedule.floor=0.0 --set schedule.pct_start=0.05 --set schedule.div_factor=5 \
    --set schedule.final_div_factor=100 --set validation.limit=16 "${mel[@]}" "${common[@]}"
step snac-export fast --half --no-onnx --no-page --overwrite
small=$SNAC_ARTIFACTS/runs/decoder/best fast=$SNAC_ARTIFACTS/export/fast

# every codebook's use, over all there is
export SNAC_ARTIFACTS=$art/everything
step snac-manifest "$speech"/{nathalie,kerstin,klettres} --min-duration 0.2
step snac-cache --model "$small"
step snac-check
step snac-check --sql 'FROM codebooks'

for model in "$small" "$fast"; do
    step python "$root/tools/codec_figures.py" "$model" "$speech"/{nathalie,kerstin,klettres}/val
done
say_times
echo "copy config.json and model.safetensors of $small to packages/snac-model/src/snac_model/builtin/speech-small"
echo "and those of $fast to packages/snac-model/src/snac_model/builtin/speech-fast"
