#!/bin/sh
# Make a virtual environment:   tools/make_venv.sh FOLDER [PYTHON]
# Without PYTHON, by the first Python here that is new enough. An environment that is there already is used as it is.
# A bare Debian or Ubuntu lacks a part of Python's own venv: root gets it here, anybody else is told what to ask for.
set -eu

folder=$1
python=${2:-}
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

fail() {
    echo "error: $1" >&2
    exit 2
}

on_debian() { command -v apt-get >/dev/null; }

apt_get() {
    echo "installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

if [ ! -x "$folder/bin/python" ]; then
    if [ -z "$python" ]; then
        # 3.11 before newer ones, since it is the one that darla is used with most. A name may be there and not run.
        for name in python3.11 python3.12 python3.13 python3.14 python3; do
            if "$name" -c "$new_enough" >/dev/null 2>&1; then
                python=$(command -v "$name")
                break
            fi
        done
        if [ -z "$python" ]; then
            here=$(python3 --version 2>&1) || here="no python3"
            fail "darla needs Python 3.11 or newer; here is $here. Say which: make PYTHON=/path/to/python3.11"
        fi
    elif ! "$python" -c "$new_enough" >/dev/null 2>&1; then
        here=$("$python" --version 2>&1) || here="nothing that runs"
        fail "darla needs Python 3.11 or newer; PYTHON=$python is $here"
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if [ "$(id -u)" = 0 ] && on_debian; then
            apt_get "$package"
        else
            fail "$python lacks its venv module; on Debian or Ubuntu: sudo apt-get install $package"
        fi
    fi
    echo "making $folder with $python"
    "$python" -m venv "$folder"
elif ! "$folder/bin/python" -c "$new_enough"; then
    fail "darla needs Python 3.11 or newer; $folder has $("$folder/bin/python" --version)"
fi
"$folder/bin/python" -m pip --version >/dev/null 2>&1 || "$folder/bin/python" -m ensurepip >/dev/null
"$folder/bin/python" -m pip install --quiet --retries 10 --upgrade "pip>=23.1"
