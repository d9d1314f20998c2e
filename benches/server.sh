#!/usr/bin/env bash
# The server beside hyper 1 on a current-thread runtime, under the same load in the same run; then
# polled 60 times a second. Needs wrk, taskset and two processors.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-5}
rounds=${ROUNDS:-3}

# What else runs on the machine must not be measured: ahead of it, where that is allowed.
ahead=()
if chrt -f 10 true 2>/dev/null; then ahead=(chrt -f 10); fi

target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
ours=$(cargo bench --bench server --features server --no-run 2>&1 | sed -n 's/.*(\(.*server-[0-9a-f]*\)).*/\1/p')
CARGO_TARGET_DIR="$target/peers" cargo build --quiet --release --manifest-path benches/peers/Cargo.toml
hyper="$target/peers/release/hyper_hello"

# load NAME PORT CONNECTIONS COMMAND...: its requests a second and processor time a request.
load() {
    local name=$1 port=$2 connections=$3
    shift 3
    "${ahead[@]}" taskset -c 0 "$@" >/dev/null &
    local server=$!
    sleep 0.5
    local out ticks
    out=$("${ahead[@]}" taskset -c 1 wrk -t1 "-c$connections" "-d${seconds}s" "http://127.0.0.1:$port/")
    ticks=$(cut -d' ' -f14,15 "/proc/$server/stat")
    kill "$server"
    wait "$server" 2>/dev/null || true
    echo "$out" | awk -v name="$name" -v ticks="$ticks" '
        /requests in/ { requests = $1 }
        /Requests\/sec/ { rate = $2 }
        /Socket errors|Non-2xx/ { print "  " $0 }
        END {
            split(ticks, used, " ")
            printf "%-8s %9.0f requests/s, %.2f µs of processor each\n", name, rate, (used[1] + used[2]) * 10000 / requests
        }'
}

for _ in $(seq "$rounds"); do
    load httpoll 8191 64 "$ours" hello 8191
    load hyper 8192 64 "$hyper" 8192
done

for connections in 64 512; do
    echo "at 60 polls a second with 1 ms each, $connections connections:"
    "${ahead[@]}" taskset -c 0 "$ours" frames 8193 $((seconds + 2)) &
    server=$!
    sleep 0.5
    "${ahead[@]}" taskset -c 1 wrk -t1 "-c$connections" "-d${seconds}s" http://127.0.0.1:8193/ |
        grep -E 'requests in|Requests/sec|Socket errors|Non-2xx' || true
    wait "$server"
done
