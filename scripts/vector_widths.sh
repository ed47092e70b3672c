#!/usr/bin/env bash
# Kernels on lavapipe with other widths of vectors, whatever the CPU has: 512 bits (16 lanes) and 1024 (32 lanes, as a
# warp of NVIDIA's). Each width has a shader cache of its own in .cache. Needs lavapipe.
#   scripts/vector_widths.sh [short]      short: 512 bits and the kernels that compile fast
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH" WGEVM_ADAPTER=lavapipe
widths=(512 1024)
tests=(test/kernel test/differential/{program_runner,vm_runner,path_kernels}.test.ts)
if [ "${1:-}" = short ]; then
  widths=(512)
  tests=(test/kernel/{hash_level,keccak,state,lane}.test.ts)
fi
manifests=$(compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' || compgen -G '/etc/vulkan/icd.d/lvp_icd*.json' || true)
if [ -z "$manifests" ] && [ -z "${VK_DRIVER_FILES:-}" ]; then
  echo 'vector_widths: skipped, the system has no lavapipe'
  exit 0
fi
for width in "${widths[@]}"; do
  folder="$PWD/.cache/vectors-$width"
  mkdir -p "$folder"
  echo "== $width bits"
  LP_NATIVE_VECTOR_WIDTH=$width MESA_SHADER_CACHE_DIR=$folder vitest run --reporter=dot "${tests[@]}"
done
