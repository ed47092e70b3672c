#!/usr/bin/env bash
# Measures the real blocks, one by one and merged, and writes what docs/benchmarks.md shows of them. Blocks: $1, by
# default ../shared/data/blocks. Takes about half an hour on two cores, a third of it for the block of 1.5 Ggas, which
# is left out of the merged run; nothing else should run. The merged run comes first and fills the store of recorded
# paths, so the other one starts warm.
set -euo pipefail
cd "$(dirname "$0")/.."
blocks=${1:-../shared/data/blocks}
adapter=${2:-lavapipe}

npx tsx cli/main.ts replay "$blocks"/mainnet-*.json.gz --merged --adapter "$adapter" \
  --json "bench/results/replay-merged-$adapter.json"
npx tsx cli/main.ts replay "$blocks" --adapter "$adapter" --samples 9 --json "bench/results/replay-$adapter.json"
npx tsx scripts/generate.ts
