#!/usr/bin/env bash
# Durable QoS 1 messages a second of the built-in MQTT listener, beside those of Mosquitto (which answers before anything is on disk) with
# the same load. One JSON line each. `benches/mqtt.sh [VEHICLES [PIPELINE [SECONDS]]]`; MOTORPOOL names another program.
set -euo pipefail
cd "$(dirname "$0")/.."
vehicles=${1:-50} pipeline=${2:-1024} seconds=${3:-10}
source benches/served.sh
load() {
    "$program" simulate --protocol mqtt --interval 0 --vehicles "$vehicles" --pipeline "$pipeline" --duration "$seconds" --json "$@"
}

serve
ours=$(load --to "$(address mqtt)" --api "http://$(address http)" --enrol "$token")
echo "{\"quantity\":\"durable QoS 1 messages/s, built-in listener\",\"report\":$ours}"
kill "${started[0]}"
wait "${started[0]}" || true
started=()

mosquitto=$(PATH=$PATH:/usr/sbin command -v mosquitto) || {
    echo "Mosquitto is not installed: no figure of a peer (Debian: sudo apt-get install mosquitto)." >&2
    exit 0
}
port=$((20000 + RANDOM % 10000))
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nlog_dest none\n' "$port" >"$scratch/mosquitto.conf"
"$mosquitto" -c "$scratch/mosquitto.conf" 2>/dev/null &
started+=($!)
until (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do kill -0 "${started[0]}"; done
peers=$(load --to "127.0.0.1:$port")
echo "{\"quantity\":\"QoS 1 messages/s, Mosquitto, not durable\",\"report\":$peers}"
