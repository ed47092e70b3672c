#!/usr/bin/env bash
# Measures the lane VM and writes what docs/benchmarks.md shows of it; nothing else should run. One part a call, each of
# some minutes on two cores: `bench` (workloads on the lane VM alone), `programs`, `replay` (blocks after the merge,
# merged, with paths and lane VM), `blocks` (the same blocks one by one, on the lane VM alone). Data: $2, by default
# ../shared/data; adapter: $3.
set -euo pipefail
cd "$(dirname "$0")/.."
part=${1:?bench, programs, replay or blocks}
data=${2:-../shared/data}
adapter=${3:-lavapipe}
wgevm() { npx tsx cli/main.ts "$@" --adapter "$adapter" --json "bench/results/lane-vm-$part-$adapter.json"; }

programs=evmbench,evmone,real.erc,real.uni,real.usd,real.weth,revm
case $part in
  bench)
    wgevm bench erc20 --size 65536 --samples 9 --tier lane-vm
    part=orders
    wgevm bench many-contracts many-contracts-sorted --size 16384 --samples 9 --tier lane-vm
    ;;
  programs) wgevm programs "$data/programs" --only "$programs" --peers revm ;;
  replay) wgevm replay "$data"/blocks/mainnet-*.json.gz --post-merge --merged ;;
  blocks) wgevm replay "$data"/blocks/mainnet-*.json.gz --post-merge --tier lane-vm ;;
  *) echo "no part '$part'" >&2 && exit 1 ;;
esac
npx tsx scripts/generate.ts
