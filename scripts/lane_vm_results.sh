#!/usr/bin/env bash
# Measures the lane VM and writes what docs/benchmarks.md shows of it; nothing else should run. One part a call, each of some minutes on
# two cores: `bench` (workloads on the lane VM alone), `programs`, `long` (the programs of 100 Mgas a call), `replay` (blocks after the merge,
# merged, with paths and lane VM). Data: $2, by default ../shared/data; adapter: $3.
set -euo pipefail
cd "$(dirname "$0")/.."
part=${1:?bench, programs, long or replay}
data=${2:-../shared/data}
adapter=${3:-lavapipe}
wgevm() { npx tsx cli/main.ts "$@" --adapter "$adapter" --json "bench/results/lane-vm-$part-$adapter.json"; }

short=evmone.main.blake,evmone.main.sha1,evmone.main.struct,evmone.main.swap,evmone.main.weier,evmone.micro
short=$short,revmc.a,revmc.bs,revmc.c,revmc.e,revmc.f,revmc.h,revmc.p,revmc.se,revmc.u,revmc.w,real,revm.analysis
case $part in
  bench)
    wgevm bench erc20 --size 65536 --tier lane-vm
    part=orders
    wgevm bench many-contracts many-contracts-sorted --size 16384 --tier lane-vm
    ;;
  programs) wgevm programs "$data/programs" --only "$short" --peers revm ;;
  long) wgevm programs "$data/programs" --only evmone.main.snail,revmc.snail,revmc.burntpix --peers revm ;;
  replay) wgevm replay "$data"/blocks/mainnet-*.json.gz --post-merge --merged ;;
  *) echo "no part '$part'" >&2 && exit 1 ;;
esac
npx tsx scripts/generate.ts
