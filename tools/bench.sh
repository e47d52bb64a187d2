#!/usr/bin/env bash
# Measures what is claimed, each row beside what a user would pick instead:
#   tools/bench.sh [--scale] [FOLDER] [--device cuda]
# FOLDER holds speech; by default it is ../shared/speech/nathalie.
# --scale also fabricates a cache of 3.5 million utterances, which takes minutes and 8 GB.
# --device cuda measures encoding and training steps on the GPU, in every precision.
# It prints Markdown; docs/benchmarks-history.md holds results with their hardware.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"
cd "$(dirname "$0")/.."
source tools/setup.sh

scale=false
if [[ ${1-} == --scale ]]; then
    scale=true
    shift
fi
folder=../shared/speech/nathalie
if [[ $# -gt 0 && $1 != -* ]]; then
    folder=$1
    shift
fi
uv run --locked python tools/bench/machine.py
uv run --locked python tools/bench/encode.py "$folder" "$@"
if [[ "$*" == *cuda* ]]; then
    uv run --locked python tools/bench/gpu_encode.py "$folder"
fi
uv run --locked python tools/bench/evaluate.py "$folder" "$@"
uv run --locked python tools/bench/worker_memory.py "$folder"
uv run --locked python tools/bench/data.py "$folder"
uv run --locked python tools/bench/step.py "$folder" "$@"
uv run --locked python tools/bench/decode.py "$folder" "$@"
uv run --locked python tools/bench/fast.py
uv run --locked python tools/bench/look_ahead.py "$folder"
uv run --locked python tools/bench/compare.py
if $scale; then
    uv run --locked python tools/bench/scale.py
fi
