#!/usr/bin/env bash
# How fast the mirror catches up with a real VictoriaMetrics that was away while frames came, beside the rate at which they came, and whether the
# terminals noticed. One JSON line. `benches/mirror.sh [FRAMES_PER_SECOND [SECONDS]]`; MOTORPOOL names another program. Needs curl.
set -euo pipefail
cd "$(dirname "$0")/.."
rate=${1:-3000} seconds=${2:-60}
victoria=$(command -v victoria-metrics) || {
    echo "VictoriaMetrics is not installed (Debian: sudo apt-get install victoria-metrics)." >&2
    exit 0
}
source benches/served.sh
metric() {
    curl -fsS -H "Authorization: Bearer $token" "http://$http/metrics" |
        awk -v name="$1" 'index($1, name) == 1 { sum += $2 } END { printf "%.0f\n", sum }'
}
port=$((20000 + RANDOM % 10000))
export MOTORPOOL__MIRROR__URL=http://127.0.0.1:$port MOTORPOOL__MIRROR__BUCKET=cars MOTORPOOL__MIRROR__RETRY_MAX=1s
serve
http=$(address http)

# One frame a second each: the rate is the number of vehicles. The server of the mirror is away.
away=$("$program" simulate --protocol jt808 --to "$(address trackers)" --api "http://$http" --enrol "$token" \
    --vehicles "$rate" --interval 1 --duration "$seconds" --json | tail -n 1)
waiting=$(metric motorpool_fixes_decoded_total)

"$victoria" -storageDataPath="$scratch/victoria" -httpListenAddr=127.0.0.1:$port -retentionPeriod=100y \
    -memory.allowedBytes=256MB -dedup.minScrapeInterval=1ms 2>/dev/null &
started+=($!)
until (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do kill -0 "${started[1]}"; done
begun=$(date +%s%N)
# Frames go on coming while it catches up.
"$program" simulate --protocol jt808 --to "$(address trackers)" --api "http://$http" --enrol "$token" \
    --vehicles "$rate" --interval 1 --duration "$seconds" --json >"$scratch/meanwhile" &
meanwhile=$!
until (($(metric motorpool_mirror_points_total) >= waiting)); do pause; done
milliseconds=$((($(date +%s%N) - begun) / 1000000))
wait "$meanwhile"
until (($(metric motorpool_mirror_lag_bytes) == 0)); do pause; done
curl -fsS "http://127.0.0.1:$port/internal/force_flush" >"$scratch/flushed"
points=$(curl -fsS "http://127.0.0.1:$port/api/v1/export?match[]=fix_lat&start=0&end=4000000000" |
    grep -o '"timestamps":\[[^]]*\]' | tr ',' '\n' | wc -l)
awk -v waiting="$waiting" -v ms="$milliseconds" -v rate="$rate" -v points="$points" -v fixes="$(metric motorpool_fixes_decoded_total)" \
    -v away="$away" -v meanwhile="$(tail -n 1 "$scratch/meanwhile")" 'BEGIN {
    drained = waiting / ms * 1000
    printf "{\"quantity\":\"fixes/s mirrored while catching up\",\"fixes\":%d,\"seconds\":%.1f,\"value\":%.0f,\"incoming\":%d,\"ratio\":%.1f,", waiting, ms / 1000, drained, rate, drained / rate
    printf "\"archive\":%d,\"victoria\":%d,\"away\":%s,\"meanwhile\":%s}\n", fixes, points, away, meanwhile
}'
