#!/usr/bin/env bash
# Everything that needs no device: format and lint, types, layers, WGSL, generated files, null tests. Runs every step, then
# exits 1 if one of them failed. Under a minute on two cores.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

failed=()
step() {
  local name=$1 start=$SECONDS status=0
  shift
  "$@" || status=$?
  printf '%-10s %s (%d s)\n' "$name" "$([ "$status" -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - start))
  if [ "$status" -ne 0 ]; then failed+=("$name"); fi
}

step lint biome check --error-on-warnings .
step types tsc -p . --incremental --tsBuildInfoFile .cache/check.tsbuildinfo
step layers tsx scripts/layers.ts
step wgsl tsx scripts/validate_wgsl.ts
step generated tsx scripts/generate.ts --check
step tests vitest run --reporter=dot test/null

if [ "${#failed[@]}" -gt 0 ]; then
  printf 'check: failed: %s\n' "${failed[*]}"
  exit 1
fi
printf 'check: ok (%d s)\n' "$SECONDS"
