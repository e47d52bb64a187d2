#!/usr/bin/env bash
# Gets the environment ready: tools/setup.sh
# It finds uv or installs it into .uv/, then installs what uv.lock says into .venv/. The system's
# packages stay as they are. Other tools source it: it leaves the project's folder in $root, and uv
# on PATH.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/help.sh"

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "set-up: $*" >&2; }

give_up() {
    say "$*"
    exit 1
}

find_python() { # any that makes an environment for uv, which brings the right one where it can
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    give_up "no Python 3 with venv and pip on PATH; install one (on Debian and Ubuntu:" \
        "apt install python3-venv) or uv itself, and run this again"
}

install_uv() {
    local python
    python=$(find_python)
    say "installing uv into .uv/ with $("$python" --version); the system's packages stay as they are"
    "$python" -m venv --clear "$root/.uv" ||
        give_up "$python cannot make an environment in $root/.uv, see above; mend that, or" \
            "install uv yourself, and run this again"
    "$root/.uv/bin/python" -m pip install --quiet --disable-pip-version-check uv ||
        give_up "pip could not install uv, see above; check the network (or pip's settings for" \
            "your package index) or install uv yourself, and run this again"
}

# Threads of torch that wait shall sleep: where others use the cores too, spinning halves the speed.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
# Where Python may not keep what it compiles, each command compiles torch anew: seconds.
unset PYTHONDONTWRITEBYTECODE

if ! command -v uv >/dev/null; then
    [ -x "$root/.uv/bin/uv" ] || install_uv
    export PATH="$root/.uv/bin:$PATH"
fi
say "$(uv --version): installing what uv.lock says"
# what was added to it stays: tools/test.sh's libraries, while its tests run the other tools
uv sync --project "$root" --locked --inexact ||
    give_up "uv sync failed, see above; check the network and the disk (about 5 GB are needed)," \
        "that uv is recent, and that there is a Python from 3.11 to 3.14 (uv downloads one where" \
        "the network allows it); 'rm -r .venv' starts afresh; then run this again"
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    say "done. In this shell, run: source .venv/bin/activate"
fi
