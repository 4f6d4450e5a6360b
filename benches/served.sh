# For the benches that start the program, which source it: processes and a folder that end with the script.
# MOTORPOOL names another program than the release build.
program=${MOTORPOOL:-}
if [[ -z $program ]]; then
    cargo build -q --release --bin motorpool
    program=target/release/motorpool
fi
scratch=$(mktemp -d)
started=()
cleanup() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$scratch"
}
trap cleanup EXIT
pause() { read -r -t 0.1 <> <(:) || true; }
address() { sed -n "s/.*\"$1\": *\"\\([^\"]*\\)\".*/\\1/p" "$scratch/data/addresses.json"; }

# Starts a server on ports of its own; sets `token`.
serve() {
    export MOTORPOOL__TRACKERS__LISTEN=127.0.0.1:0 MOTORPOOL__HTTP__LISTEN=127.0.0.1:0 MOTORPOOL__MQTT__LISTEN=127.0.0.1:0
    "$program" serve --data "$scratch/data" >"$scratch/announced" &
    started+=($!)
    until grep -q '^API token' "$scratch/announced"; do
        kill -0 "${started[0]}"
        pause
    done
    token=$(cat "$scratch/data/api-token")
}
