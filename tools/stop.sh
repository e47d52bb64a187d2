#!/usr/bin/env bash
# Has one run save and end, and waits until it has: tools/stop.sh RUN [--now] [--artifacts DIR]
# RUN may also be snac-cache or snac-upsample; --now ends it without saving.
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"
exec uv run --no-sync --project "$root" snac-stop "$@"
