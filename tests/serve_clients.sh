#!/usr/bin/env bash
# Shows that `examples/serve.rs` gets on with the clients and proxies that people use: curl, wget,
# Python's requests, wrk, Chromium (index, event stream, WebSocket) and nginx in front of it. A tool
# that is not installed is named and left out, unless REQUIRE_ALL is set.
set -euo pipefail
cd "$(dirname "$0")/.."
port=${PORT:-18080}
proxy=$((port + 1))
secure=$((port + 2))
base=http://127.0.0.1:$port
work=$(mktemp -d)
started=()
cleanup() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

passed=0
left_out=()
# check WHAT EXPECTED ACTUAL: EXPECTED is a pattern that the whole of ACTUAL must match somewhere.
check() {
    if grep -qE -- "$2" <<<"$3"; then
        passed=$((passed + 1))
        echo "ok   $1"
    else
        echo "FAIL $1: expected /$2/, got:" >&2
        head -c 600 <<<"$3" >&2
        exit 1
    fi
}
has() {
    command -v "$1" >/dev/null 2>&1 && return
    if [ -n "${REQUIRE_ALL:-}" ]; then
        echo "FAIL $1 is not installed" >&2
        exit 1
    fi
    left_out+=("$1")
    return 1
}
start() {
    "$@" >>"$work/log" 2>&1 &
    started+=($!)
}
wait_for() {
    for _ in $(seq 100); do
        curl -sko /dev/null "$1" && return
        sleep 0.1
    done
    echo "FAIL nothing answers at $1" >&2
    cat "$work/log" >&2
    exit 1
}

cargo build --quiet --example serve --features server,tls,websocket 2>/dev/null
serve=$(cargo metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/examples/serve
mkdir "$work/served"
printf 'a file of 26 bytes, indeed' >"$work/served/file.txt"
head -c 3000000 /dev/urandom >"$work/served/large.bin"
start "$serve" --port "$port" --root "$work/served"
wait_for "$base/"

# curl
check 'curl: page' 'httpoll serves' "$(curl -s $base/)"
check 'curl: echo' '"path":"/echo".*"query":\[\["a","1"\],\["b",null\]\]' "$(curl -s "$base/echo?a=1&b")"
check 'curl: cookies' '"cookies":\[\["k","v"\]\]' "$(curl -s -b k=v $base/echo)"
check 'curl: form' '"form":\[\["x","1 2"\]\]' "$(curl -s --data-urlencode 'x=1 2' $base/echo)"
check 'curl: files' '"filename":"file.txt".*"size":26' "$(curl -s -F "f=@$work/served/file.txt" $base/echo)"
check 'curl: chunked upload' '"body":"a file of 26' \
    "$(curl -s -H 'Transfer-Encoding: chunked' -H 'Content-Type: text/plain' --data-binary "@$work/served/file.txt" $base/echo)"
check 'curl: Expect: 100-continue' '100 Continue' \
    "$(curl -sv -H 'Expect: 100-continue' -H 'Content-Type: text/plain' -d hello $base/echo 2>&1)"
check 'curl: chunked' 'line 99' "$(curl -s $base/chunked)"
check 'curl: HEAD' 'HTTP/1.1 200 OK' "$(curl -sI $base/)"
check 'curl: HTTP/1.0' 'httpoll serves' "$(curl -s0 $base/)"
check 'curl: deferred' 'slow, but here' "$(curl -s $base/slow)"
check 'curl: redirects' '^200 3$' "$(curl -sLo /dev/null -w '%{http_code} %{num_redirects}' $base/redirect/3)"
check 'curl: status' '^418$' "$(curl -so /dev/null -w '%{http_code}' $base/status/418)"
check 'curl: events' 'data: tick' "$(curl -sN --max-time 2 $base/sse || true)"
check 'curl: range' '^of 26$' "$(curl -s -r 7-11 $base/files/file.txt)"
check 'curl: too large' '^413$' \
    "$(head -c 3000000 /dev/zero | curl -so /dev/null -w '%{http_code}' --data-binary @- $base/echo)"
tag=$(curl -sI $base/files/file.txt | tr -d '\r' | sed -n 's/^etag: //Ip')
check 'curl: not modified' '^304$' \
    "$(curl -so /dev/null -w '%{http_code}' -H "If-None-Match: $tag" $base/files/file.txt)"
curl -s $base/files/large.bin | cmp - "$work/served/large.bin"
check 'curl: pages of other sites' '^403$' \
    "$(curl -so /dev/null -w '%{http_code}' -H 'Origin: https://evil.example' -d x $base/echo)"
check 'curl: other hosts' '^421$' "$(curl -so /dev/null -w '%{http_code}' -H 'Host: evil.example' $base/)"
check 'curl: paths that lead out' '^40[04]$' \
    "$(curl -so /dev/null -w '%{http_code}' --path-as-is $base/files/../../etc/passwd)"
check 'curl: kept connections' 'Re-using existing connection' \
    "$(curl -sv $base/ $base/echo 2>&1 -o /dev/null -o /dev/null)"
check 'curl: metrics' '"requests":[0-9]+' "$(curl -s $base/metrics)"

# TLS
if has openssl; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    start "$serve" --port "$secure" --tls "$work/cert.pem" "$work/key.pem" --root "$work/served"
    wait_for "https://127.0.0.1:$secure/"
    check 'curl: TLS' 'httpoll serves' "$(curl -s --cacert "$work/cert.pem" "https://localhost:$secure/")"
    check 'curl: TLS 1.2' 'httpoll serves' \
        "$(curl -s --tls-max 1.2 --cacert "$work/cert.pem" "https://localhost:$secure/")"
    curl -sk "https://127.0.0.1:$secure/files/large.bin" | cmp - "$work/served/large.bin"
fi

if has wget; then
    check 'wget' 'httpoll serves' "$(wget -qO- $base/)"
    head -c 1000000 "$work/served/large.bin" >"$work/large.bin"
    wget -qcP "$work" $base/files/large.bin
    cmp "$work/large.bin" "$work/served/large.bin"
    echo 'ok   wget: continues a download'
fi

if has python3 && python3 -c 'import requests' 2>/dev/null; then
    check 'python requests' '^done$' "$(BASE=$base python3 - <<'PYTHON'
import os, requests
base = os.environ["BASE"]
session = requests.Session()
assert session.get(base + "/echo", params={"a": "b c"}).json()["query"] == [["a", "b c"]]
assert session.post(base + "/echo", json={"x": 1}).json()["body"] == '{"x": 1}'
assert session.post(base + "/echo", data={"x": "1"}).json()["form"] == [["x", "1"]]
assert session.post(base + "/echo", files={"f": ("n.txt", b"abc")}).json()["files"][0]["size"] == 3
assert session.put(base + "/echo", data=(part for part in [b"a", b"b"])).json()["body"] == "ab"
assert session.get(base + "/redirect/2").json()["path"] == "/echo"
assert len(session.get(base + "/files/large.bin").content) == 3000000
assert session.delete(base + "/echo").json()["method"] == "DELETE"
assert session.options(base + "/metrics").headers["allow"] == "GET, HEAD, OPTIONS"
assert "tick" in next(line for line in session.get(base + "/sse", stream=True).iter_lines() if line).decode()
print("done")
PYTHON
)"
else
    left_out+=('python requests')
fi

if has wrk; then
    load=$(wrk -t1 -c64 -d2s $base/)
    check 'wrk: load' 'Requests/sec' "$load"
    if grep -qE 'Socket errors|Non-2xx' <<<"$load"; then
        echo "FAIL wrk: $load" >&2
        exit 1
    fi
fi

if has chromium; then
    # The page is loaded when its slow frame is: by then events and messages have come.
    page=$(timeout 60 chromium --headless=new --no-sandbox --disable-gpu --no-proxy-server \
        --user-data-dir="$work/chromium" --timeout=10000 --dump-dom "$base/" 2>>"$work/log" || true)
    check 'chromium: page' 'httpoll serves' "$page"
    check 'chromium: events' 'tick [0-9]+' "$page"
    check 'chromium: WebSocket' 'héllo . bytes 1,2,3' "$page"
fi

if has nginx; then
    cat >"$work/nginx.conf" <<NGINX
worker_processes 1;
pid $work/nginx.pid;
daemon off;
error_log $work/nginx.log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    map \$http_upgrade \$connection_upgrade { default upgrade; '' ''; }
    upstream game { server 127.0.0.1:$port; keepalive 8; }
    server {
        listen 127.0.0.1:$proxy;
        client_max_body_size 8m;
        location / {
            proxy_pass http://game;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_set_header Host 127.0.0.1:$port;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection \$connection_upgrade;
        }
    }
}
NGINX
    start nginx -c "$work/nginx.conf"
    front=http://127.0.0.1:$proxy
    wait_for $front/
    check 'nginx: page' 'httpoll serves' "$(curl -s $front/)"
    check 'nginx: upload' '"filename":"file.txt"' "$(curl -s -F "f=@$work/served/file.txt" $front/echo)"
    check 'nginx: events' 'data: tick' "$(curl -sN --max-time 2 $front/sse || true)"
    check 'nginx: deferred' 'slow, but here' "$(curl -s $front/slow)"
    curl -s $front/files/large.bin | cmp - "$work/served/large.bin"
    check 'nginx: WebSocket' '101 Switching Protocols' "$(curl -sN --max-time 1 -i \
        -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
        -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' $front/ws || true)"
fi

echo "$passed checks passed${left_out:+; not installed: ${left_out[*]}}"
