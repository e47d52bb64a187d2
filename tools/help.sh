#!/usr/bin/env bash
# Sourced first by every tool, before it does anything: -h and --help print the comment at the top
# of the tool, and end it.
for argument in "$@"; do
    if [[ $argument == -h || $argument == --help ]]; then
        sed -n '2,/^[^#]/{/^[^#]/d;s/^# \{0,1\}//p;}' "$0"
        exit 0
    fi
done
