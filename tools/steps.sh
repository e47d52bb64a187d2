#!/usr/bin/env bash
# Sourced by the tools that run commands one after the other: sets up, then gives them `step`,
# which times each, and `say_times`.
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"
timings=$(printf '%-14s %5d s' set-up $SECONDS)

step() { # step COMMAND ARGUMENT...
    local began=$SECONDS status=0
    printf '\n== %s\n' "$*" >&2
    set -m # a process group of its own: Ctrl-C reaches this script, which passes it on once
    uv run --no-sync --project "$root" "$@" </dev/null &
    set +m
    trap "kill -TERM $! 2>/dev/null" INT TERM HUP
    wait $! || status=$?
    while kill -0 $! 2>/dev/null; do wait $! || status=$?; done
    trap - INT TERM HUP
    timings+=$(printf '\n%-14s %5d s' "${1##*/}" $((SECONDS - began)))
    return $status
}

say_times() {
    printf '\n%s\n%-14s %5d s\n\n' "$timings" 'in all' $SECONDS >&2
}
