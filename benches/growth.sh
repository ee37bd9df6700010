#!/usr/bin/env bash
# Measures how costs grow with the number of users, and writes the section "How costs grow" of
# docs/performance.md with its plot, docs/growth.svg.
#
#   benches/growth.sh [USERS ...]      10000 100000 1000000 unless others are named
#
# A million users take two to four minutes and 1 GB of memory and of disk after the build, ten million
# about fifteen minutes, 5 GB of memory and 8 GB of disk.
set -euo pipefail
cd "$(dirname "$0")/.."

sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(10000 100000 1000000)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo bench --bench growth --features jemalloc --no-run
for users in "${sizes[@]}"; do
    echo "== $users users"
    DESKPLANE_GROWTH_USERS=$users cargo bench --bench growth --features jemalloc --quiet \
        | tee "$out/$users"
done
python3 benches/growth.py "$out" docs/performance.md docs/growth.svg
