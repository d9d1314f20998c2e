#!/usr/bin/env bash
# Does what the README tells a newcomer to do, on a bare Debian, and compares what it prints.
#
#   tests/newcomer.sh              in a new chroot (needs root, debootstrap and the network)
#   tests/newcomer.sh --here       on this machine, with the toolchain that it has
#   tests/newcomer.sh --with-bevy  also the first sample of plugin/README.md, in a window: it compiles all of Bevy, which
#                                  takes half an hour on two processors that have nothing else to do, and 6 GB
#   tests/newcomer.sh --fast       the samples only, without the two commands
#
# It takes the last commit, runs the two commands, copies each whole program of the README word for word into a
# new crate that depends on the checkout, runs it against the `serve` example, and compares its output. It prints
# how long each step took and how much space it needs.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD

here=false bevy=false fast=false inside=false
for argument; do
    case $argument in
    --here) here=true ;;
    --with-bevy) bevy=true ;;
    --fast) fast=true ;;
    --inside) inside=true ;; # this script, in the chroot
    *) sed -n 's/^# \{0,1\}//; 2,12p' "$0"; exit 2 ;;
    esac
done

say() { printf '\n== %s\n' "$*"; }

if ! $inside; then
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/newcomer.XXXXXX")
    trap 'rm -rf "$root"' EXIT
    options=(--inside)
    if $bevy; then options+=(--with-bevy); fi
    if $fast; then options+=(--fast); fi
    if $here; then
        mkdir "$root/httpoll"
        git archive HEAD | tar -x -C "$root/httpoll"
        (cd "$root/httpoll" && tests/newcomer.sh "${options[@]}")
        exit
    fi
    [ "$(id -u)" = 0 ] || { echo 'a chroot needs root; see --here' >&2; exit 2; }
    command -v debootstrap >/dev/null || { echo 'apt-get install debootstrap; or see --here' >&2; exit 2; }
    say 'a bare Debian'
    debootstrap --variant=minbase bookworm "$root/debian" >/dev/null
    mkdir -p "$root/debian/httpoll" "$root/debian/newcomer/.cargo"
    git archive HEAD | tar -x -C "$root/debian/httpoll"
    cp -L /etc/resolv.conf /etc/hosts "$root/debian/etc/"
    # What this machine needs to reach the network: a mirror, the authority of a proxy.
    cp "${CARGO_HOME:-$HOME/.cargo}"/config.toml "$root/debian/newcomer/.cargo/" 2>/dev/null || true
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/debian/host-authorities.crt" 2>/dev/null || true
    toolchain=$(rustc --print sysroot 2>/dev/null || true)
    # The mounts are in a namespace of their own, which ends with the command.
    unshare --mount --propagation private bash -c '
        set -e
        root=$1 toolchain=$2; shift 2
        for d in /proc /dev; do mount --rbind "$d" "$root$d"; done
        if [ -n "$toolchain" ]; then
            mkdir -p "$root/opt/rust"; mount --bind "$toolchain" "$root/opt/rust"
        fi
        exec chroot "$root" /usr/bin/env -i HOME=/newcomer TERM=dumb \
            PATH=/newcomer/.cargo/bin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin \
            bash /httpoll/tests/newcomer.sh "$@"
    ' bash "$root/debian" "$toolchain" "${options[@]}"
    exit
fi

# From here on: on the newcomer's machine, in the checkout.
table=()
timed() { # NAME COMMAND...: runs it; its time and the space of the target folder become a row
    local name=$1 start=$SECONDS; shift
    say "$*"
    "$@"
    table+=("$(printf '| %s | %d min %02d s | %s |' "$name" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)) \
        "$(du -sh "${samples:-.}/target" 2>/dev/null | cut -f1)")")
}

if ! command -v cc >/dev/null; then
    say 'apt-get install gcc libc6-dev, as the README says'
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends gcc libc6-dev curl ca-certificates >/dev/null
fi
if [ -s /host-authorities.crt ]; then
    cp /host-authorities.crt /etc/ssl/certs/ca-certificates.crt
fi
if ! command -v cargo >/dev/null; then
    if curl -sSf --proto '=https' -m 60 https://sh.rustup.rs -o /tmp/rustup.sh; then
        sh /tmp/rustup.sh -y --profile minimal
    else
        say 'rustup cannot be reached: the toolchain of the host'
        export PATH=/opt/rust/bin:$PATH
    fi
fi
cargo --version

if ! $fast; then
    timed 'first command' cargo run --release -p bevy_httpoll --example get
    timed 'second command' cargo test --quiet --workspace
fi

say 'the server of the samples'
cargo build --release --example serve --features server,websocket
target/release/examples/serve --port 8080 --root assets >/tmp/serve.log 2>&1 &
server=$!
trap 'kill $server' EXIT
for _ in $(seq 100); do
    grep -q 8080 /tmp/serve.log && break
    sleep 0.1
done

# The Nth whole program of a document.
program() { # DOCUMENT N
    awk -v n="$2" '
        /^```rust/ { code = ""; inside = 1; next }
        /^```/ && inside { inside = 0; if (code ~ /fn main\(/ && ++found == n) printf "%s", code; next }
        inside { code = code $0 "\n" }
    ' "$1"
}

# sample NAME DOCUMENT N DEPENDENCY...: makes a crate of a program, and leaves its binary in samples/NAME.
samples=$(mktemp -d) # also where the target folder of the samples is
build_options=()
# With Bevy debug information would fill the disk, and samples share what they are built with.
if $bevy; then export CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0; fi
sample() {
    local name=$1 document=$2 n=$3; shift 3
    cargo init --quiet --vcs none --name "$name" "$samples/$name"
    program "$document" "$n" >"$samples/$name/src/main.rs"
    grep -q 'fn main' "$samples/$name/src/main.rs" || { echo "$document has no program $n" >&2; exit 1; }
    printf '%s\n' "$@" >>"$samples/$name/Cargo.toml"
    # The versions of the checkout, so that nothing is compiled that was not asked for.
    cp Cargo.lock "$samples/$name/"
    cd "$samples/$name"
    timed "sample $name" env CARGO_TARGET_DIR="$samples/target" cargo build --quiet "${build_options[@]}"
    cd "$checkout"
}
compare() { # NAME EXPECTED ACTUAL
    if [ "$2" != "$3" ]; then
        printf 'sample %s printed:\n%s\ninstead of:\n%s\n' "$1" "$3" "$2" >&2
        exit 1
    fi
    echo "sample $1: as expected"
}
leaderboard=$(cat assets/leaderboard.json)
core="httpoll = { path = \"$checkout\" }"
plugin="bevy_httpoll = { path = \"$checkout/plugin\" }"

sample node README.md 1 "$core"
compare node "$leaderboard" "$("$samples/target/debug/node")"

sample agent README.md 2 "$core"
printed=$(cd "$samples/agent" && "$samples/target/debug/agent")
compare agent "$leaderboard" "$(grep -v '^Some(' <<<"$printed")"
compare 'agent, progress' 'Some(1.0)' "$(grep '^Some(' <<<"$printed" | tail -n 1)"
compare 'agent, file' 1000000 "$(wc -c <"$samples/agent/assets/levels.pak")"

sample plugin README.md 3 "$plugin" 'bevy_app = "0.20"' 'bevy_ecs = "0.20"'
compare plugin "200 with $(wc -c <assets/leaderboard.json) bytes" "$("$samples/target/debug/plugin")"

if $bevy; then
    command -v xvfb-run >/dev/null || apt-get install -y -qq --no-install-recommends \
        g++ pkg-config libasound2-dev libudev-dev libwayland-dev libxkbcommon-x11-0 libx11-xcb1 libxcursor1 libxi6 \
        libxrandr2 mesa-vulkan-drivers xvfb xauth >/dev/null
    # The crate `bevy` asks for a newer compiler than it needs.
    build_options=(--ignore-rust-version)
    sample window plugin/README.md 1 "$plugin" 'bevy = "0.20"'
    # A window stays until it is closed: the sample has printed everything when the board's last line is there.
    xvfb-run -a bash -c '
        "$1" >/tmp/window.out 2>/tmp/window.log &
        for _ in $(seq 300); do
            { grep -qxF "$2" /tmp/window.out || ! kill -0 $!; } && break
            sleep 1
        done
        kill $!
    ' bash "$samples/target/debug/window" "$(tail -n 1 <<<"$leaderboard")" || true
    [ -s /tmp/window.out ] || tail -n 20 /tmp/window.log >&2
    compare window "200: $leaderboard" "$(cat /tmp/window.out)"
fi

say 'the steps, and the space of the target folder behind each'
printf '| step | time | target folder |\n|---|---:|---:|\n'
printf '%s\n' "${table[@]}"
