#!/usr/bin/env bash
# Changes the code of the state machines and policies in small ways, one at a time, and runs the tests that should
# notice it. Needs `cargo install cargo-mutants --locked`. All of it takes hours: name a group, or take a sample.
#
#   tests/mutants.sh [--sample N] [GROUP...]      GROUP: proto policies cache pool decide connect websocket events
#
# With --sample, about N mutants of each group, spread over its files. Works on a copy of the tree; the results are in
# target/mutants/GROUP. Fails unless at least 95 % of the mutants were caught.
set -euo pipefail
cd "$(dirname "$0")/.."

sample=
if [ "${1-}" = --sample ]; then
    sample=$2
    shift 2
fi
groups=("$@")
[ ${#groups[@]} -gt 0 ] || groups=(proto policies cache pool decide connect websocket events)

# The files of a group, the test targets that cover it, and the names of their tests begin with these words.
group() {
    case $1 in
    proto)
        files=(src/proto/{state,framing,chunked,exchange}.rs)
        targets=(--lib --test transcripts)
        filters=(proto:: transcript damage)
        ;;
    policies)
        files=(src/semantics/{retry,redirect,circuit,range,conditional}.rs)
        targets=(--lib)
        filters=(semantics::)
        ;;
    cache)
        files=(src/semantics/cache.rs 'src/semantics/cache/*.rs')
        targets=(--lib --test agent)
        filters=(semantics::cache caching::)
        ;;
    pool)
        files=(src/agent/pool.rs)
        targets=(--lib --test agent)
        filters=(agent::pool pool:: queue:: connections::)
        ;;
    decide)
        files=(src/agent/transfer/decide.rs src/agent/transfer/fault_class.rs)
        targets=(--lib --test agent)
        filters=()
        ;;
    connect)
        files=(src/transport/{happy_eyeballs,throttle}.rs)
        targets=(--lib --test agent)
        filters=(transport::happy_eyeballs transport::throttle rates::)
        ;;
    websocket)
        files=(src/semantics/websocket/{machine,liveness}.rs)
        targets=(--lib)
        filters=(semantics::websocket)
        ;;
    events)
        files=(src/semantics/event_stream.rs 'src/semantics/event_stream/*.rs')
        targets=(--lib)
        filters=(semantics::event_stream)
        ;;
    *)
        echo "no such group: $1" >&2
        exit 2
        ;;
    esac
}

# One target folder for all groups: each run works on a copy of the tree of its own.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=1 CARGO_TARGET_DIR="$PWD/target/mutants/target"
for name in "${groups[@]}"; do
    group "$name"
    select=()
    for file in "${files[@]}"; do
        select+=(--file "$file")
    done
    shard=()
    if [ -n "$sample" ]; then
        count=$(cargo mutants --list "${select[@]}" | wc -l)
        shards=$(((count + sample - 1) / sample))
        shard=(--shard "0/$((shards > 0 ? shards : 1))" --sharding round-robin)
    fi
    # The targets are arguments of each build, too: otherwise all test programs are linked for each mutant.
    only=()
    for target in "${targets[@]}"; do
        only+=(--cargo-arg="$target")
    done
    mkdir -p "target/mutants/$name"
    # Its exit status says that some were missed; the ratio below decides.
    cargo mutants "${select[@]}" "${shard[@]}" --no-shuffle --jobs 1 "${only[@]}" \
        --output "target/mutants/$name" -- -- "${filters[@]}" || true
done

python3 - "${groups[@]}" <<'PYTHON'
import json, sys

caught = missed = 0
for group in sys.argv[1:]:
    with open(f"target/mutants/{group}/mutants.out/outcomes.json") as file:
        outcomes = json.load(file)
    here = outcomes["caught"] + outcomes["timeout"]
    caught, missed = caught + here, missed + outcomes["missed"]
    total = here + outcomes["missed"]
    print(f"{group}: {here} of {total} caught, {outcomes['unviable']} did not compile")
total = caught + missed
print(f"in all: {caught} of {total} caught, {100 * caught / max(total, 1):.1f} %")
sys.exit(caught < 0.95 * total)
PYTHON
