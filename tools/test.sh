#!/usr/bin/env bash
# Checks everything: lint, format, types, tests. Arguments go to pytest: tools/test.sh -k geometry
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

cd -- "$root"
uv sync --quiet --locked --group perceptual ||
    say "the perceptual metrics cannot be installed here (is there a C++ compiler?); their tests are skipped"
uv run --no-sync ruff check .
uv run --no-sync ruff format --check .
uv run --no-sync mypy
uv run --no-sync pytest -n auto --maxprocesses 4 --dist loadfile "$@"
