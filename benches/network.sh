#!/usr/bin/env bash
# Runs a command in a network namespace of its own, with other TCP settings. Needs root, changes nothing
# outside of the namespace.
#
#   benches/network.sh CONTROL RECEIVE_BUFFERS COMMAND...
#   benches/network.sh cubic "4096 131072 6291456" benches/run clients
#
# CONTROL is a congestion control, RECEIVE_BUFFERS what tcp_rmem says: least, first and most bytes.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n 's/^# \{0,1\}//; 2,8p' "$0" >&2
    exit 2
fi
exec unshare --net bash -c '
    set -euo pipefail
    control=$1 sizes=$2
    shift 2
    ip link set lo up
    # The namespace-wide setting is closed to what the machine does not allow to everybody; a route may
    # choose.
    for of in 127.0.0.0/8 127.0.0.1; do
        ip route replace local "$of" dev lo table local proto kernel scope host src 127.0.0.1 congctl "$control"
    done
    sysctl -qw "net.ipv4.tcp_rmem=$sizes"
    exec "$@"
' network "$@"
