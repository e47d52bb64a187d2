#!/usr/bin/env bash
# From a folder of audio to a report of phase 12: tools/phase12.sh FOLDER [OPTION]...
source "$(dirname -- "${BASH_SOURCE[0]}")/whole_way.sh"
whole_way 12 "$@"
