#!/usr/bin/env bash
# The downloads at 60 fps again, in network namespaces with other TCP settings: the usual congestion
# control (cubic) and bbr, each with the usual receive buffer (up to 6 MiB, tuned by the kernel) and
# with a small one (what SO_RCVBUF of 208 KiB comes to, the most that Linux gives by default). Needs
# root, changes nothing outside of its namespaces. Arguments go on to `clients`, as in
# `benches/networks.sh --rounds 3`.
set -euo pipefail
cd "$(dirname "$0")/peers"
cargo build --quiet --release --bin clients
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

for control in cubic bbr; do
    if [[ " $(sysctl -n net.ipv4.tcp_available_congestion_control) " != *" $control "* ]]; then
        echo "this kernel has no $control loaded" >&2
        continue
    fi
    for buffer in "6MiB 4096 131072 6291456" "208KiB 4096 425984 425984"; do
        read -r name sizes <<<"$buffer"
        ../network.sh "$control" "$sizes" "$target/release/clients" \
            --only download-60fps-1ms --only download-60fps-2ms --only download-60fps-4ms \
            --network "$control-$name" --peer "httpoll agent" --peer "httpoll agent polled on" \
            --peer "httpoll agent to a file" --peer "httpoll node" --peer "libcurl 16 KiB" \
            --peer "libcurl 512 KiB" "$@"
    done
done
