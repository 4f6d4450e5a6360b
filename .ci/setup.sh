#!/usr/bin/env bash
# Makes sure that what the build needs is there: installs it where it may, else says exactly what to install.
set -euo pipefail

# command → Debian package
declare -A needs=([cc]=gcc [c++]=g++ [make]=make)
# Wanted by tests that also run without it, and then say so.
postgres_programs() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null 2>&1; }
missing=()
for command in "${!needs[@]}"; do
    command -v "$command" >/dev/null 2>&1 || missing+=("${needs[$command]}")
done
may_install() { [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null 2>&1; }
# What the console is built with, and the browser that its tests drive, with a font that has Chinese.
NODE_NEEDED="20.19, 22.12"
node_is_new_enough() {
    command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
        node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)'
}
browser() { command -v chromium >/dev/null 2>&1; }
mosquitto_programs() {
    command -v mosquitto_pub >/dev/null 2>&1 && { [[ -x /usr/sbin/mosquitto ]] || command -v mosquitto >/dev/null 2>&1; }
}
victoria_metrics() { command -v victoria-metrics >/dev/null 2>&1; }
# DuckDB and pandas, which read the archive and exports in tests, are installed into an environment of their own.
python_with_venv() { python3 -m venv --help >/dev/null 2>&1 && python3 -c 'import ensurepip' >/dev/null 2>&1; }
if may_install; then
    victoria_metrics || missing+=(victoria-metrics)
    python_with_venv || missing+=(python3-venv)
    mosquitto_programs || missing+=(mosquitto mosquitto-clients)
    postgres_programs || missing+=(postgresql)
    node_is_new_enough || missing+=(nodejs npm)
    browser || missing+=(chromium fonts-wqy-microhei)
fi
if ((${#missing[@]})); then
    if may_install; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
    else
        echo "Please install: ${missing[*]}   (Debian: sudo apt-get install ${missing[*]})" >&2
        exit 1
    fi
fi

if ! postgres_programs; then
    echo "Without PostgreSQL its tests are skipped (Debian: sudo apt-get install postgresql)." >&2
fi

if ! mosquitto_programs; then
    echo "Without Mosquitto its tests are skipped (Debian: sudo apt-get install mosquitto mosquitto-clients)." >&2
fi

if ! victoria_metrics; then
    echo "Without VictoriaMetrics its tests are skipped (Debian: sudo apt-get install victoria-metrics)." >&2
fi

if ! node_is_new_enough; then
    echo "Please install Node.js $NODE_NEEDED or newer with npm for the console (Debian 13: sudo apt-get install nodejs npm)." >&2
    exit 1
fi
if ! browser; then
    echo "Without Chromium the browser tests are skipped (Debian: sudo apt-get install chromium fonts-wqy-microhei)." >&2
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
