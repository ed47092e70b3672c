#!/usr/bin/env bash
# Everything that needs no device: format and lint, types, layers, exports, files and packages that nothing uses, WGSL,
# generated files, null tests. Runs every step, then exits 1 if one of them failed. About 50 s of processor time; under
# a minute on two cores, because types are checked beside the other steps and null tests, which share no device, run in
# parallel. CHECK_TESTS=no leaves the null tests out.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

types_output=$(mktemp)
types_status=0
tsc -p . >"$types_output" 2>&1 &
types_job=$!
trap 'rm -f "$types_output"; if [ -n "$types_job" ]; then kill "$types_job"; fi' EXIT

finish_types() {
  wait "$types_job" || types_status=$?
  types_job=
  cat "$types_output"
  return "$types_status"
}

failed=()
step() {
  local name=$1 start=$SECONDS status=0
  shift
  "$@" || status=$?
  printf '%-10s %s (%d s)\n' "$name" "$([ "$status" -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - start))
  if [ "$status" -ne 0 ]; then failed+=("$name"); fi
}

step lint biome check --error-on-warnings .
step layers tsx scripts/layers.ts
step unused knip --no-progress
step wgsl tsx scripts/validate_wgsl.ts
step generated tsx scripts/generate.ts --check
if [ "${CHECK_TESTS:-}" != no ]; then step tests vitest run --project null --reporter=dot; fi
step types finish_types

if [ "${#failed[@]}" -gt 0 ]; then
  printf 'check: failed: %s\n' "${failed[*]}"
  exit 1
fi
printf 'check: ok (%d s)\n' "$SECONDS"
