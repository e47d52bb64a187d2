#!/usr/bin/env bash
# What tools/phase10.sh, phase11.sh and phase12.sh share.

usage() {
    cat >&2 <<EOF
usage: tools/phase$1.sh FOLDER [OPTION]...

From the audio in FOLDER to a report, by the commands alone; run again after any stop, it goes on
where it was. Results go to \$SNAC_ARTIFACTS, else ./artifacts.

  --run NAME           of the run and its report [phase$1]
  --artifacts DIR      results go there
  --engine NAME        of snac-upsample: sidon, or resample where there is no network; none leaves
                       all without 48 kHz targets that has none yet [sidon]
  --model MODEL        whose codes they are [snac-cache's default]
  --gpus 0,1           for all that computes
  --device cpu         for all
  --limit N, --val-limit N   only N utterances, chosen by a hash of their ids, are encoded and
                       trained on
  --max-reject-rate R  a step fails if more of its input is rejected [0.05]
  --min-duration S, --max-duration S, --val-ratio R, --group-by REGEX   for snac-manifest
  --from DIR, --correct, --max-lag MS, --sidon-...   for snac-upsample; with --from, its engine
                       is files
  --append             snac-cache adds what is new, such as after --limit, to the codes that are there
  anything else goes to snac-train: --epochs 6, --base MODEL, --set loss.stft_weight=2, ...

example: tools/phase$1.sh ~/speech --gpus 0,1,2,3
EOF
    exit 2
}

whole_way() { # whole_way PHASE FOLDER OPTION...
    local phase=$1 audio=${2:-} run=phase$1 engine=sidon
    local model=() gpus=() device=() limits=() rejects=() scanning=() targets=() append=() training=()
    [ -d "$audio" ] || usage "$phase"
    shift 2
    while [ $# -gt 0 ]; do
        [[ $1 == --*=* ]] && set -- "${1%%=*}" "${1#*=}" "${@:2}"
        case $1 in
        --run | --artifacts | --engine | --model | --gpus | --device | --limit | --val-limit | \
            --max-reject-rate | --min-duration | --max-duration | --val-ratio | --group-by | \
            --from | --max-lag | --sidon-*)
            [ $# -gt 1 ] || usage "$phase"
            ;;&
        --run) run=$2 && shift ;;
        --artifacts) export SNAC_ARTIFACTS=$2 && shift ;;
        --engine) engine=$2 && shift ;;
        --model) model=("$1" "$2") && shift ;;
        --gpus) gpus=("$1" "$2") && shift ;;
        --device) device=("$1" "$2") && shift ;;
        --limit | --val-limit) limits+=("$1" "$2") && shift ;;
        --max-reject-rate) rejects=("$1" "$2") && shift ;;
        --min-duration | --max-duration | --val-ratio | --group-by) scanning+=("$1" "$2") && shift ;;
        --from) engine=files && targets+=("$1" "$2") && shift ;;
        --max-lag | --sidon-*) targets+=("$1" "$2") && shift ;;
        --correct) targets+=("$1") ;;
        --append) append=("$1") ;;
        -h | --help) usage "$phase" ;;
        *) training+=("$1") ;;
        esac
        shift
    done

    source "$(dirname -- "${BASH_SOURCE[0]}")/steps.sh"
    export SNAC_ARTIFACTS=${SNAC_ARTIFACTS:-artifacts}
    make_manifest "$audio" "${scanning[@]}" "${rejects[@]}"
    [ "$engine" = none ] ||
        step snac-upsample --engine "$engine" "${targets[@]}" "${gpus[@]}" "${device[@]}" "${rejects[@]}"
    step snac-cache "${model[@]}" "${gpus[@]}" "${device[@]}" "${limits[@]}" "${append[@]}" "${rejects[@]}"
    step snac-check
    train "$phase" "$run" "${gpus[@]}" "${device[@]}" "${limits[@]}" "${rejects[@]}" "${training[@]}"
    step snac-eval "$run" "${gpus[@]}" "${device[@]}" "${rejects[@]}"
    say_times
    echo "report: $SNAC_ARTIFACTS/eval/$run/report.html"
}

# A manifest that was accepted is kept, so that a second call goes on where the first one was.
# One that is there says nothing: snac-manifest writes it before it fails on too many rejects.
make_manifest() { # make_manifest FOLDER OPTION...
    local manifests=$SNAC_ARTIFACTS/manifests audio
    audio=$(CDPATH='' cd -- "$1" && pwd -P)
    if [ -f "$manifests/train.parquet" ] && [ "$(cat "$manifests/source" 2>/dev/null)" != "$audio" ]; then
        echo "$manifests is not of $audio: give another --artifacts, or remove it to go on" >&2
        exit 1
    elif [ ! -f "$manifests/.accepted" ] || [ ! -f "$manifests/train.parquet" ]; then
        mkdir -p -- "$manifests"
        printf '%s\n' "$audio" >"$manifests/source"
        step snac-manifest "$audio" "${@:2}"
        touch -- "$manifests/.accepted"
    else
        echo "keeping $manifests; to find new files of $audio, see snac-cache --append" >&2
    fi
}

train() { # train PHASE RUN OPTION...
    local phase=$1 run=$2 begun=()
    local runs=$SNAC_ARTIFACTS/runs
    if [ -f "$runs/$run/recipe.toml" ]; then
        begun=(--resume)
    elif [ "$phase" = 11 ] && [ -d "$runs/phase10/best" ] && [[ " $* " != *" --base "* ]]; then
        begun=(--base "$runs/phase10/best")
    fi
    step snac-train --phase "$phase" --run "$run" "${@:3}" "${begun[@]}"
}
