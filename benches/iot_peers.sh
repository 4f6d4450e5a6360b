#!/usr/bin/env bash
# The IoT questions and the daily mileage: ours, then DuckDB and VictoriaMetrics on the same rows, then the ratios.
# Arguments: TRUCKS DAYS; 4000 3 is the suite (half an hour, 15 GB of disk under target/), 200 1 takes a minute or two.
set -euo pipefail
cd "$(dirname "$0")/.."
trucks=${1:-200} days=${2:-1}
mkdir -p "${CARGO_TARGET_DIR:-target}"
root=$(cd "${CARGO_TARGET_DIR:-target}" && pwd) # the bench runs in the folder of its crate
folder=$root/iot-$trucks-$days
lines=$(mktemp)
trap 'rm -rf "$lines" "$folder"' EXIT
mkdir -p "$folder"
cargo bench -q -p motorpool-rollups --bench iot -- "$trucks" "$days" "$folder" | tee "$lines"
if ! [ -x "$root/python/bin/python3" ]; then
  python3 -m venv "$root/python"
fi
"$root/python/bin/python3" -c 'import duckdb' 2>/dev/null || "$root/python/bin/pip" install --quiet duckdb
victoria=
if command -v victoria-metrics >/dev/null; then victoria=--victoria; else echo "VictoriaMetrics is not installed: left out" >&2; fi
"$root/python/bin/python3" benches/iot_peers.py "$folder" $victoria | tee -a "$lines"
"$root/python/bin/python3" - "$lines" <<'PY'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
ours = {line["quantity"]: line for line in lines if "peer" not in line}
for line in lines:
    mine = ours.get(line["quantity"])
    if "peer" in line and mine and "median_ms" in mine:
        ratio = line["median_ms"] / max(mine["median_ms"], 1e-3)
        print(json.dumps({"ratio": round(ratio, 1), "peer": line["peer"], "quantity": line["quantity"], "of": line.get("of", "everything"),
                          "ours_ms": round(mine["median_ms"], 2), "peer_ms": line["median_ms"]}))
PY
