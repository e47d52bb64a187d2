#!/usr/bin/env bash
# Has one run save and end, and waits until it has: tools/stop.sh RUN [--now] [--artifacts DIR]
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"
exec uv run --no-sync --project "$root" snac-stop "$@"
