#!/usr/bin/env bash
# Sourced by the tools that run commands one after the other: sets up, then gives them `step`,
# which times each, and `say_times`.
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"
timings=$(printf '%-14s %5d s' set-up $SECONDS)

step() { # step COMMAND ARGUMENT...
    local began=$SECONDS status=0
    printf '\n== %s\n' "$*" >&2
    uv run --no-sync --project "$root" "$@" &
    # Bash would not hear a signal before the command ends by itself: wait beside it, pass it on.
    trap "kill -TERM $! 2>/dev/null" INT TERM
    wait $! || status=$?
    while kill -0 $! 2>/dev/null; do wait $! || status=$?; done
    trap - INT TERM
    timings+=$(printf '\n%-14s %5d s' "${1##*/}" $((SECONDS - began)))
    return $status
}

say_times() {
    printf '\n%s\n%-14s %5d s\n\n' "$timings" 'in all' $SECONDS >&2
}
