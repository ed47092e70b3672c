#!/usr/bin/env bash
# Measures the real blocks, one by one and merged, and writes what docs/benchmarks.md shows of them. Blocks: $1, by default
# ../shared/data/blocks. Takes about 20 minutes on two cores, a third of it the serial run of one block of 1.5 Ggas; nothing
# else should run. The first pass over the blocks fills the store of recorded paths, so that the second starts warm.
set -euo pipefail
cd "$(dirname "$0")/.."
blocks=${1:-../shared/data/blocks}
adapter=${2:-lavapipe}

run() { npx tsx cli/main.ts replay "$blocks" --adapter "$adapter" "$@"; }
run --merged --json "bench/results/replay-merged-$adapter.json"
run --json "bench/results/replay-$adapter.json"
npx tsx scripts/generate.ts
