#!/usr/bin/env bash
# Asks a living demonstration everything that its OpenAPI document allows, and more, as several people: no answer may be a 5xx.
# tests/fuzz-api.sh PROGRAM [SECONDS]; installs schemathesis into target/schemathesis.
set -euo pipefail
program=$(realpath "$1")
seconds=${2:-120}
root=$(cd "$(dirname "$0")/.." && pwd)
tools=$root/target/schemathesis
[[ -x $tools/bin/schemathesis ]] || { python3 -m venv "$tools" && "$tools/bin/pip" install -q 'schemathesis>=4.32,<5'; }

scratch=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
printf '[trackers]\nlisten = "127.0.0.1:0"\n[mqtt]\nlisten = "127.0.0.1:0"\n[http]\nlisten = "127.0.0.1:0"\nrequests_per_second = 0\n' >"$scratch/motorpool.toml"
"$program" demo --data "$scratch/data" --cars 15 --config "$scratch/motorpool.toml" >"$scratch/log" 2>&1 &
server=$!
until grep -q 'the history has arrived' "$scratch/log"; do
    kill -0 "$server" 2>/dev/null || { cat "$scratch/log" >&2; exit 2; }
    read -rt 0.2 <> <(:) || true
done
address=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["http"])' "$scratch/data/addresses.json")
# Who may more reaches other code: whoever runs the server, those who judge, those who are judged.
token() { "$program" token create --data "$scratch/data" --name "$1" --scope read --scope supervise --scope registers:write --role "$1" --unit 1; }
declare -A callers=([server]="$(cat "$scratch/data/api-token")")
for role in inspector fleet-manager driver; do callers[$role]=$(token "$role"); done
# Streams do not end; they have tests of their own.
cd "$scratch"
for caller in "${!callers[@]}"; do
    echo "== as $caller" >&2
    "$tools/bin/schemathesis" run "$root/src/api/openapi.json" --url "http://$address" \
        --header "Authorization: Bearer ${callers[$caller]}" --checks not_a_server_error \
        --exclude-path-regex '/(events|live)$' --phases examples,coverage,fuzzing --max-time "$((seconds / ${#callers[@]}))" \
        --request-timeout 20 --suppress-health-check all --warnings off
done
