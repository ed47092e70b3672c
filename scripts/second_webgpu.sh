#!/usr/bin/env bash
# Path kernel, path program, senders and lane VM on a WebGPU that is not Dawn: npm's Deno, whose WebGPU is wgpu with
# naga. Every block is verified against serial execution, every sender against the host. Needs a Vulkan driver of the
# system (lavapipe will do); Deno (95 MB) goes to .cache/deno.
#   scripts/second_webgpu.sh [short]      short: without senders and lane VM, which take half a minute to compile each
set -euo pipefail
cd "$(dirname "$0")/.."
version=2.9.6
forms=(kernel program senders laneVm)
[ "${1:-}" = short ] && forms=(kernel program)

platform=$(node -p '`${process.platform}-${process.arch}`')
[ "$platform" = linux-x64 ] || { echo "second_webgpu: Deno is run on linux-x64 only, this is $platform"; exit 0; }
deno=.cache/deno/node_modules/@deno/linux-x64-glibc/deno
if [ "$("$deno" --version 2>/dev/null | sed -n 's/^deno \([0-9.]*\).*/\1/p')" != "$version" ]; then
  npm install --prefix .cache/deno --no-save --no-audit --no-fund --ignore-scripts "deno@$version" >/dev/null
fi
manifest=$(ls /usr/share/vulkan/icd.d/lvp_icd*.json /etc/vulkan/icd.d/lvp_icd*.json 2>/dev/null | head -n 1 || true)
if [ -z "$manifest" ] && [ -z "${VK_DRIVER_FILES:-}" ]; then
  echo 'second_webgpu: skipped, the system has no Vulkan driver (lavapipe)'
  exit 0
fi
export VK_DRIVER_FILES="${VK_DRIVER_FILES:-$manifest}" XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}" DENO_DIR="$PWD/.cache/deno/cache"
export DENO_NO_UPDATE_CHECK=1
"$deno" run --allow-all --unstable-webgpu --no-lock scripts/second_webgpu.ts "${forms[@]}"
