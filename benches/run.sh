#!/usr/bin/env bash
# Measures the main port of the packaged server against plain tonic and writes docs/performance.md.
#
#   benches/run.sh            all figures, about 30 minutes after the builds
#   benches/run.sh --short    two groups of them beside plain tonic alone, two minutes; writes nothing
#
# DESKPLANE_BENCH is the folder of the load harness and the reference servers.
set -euo pipefail
cd "$(dirname "$0")/.."

harness=${DESKPLANE_BENCH:-../shared/bench}
if [ ! -f "$harness/Cargo.toml" ]; then
    echo "SKIPPED: no load harness in $harness; nothing was measured" >&2
    exit 2
fi
CARGO_TARGET_DIR=target/bench cargo build --locked --release --features mimalloc \
    --manifest-path "$harness/Cargo.toml" --bin grpcbench --bin baseline
cargo build --profile dist --features jemalloc --bin deskplane
options=(--server target/dist/deskplane --tools target/bench/release)
if [ "${1:-}" = --short ]; then
    exec python3 benches/front.py "${options[@]}" --short "${@:2}"
fi
cargo build --profile dist --features jemalloc --bench bare
bare=$(find target/dist/deps -maxdepth 1 -name 'bare-*' -perm -u+x -printf '%T@ %p\n' | sort -n | tail -n 1)
python3 benches/front.py "${options[@]}" --bare "${bare#* }" --markdown docs/performance.md "$@"
python3 benches/stores.py "${options[@]}" --markdown docs/performance.md
python3 benches/propagation.py "${options[@]}" --markdown docs/performance.md
