#!/usr/bin/env bash
# Makes sure that what the build needs is there: installs it where it may, else says exactly what to install.
set -euo pipefail

# command → Debian package
declare -A needs=([cc]=gcc [c++]=g++ [make]=make)
missing=()
for command in "${!needs[@]}"; do
    command -v "$command" >/dev/null 2>&1 || missing+=("${needs[$command]}")
done
if ((${#missing[@]})); then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
    else
        echo "Please install: ${missing[*]}   (Debian: sudo apt-get install ${missing[*]})" >&2
        exit 1
    fi
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "Please install Rust 1.95 or newer (https://rustup.rs), with clippy and rustfmt." >&2
    exit 1
fi
for tool in clippy fmt; do
    cargo "$tool" --version >/dev/null 2>&1 || {
        echo "Please install the Rust component: rustup component add clippy rustfmt" >&2
        exit 1
    }
done
