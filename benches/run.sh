#!/usr/bin/env bash
# The budget table of ARCHITECTURE.md, measured again: one JSON line for each figure on standard output.
# Arguments are handed to the system bench: `benches/run.sh --quick`.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "== line 1: decode" >&2
cargo bench -q -p motorpool-protocols --bench decode --bench trackers
echo "== journal alone" >&2
cargo bench -q -p motorpool --bench journal
echo "== lines 6, 7 and 8: bytes per fix, one device-day, a box in an hour; scans" >&2
cargo bench -q -p motorpool --bench tracks
echo "== the live map: 30,000 cars a tick" >&2
cargo bench -q -p motorpool --bench live
echo "== the IoT questions and daily mileage, beside DuckDB and VictoriaMetrics (4000 3 for the suite's size)" >&2
benches/iot_peers.sh ${IOT_SIZE:-200 1}
echo "== lines 2, 3, 4, 5, 7, 10: the whole server" >&2
cargo bench -q -p motorpool --bench system -- "$@"
echo "== line 9: trips and rules" >&2
cargo bench -q -p motorpool-supervision --bench trips --bench rules
echo "== MQTT, beside Mosquitto; the mirror, beside the rate at which fixes come" >&2
benches/mqtt.sh
benches/mirror.sh
echo "== line 11: clean release build" >&2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
begun=$(date +%s)
CARGO_TARGET_DIR=$scratch cargo build -q --release --bin motorpool
echo "{\"line\":11,\"quantity\":\"clean release build\",\"wall_s\":$(($(date +%s) - begun)),\"cores\":$(nproc)}"
