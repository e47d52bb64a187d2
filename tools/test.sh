#!/usr/bin/env bash
# Checks everything: lint, format, types, tests. Arguments go to pytest: tools/test.sh -k geometry
# With --fast first, the modules of tests/slow_modules.txt are left out, and types: a minute.
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
# One process more than there are cores, since tests wait for disks, browsers and processes; each
# takes up to four gigabytes.
workers=$(uv run --no-sync python -c 'import os; pages = os.sysconf("SC_PHYS_PAGES")
print(max(1, min(4, os.cpu_count() + 1, pages * os.sysconf("SC_PAGE_SIZE") // 4_000_000_000)))')
uv run --no-sync pytest -n "$workers" --dist loadfile --no-loadscope-reorder \
    "${chosen[@]}" "$@"
