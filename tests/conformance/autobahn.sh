#!/usr/bin/env bash
# Runs Autobahn's WebSocket test suite against the client and the server, and counts the results.
#
#   pip2 install autobahntestsuite       # `wstest`; it needs Python 2.7
#   tests/conformance/autobahn.sh        # WSTEST=… names another program, CASES=1.*,2.* fewer cases
#
# The reports are in target/autobahn.
set -euo pipefail
cd "$(dirname "$0")/../.."
wstest=${WSTEST:-wstest}
# Sections 12 and 13 are about compression, which is not offered.
cases=${CASES:-1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*}
folder=$PWD/target/autobahn
rm -rf "$folder"
mkdir -p "$folder"
cargo build --quiet --release --features server,websocket --example serve --example websocket_echo
examples=${CARGO_TARGET_DIR:-target}/release/examples

json_cases=$(printf '"%s"' "${cases//,/\",\"}")
count() { # NAME REPORTS: counts how the cases of a report ended
    python3 - "$1" "$2/index.json" <<'PY'
import collections, json, sys
for agent, cases in json.load(open(sys.argv[2])).items():
    for kind in ("behavior", "behaviorClose"):
        counts = collections.Counter(case[kind] for case in cases.values())
        print(f"{sys.argv[1]}, {kind}: {sum(counts.values())} cases, {dict(counts)}")
        for name, case in cases.items():
            if case[kind] not in ("OK", "INFORMATIONAL", "NON-STRICT"):
                print(f"  {name}: {case[kind]}")
PY
}

"$examples/serve" --port 9002 --message-bytes 20000000 &
server=$!
trap 'kill $server' EXIT
cat >"$folder/client.json" <<JSON
{"outdir": "$folder/server", "servers": [{"agent": "httpoll", "url": "ws://127.0.0.1:9002/ws"}],
 "cases": [$json_cases], "exclude-cases": [], "exclude-agent-cases": {}}
JSON
"$wstest" -m fuzzingclient -s "$folder/client.json" >"$folder/server.log"
count server "$folder/server"

cat >"$folder/server.json" <<JSON
{"outdir": "$folder/client", "url": "ws://127.0.0.1:9001", "cases": [$json_cases], "exclude-cases": [],
 "exclude-agent-cases": {}, "webport": 0}
JSON
"$wstest" -m fuzzingserver -s "$folder/server.json" >"$folder/client.log" &
fuzzer=$!
trap 'kill $server $fuzzer' EXIT
for _ in $(seq 100); do
    (exec 3<>/dev/tcp/127.0.0.1/9001) 2>/dev/null && break
    sleep 0.1
done
"$examples/websocket_echo" --autobahn ws://127.0.0.1:9001 >"$folder/cases.log"
count client "$folder/client"
