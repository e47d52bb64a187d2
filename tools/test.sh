#!/usr/bin/env bash
# Checks everything: lint, format, types, tests. Arguments go to pytest: tools/test.sh -k geometry
# With --fast first, the modules of tests/slow_modules.txt are left out, and types: under a minute.
# With --all first, the tests marked as campaign run too: the same laws in more shapes.
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

chosen=() types=true
if [ "${1:-}" = --fast ]; then
    shift
    chosen=(-m 'not slow and not campaign') types=false
elif [ "${1:-}" = --all ]; then
    shift
    chosen=(-m '')
fi
cd -- "$root"
uv sync --quiet --locked --group perceptual ||
    say "PESQ and ViSQOL cannot be installed here (is there a C++ compiler?); the tests of the" \
        "perceptual metrics are skipped"
uv run --no-sync ruff check .
uv run --no-sync ruff format --check .
if $types; then
    uv run --no-sync mypy
fi
# slow modules first, in the order of tests/conftest.py: or a core idles at the end
uv run --no-sync pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
    "${chosen[@]}" "$@"
