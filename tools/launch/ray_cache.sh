#!/usr/bin/env bash
# Caches codes on a Ray cluster, from any of its machines: tools/launch/ray_cache.sh
# Start Ray before, with the same packages installed on all machines:
#   ray start --head                     on one
#   ray start --address HEAD:6379        on each of the others, also later
set -euo pipefail

exec snac-cache --ray auto "$@"
