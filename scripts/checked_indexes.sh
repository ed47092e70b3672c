#!/usr/bin/env bash
# Kernels, random programs, random batches and state tests on a device that checks every index in the shader
# (WGEVM_ROBUSTNESS=checked). Fails on the first suite that fails, and where any index was outside: a batch would end on
# the CPU tier and hide it.
#   scripts/checked_indexes.sh [short]     short: kernels and 2,000 programs; else a sample of everything, some minutes
#                                          on two cores
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH" WGEVM_ROBUSTNESS=checked
mkdir -p .cache
log=$(mktemp .cache/checked_indexes.XXXXXX)
trap 'rm -f "$log"' EXIT
step() {
  echo "== $*"
  "$@" 2>&1 | tee -a "$log"
}

# checked_device.test.ts goes outside by intention.
kernels=(test/kernel/entries test/kernel/hash_level test/kernel/keccak test/kernel/lane test/kernel/path_program test/kernel/settle test/kernel/state test/kernel/vm_)
if [ "${1:-}" = short ]; then
  step vitest run --reporter=dot "${kernels[@]}" test/differential/program_runner.test.ts
  step tsx scripts/fuzz.ts --count 2000 --seed 1
else
  step vitest run --reporter=dot "${kernels[@]}" test/kernel/opcodes test/fuzz test/conformance \
    test/differential/{program_runner,vm_runner,path_forms,path_kernels,planted_conflicts,lane_vm,memos,delegations,trace}
  step tsx scripts/fuzz.ts --count 50000 --seed 1
fi
if grep -q 'index outside' "$log"; then
  grep -h 'index outside' "$log" | sort | uniq -c >&2
  exit 1
fi
echo 'no index outside its array'
