#!/usr/bin/env bash
# A server that is polled 60 times a second with 1 ms each sends 1 GiB that is not in the page cache, and then a file from
# a disk that takes 20 ms for each 256 KiB. Prints how long the polls took, by the clock and by the processor time
# of their thread, and writes benches/results/cold_file.csv. Needs curl, taskset, two processors, and 1 GiB in FILE's
# folder (not in memory). Less than two minutes. ROUNDS=3 FILE=/var/tmp/httpoll-cold.bin.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-3}
file=${FILE:-/var/tmp/httpoll-cold.bin}
results=${RESULTS:-benches/results}

for program in curl taskset dd; do
    command -v $program >/dev/null || { echo "cold_file.sh needs $program" >&2; exit 1; }
done

# What else runs on the machine must not be measured: ahead of it, where that is allowed.
ahead=()
if chrt -f 10 true 2>/dev/null; then ahead=(chrt -f 10); fi

server=$(cargo bench --bench server --features server --no-run 2>&1 | sed -n 's/.*(\(.*server-[0-9a-f]*\)).*/\1/p')
[ "$(stat -c %s "$file" 2>/dev/null)" = 1073741824 ] || head -c 1G /dev/urandom >"$file"
sync "$file"

runs=$(mktemp)
told=$(mktemp)
running=
trap 'rm -f "$runs" "$told"; [ -z "$running" ] || kill "$running" 2>/dev/null || true' EXIT

# measure ROUND SCENARIO PATH ARGUMENTS...: one file to one client.
measure() {
    local round=$1 scenario=$2 path=$3 line
    shift 3
    "${ahead[@]}" taskset -c 0 "$server" "$@" >"$told" &
    running=$!
    "${ahead[@]}" taskset -c 1 curl -s --retry 20 --retry-delay 1 --retry-connrefused -o /dev/null "http://127.0.0.1:$2$path"
    wait "$running"
    running=
    sed "s/^/$scenario: /" "$told"
    while IFS= read -r line; do
        [[ $line =~ ^(.*):\ p50\ ([0-9]+)\ .*p99\ ([0-9]+)\ .*p99.9\ ([0-9]+)\ .*most\ ([0-9]+) ]] || continue
        local at=2 part
        for part in p50 p99 p99.9 max; do
            printf '%s\t%s, %s\tus\t%s\n' "$scenario" "${BASH_REMATCH[1]}" "$part" "${BASH_REMATCH[at]}" >>"$runs"
            at=$((at + 1))
        done
    done <"$told"
    line=$(sed -n 's/^\([0-9]*\) MB\/s.*/\1/p' "$told")
    printf '%s\trate\tMB/s\t%s\n' "$scenario" "$line" >>"$runs"
    line=$(sed -n 's/^over 1100 µs: \([0-9]*\) by the clock, \([0-9]*\) by.*/\1 \2/p' "$told")
    printf '%s\tpolls over 1.1 ms by the clock\tpolls\t%s\n' "$scenario" "${line% *}" >>"$runs"
    printf '%s\tpolls over 1.1 ms by processor time\tpolls\t%s\n' "$scenario" "${line#* }" >>"$runs"
}

for round in $(seq "$rounds"); do
    # Nothing of the file is in the page cache then. The second way needs no permission.
    sync
    { echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null || dd of="$file" oflag=nocache conv=notrunc,fdatasync count=0 status=none
    measure "$round" cold-file-60fps "/files/${file##*/}" file 8195 "$file"
    measure "$round" slow-disk-60fps /files/slow.bin slow 8196 32 20
done

mkdir -p "$results"
sort -s -t"$(printf '\t')" -k1,1 "$runs" | awk -F'\t' -v csv="$results/cold_file.csv" '
    {
        row = $1 FS $2 FS $3
        if (!(row in count)) order[++rows] = row
        values[row, ++count[row]] = $4 + 0
    }
    END {
        print "scenario,peer,metric,unit,median,low,high,ratio" >csv
        for (i = 1; i <= rows; i++) {
            row = order[i]
            n = count[row]
            for (j = 2; j <= n; j++) {
                value = values[row, j]
                for (k = j - 1; k >= 1 && values[row, k] > value; k--) values[row, k + 1] = values[row, k]
                values[row, k + 1] = value
            }
            middle = n % 2 ? values[row, (n + 1) / 2] : (values[row, n / 2] + values[row, n / 2 + 1]) / 2
            split(row, cell, FS)
            metric = cell[2]
            gsub(/,/, "", metric)
            printf "%s,httpoll,%s,%s,%.0f,%.0f,%.0f,\n", cell[1], metric, cell[3], middle, values[row, 1], values[row, n] >csv
            if (cell[1] != scenario) {
                scenario = cell[1]
                printf "\n### `%s`\n\n| metric | median (lowest..highest) |\n|---|---|\n", scenario
            }
            printf "| %s, %s | %.0f (%.0f..%.0f) |\n", cell[2], cell[3], middle, values[row, 1], values[row, n]
        }
    }'
