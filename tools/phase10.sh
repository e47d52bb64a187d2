#!/usr/bin/env bash
# From a folder of audio to a report of phase 10: tools/phase10.sh FOLDER [OPTION]...
source "$(dirname -- "${BASH_SOURCE[0]}")/whole_way.sh"
whole_way 10 "$@"
