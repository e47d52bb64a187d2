#!/usr/bin/env bash
# Starts a long run in the background, after checking all that it needs:
#   tools/train.sh PHASE [OPTION OF snac-train]...     tools/train.sh 12 --run first --gpus 0,1
# PHASE is 10, 11, 12, small, refine, fast or base; snac-train --help shows the options. It says what
# to watch the run with; tools/stop.sh ends it.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"

phases="PHASE is 10, 11, 12, small, refine, fast or base"
if [[ ! ${1:-} =~ ^(10|11|12|small|refine|fast|base)$ ]]; then
    echo "usage: tools/train.sh PHASE [OPTION OF snac-train]...   ($phases)" >&2
    exit 2
fi

source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"
exec uv run --no-sync --project "$root" snac-train --phase "$1" --detach "${@:2}"
