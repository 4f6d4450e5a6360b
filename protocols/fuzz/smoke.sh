#!/bin/sh
# Builds the fuzz targets on stable Rust and runs each for SECONDS (default 30).
#
#     protocols/fuzz/smoke.sh [SECONDS] [TARGET...]
#
# A target is frame, message, session, or a protocol by its name (gt06, teltonika, ...): its session alone, with a
# corpus of its own, started from its vectors. Fails when a target crashes; the input is then in protocols/fuzz/artifacts. Needs a C++ compiler for libFuzzer
# and nothing else. Coverage is kept in protocols/fuzz/corpus from run to run.
set -eu

cd "$(dirname "$0")"
seconds=${1:-30}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- frame message session

# What `cargo fuzz` passes, without its sanitizer, which only nightly has. With --target the flags reach the
# fuzzed crates only, not build scripts and macros.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
export RUSTFLAGS
cargo build --locked --target "$host" --target-dir target --bins

vectors=${MOTORPOOL_FUZZ_VECTORS:-../../../shared/vectors}
for target in "$@"; do
    case $target in
    frame | message | session) program=$target only= ;;
    *) program=session only=$target ;;
    esac
    mkdir -p "corpus/$target" "artifacts/$target"
    seeds="target/seeds/$target"
    mkdir -p "$seeds"
    log="target/$target.log"
    if ! MOTORPOOL_FUZZ_SEEDS="$seeds" MOTORPOOL_FUZZ_VECTORS="$vectors" MOTORPOOL_FUZZ_PROTOCOL="$only" \
        "target/$host/debug/$program" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="artifacts/$target/" "corpus/$target" "$seeds" >"$log" 2>&1
    then
        tail -n 60 "$log"
        echo "$target: failed after $seconds s at most, see above" >&2
        exit 1
    fi
    units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$target: $units inputs in $seconds s, no crash"
done
