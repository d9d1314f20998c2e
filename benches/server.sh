#!/usr/bin/env bash
# The server beside hyper 1 on a current-thread runtime and tiny_http, under the same load in the same
# run; then polled 60 times a second. Needs wrk, taskset and two processors. SECONDS_EACH=5 ROUNDS=5.
# Writes benches/results/server.csv; ratios are to hyper in the same round.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-5}
rounds=${ROUNDS:-5}
results=${RESULTS:-benches/results}

for program in wrk taskset; do
    command -v $program >/dev/null || { echo "server.sh needs $program; on Debian: apt-get install wrk util-linux" >&2; exit 1; }
done

# What else runs on the machine must not be measured: ahead of it, where that is allowed.
ahead=()
if chrt -f 10 true 2>/dev/null; then ahead=(chrt -f 10); fi

target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
ours=$(cargo bench --bench server --features server --no-run 2>&1 | sed -n 's/.*(\(.*server-[0-9a-f]*\)).*/\1/p')
CARGO_TARGET_DIR="$target/peers" cargo build --quiet --release --manifest-path benches/peers/Cargo.toml \
    --bin hyper_hello --bin tiny_hello
peers="$target/peers/release"

# Lines of `scenario TAB peer TAB metric TAB unit TAB round TAB value`.
runs=$(mktemp)
server=
trap 'rm -f "$runs"; [ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT

note() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$runs"; }

# listening PORT: waits until somebody does.
listening() {
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
        sleep 0.05
    done
    echo "nobody listens on port $1" >&2
    return 1
}

loaded() { "${ahead[@]}" taskset -c 1 wrk -t1 "-c$1" "-d${seconds}s" --latency "http://127.0.0.1:$2/"; }

# told WRK'S-OUTPUT WHAT: one of its figures.
told() {
    awk -v what="$2" '
        what == "count" && /requests in/ { print $1 }
        what == "rate" && /Requests\/sec/ { print $2 }
        what == "p99" && $1 == "99%" { ms = $2; if (ms ~ /us$/) ms /= 1000; else if (ms !~ /ms$/) ms *= 1000; print ms + 0 }
        what == "faults" && /Socket errors|Non-2xx/ { print "  " $0 }' <<<"$1"
}

# load ROUND NAME PORT CONNECTIONS COMMAND...: what it answers, and what that takes.
load() {
    local round=$1 name=$2 port=$3 connections=$4
    shift 4
    "${ahead[@]}" taskset -c 0 "$@" >/dev/null &
    server=$!
    listening "$port"
    local out ticks memory cpu
    out=$(loaded "$connections" "$port")
    # The name in the second field may hold spaces; what follows its bracket does not.
    ticks=$(sed 's/.*) //' "/proc/$server/stat" | awk '{ print $12 + $13 }')
    memory=$(awk '/VmHWM/ { print $2 / 1024 }' "/proc/$server/status")
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
    cpu=$(awk -v ticks="$ticks" -v hz="$(getconf CLK_TCK)" -v count="$(told "$out" count)" \
        'BEGIN { print ticks / hz * 1e6 / count }')
    told "$out" faults
    local scenario="server-$connections"
    note "$scenario" "$name" rate requests/s "$round" "$(told "$out" rate)"
    note "$scenario" "$name" "CPU a request" us "$round" "$cpu"
    note "$scenario" "$name" "latency p99" ms "$round" "$(told "$out" p99)"
    note "$scenario" "$name" "peak RSS" MiB "$round" "$memory"
}

# frames ROUND CONNECTIONS: our server at 60 polls a second with 1 ms each, under as much load.
frames() {
    local round=$1 connections=$2 out polls scenario="server-60fps-$2"
    polls=$(mktemp)
    "${ahead[@]}" taskset -c 0 "$ours" frames 8194 $((seconds + 1)) >"$polls" &
    server=$!
    listening 8194
    out=$(loaded "$connections" 8194)
    wait "$server"
    server=
    told "$out" faults
    note "$scenario" httpoll rate requests/s "$round" "$(told "$out" rate)"
    local figures
    read -r -a figures < <(sed -n 's/^a poll took: p50 \([0-9]*\) .*p99 \([0-9]*\) .*p99.9 \([0-9]*\) .*at most \([0-9]*\) .*/\1 \2 \3 \4/p' "$polls")
    rm -f "$polls"
    note "$scenario" httpoll "poll p50" us "$round" "${figures[0]}"
    note "$scenario" httpoll "poll p99" us "$round" "${figures[1]}"
    note "$scenario" httpoll "poll p99.9" us "$round" "${figures[2]}"
    note "$scenario" httpoll "poll max" us "$round" "${figures[3]}"
}

for round in $(seq "$rounds"); do
    load "$round" hyper 8191 64 "$peers/hyper_hello" 8191
    load "$round" httpoll 8192 64 "$ours" hello 8192
    load "$round" tiny_http 8193 64 "$peers/tiny_hello" 8193
    frames "$round" 64
    frames "$round" 512
    echo "round $round of $rounds done" >&2
done

mkdir -p "$results"
awk -F'\t' -v csv="$results/server.csv" '
    {
        row = $1 FS $2 FS $3 FS $4
        if (!(row in count)) order[++rows] = row
        values[row, ++count[row]] = $6 + 0
        if ($2 == "hyper") base[$1, $3, $5] = $6 + 0
        if ((($1, $3, $5) in base) && base[$1, $3, $5] > 0)
            ratios[row, ++compared[row]] = $6 / base[$1, $3, $5]
    }
    # The list of one row, in order.
    function sort(list, row, n,    i, j, value) {
        for (i = 2; i <= n; i++) {
            value = list[row, i]
            for (j = i - 1; j >= 1 && list[row, j] > value; j--) list[row, j + 1] = list[row, j]
            list[row, j + 1] = value
        }
    }
    function median(list, row, n) {
        return n % 2 ? list[row, (n + 1) / 2] : (list[row, n / 2] + list[row, n / 2 + 1]) / 2
    }
    END {
        print "scenario,peer,metric,unit,median,low,high,ratio" >csv
        for (i = 1; i <= rows; i++) {
            row = order[i]
            n = count[row]
            sort(values, row, n)
            ratio = ""
            if (compared[row]) {
                sort(ratios, row, compared[row])
                ratio = sprintf("%.3f", median(ratios, row, compared[row]))
            }
            split(row, cell, FS)
            middle = median(values, row, n)
            printf "%s,%s,%s,%s,%.3f,%.3f,%.3f,%s\n", cell[1], cell[2], cell[3], cell[4], \
                middle, values[row, 1], values[row, n], ratio >csv
            if (cell[1] != scenario) {
                scenario = cell[1]
                printf "\n### `%s`\n\n| peer | metric | median (lowest..highest) | to hyper |\n|---|---|---|---|\n", scenario
            }
            digits = middle < 100 ? 2 : 0
            format = "| %s | %s, %s | %." digits "f (%." digits "f..%." digits "f) | %s |\n"
            printf format, cell[2], cell[3], cell[4], middle, values[row, 1], values[row, n], ratio == "" ? "–" : ratio
        }
    }' "$runs"
