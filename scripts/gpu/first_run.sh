#!/usr/bin/env bash
# The first run on a machine with a GPU, in two stages, from the root of a checkout that has .bundle
# (scripts/gpu/bundle.sh):
#
#   bash scripts/gpu/first_run.sh 1     does it work, is it right, what does it compile in   (at most 6 minutes)
#   bash scripts/gpu/first_run.sh 2     speed and size                                        (at most 6 minutes)
#
# Every step has a limit of its own; what came before a hang or a crash is in $OUT (default gpu-results): all.log,
# probe.jsonl, and the JSON of benchmarks for bench/results. The last lines are a summary, a line a step; the exit code
# is 1 where a step of stage 1 failed. WGEVM_ADAPTER=lavapipe tries the script itself where there is no GPU; SCALE=n
# divides the sizes of both stages by n then.
set -uo pipefail
cd "$(dirname "$0")/../.."
stage=${1:?stage 1 or 2}
out=${OUT:-gpu-results}
scale=${SCALE:-1}
mkdir -p "$out"
export OUT=$out WGEVM_ADAPTER=${WGEVM_ADAPTER:-gpu} HOME=${HOME:-/root} XDG_CACHE_HOME=${XDG_CACHE_HOME:-/tmp/wgevm-cache}
export NODE_OPTIONS=${NODE_OPTIONS:---max-old-space-size=16384}
# NVIDIA's shader cache is kept in $OUT; .bundle/glcache.tar of an earlier run fills it.
export __GL_SHADER_DISK_CACHE=1 __GL_SHADER_DISK_CACHE_PATH=/tmp/wgevm-glcache __GL_SHADER_DISK_CACHE_SKIP_CLEANUP=1
if [ ! -d /tmp/wgevm-glcache ]; then
  mkdir -p /tmp/wgevm-glcache
  [ -f .bundle/glcache.tar ] && tar -C /tmp/wgevm-glcache -xf .bundle/glcache.tar
fi
data=../shared/data
[ -d "$data" ] || data=.bundle/data
export WGEVM_DATA=$data

log=$out/all.log
summary=()
failed=0
step() { # name, limit in seconds, command...
  local name=$1 limit=$2 began=$SECONDS rc
  shift 2
  printf '\n=== %s: %s\n' "$name" "$*" >>"$log"
  timeout -k 5 "$limit" bash .bundle/run.sh "$@" >/tmp/wgevm-step.log 2>&1
  rc=$?
  cat /tmp/wgevm-step.log >>"$log"
  [ $rc -eq 0 ] || failed=1
  summary+=("$(printf '%-26s rc %-3d %4d s | %s' "$name" $rc $((SECONDS - began)) \
    "$(grep -v '^Warning' /tmp/wgevm-step.log | grep -v '^\s*$' | tail -n 1 | cut -c1-200)")")
  echo "${summary[-1]}"
}
tsx() { local name=$1 limit=$2; shift 2; step "$name" "$limit" node_modules/.bin/tsx "$@"; }
probe() { local name=$1 limit=$2; shift 2; tsx "$name" "$limit" scripts/gpu/probe.ts "$@"; }
size() { local scaled=$(($1 / scale)); echo $((scaled < 64 ? 64 : scaled)); }

{
  date -u
  nvidia-smi
  ls -l /usr/local/nvidia/share/vulkan/icd.d /etc/vulkan/icd.d /usr/share/vulkan/icd.d
  ls /dev/nvidia* /dev/dri
  ldconfig -p | grep -iE 'vulkan|libX11|GLX_nvidia|EGL_nvidia'
  nproc
  free -g | head -n 2
} >>"$log" 2>&1
if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=timestamp,utilization.gpu,clocks.sm,memory.used,power.draw --format=csv,noheader -l 2 \
    >>"$out/smi.csv" 2>/dev/null &
  trap "kill $!" EXIT
fi

if [ "$stage" = 1 ]; then
  tsx doctor 60 cli/main.ts doctor --adapter "$WGEVM_ADAPTER"
  if [ "$WGEVM_ADAPTER" = gpu ] && [ "$failed" = 1 ]; then
    # libGLX_nvidia needs X libraries; the EGL library is the same driver without them.
    egl='{"file_format_version":"1.0.1","ICD":{"library_path":"libEGL_nvidia.so.0","api_version":"1.3.0"}}'
    echo "$egl" >/tmp/wgevm_egl_icd.json
    export VK_DRIVER_FILES=/tmp/wgevm_egl_icd.json
    failed=0
    tsx 'doctor, EGL driver' 60 cli/main.ts doctor --adapter gpu
  fi
  probe basics 150 basics
  tsx senders 120 cli/main.ts bench senders --size "$(size 16384)" --samples 1
  export WGEVM_ROBUSTNESS=on
  probe 'kernel, robust' 60 exec erc20 "$(size 2000)" kernel
  probe 'lane VM, robust' 90 exec mixed "$(size 2000)" laneVm
  unset WGEVM_ROBUSTNESS
  probe kernel 40 exec erc20 "$(size 2000)" kernel
  probe program 40 exec mixed "$(size 2000)" program
  probe 'lane VM' 60 exec mixed "$(size 2000)" laneVm
  probe 'long kernel' 60 exec uniswap-v2 "$(size 1024)" kernel
  [ -d "$data/state-tests" ] && tsx 'state tests' 70 scripts/gpu/state_tests.ts $((40 / scale + 5)) 1
  step 'kernel tests' 200 node_modules/.bin/vitest run test/kernel --reporter=dot --exclude '**/device.test.ts'
  tsx 'programs fuzzed' 60 scripts/fuzz.ts --count "$(size 4000)" --seed 1
else
  for n in 65536 262144 1048576 4194304; do
    probe "kernel, $n" 90 exec erc20 "$(size $n)" kernel
  done
  probe 'lane VM, 65536' 60 exec erc20 "$(size 65536)" laneVm
  probe 'lane VM, 262144' 60 exec erc20 "$(size 262144)" laneVm
  probe 'swaps, program' 60 exec uniswap-v2 "$(size 65536)" program
  tsx bench 120 cli/main.ts bench erc20 transfers --size "$(size 1048576)" --samples 3 --json "$out/bench.json"
  tsx parts 100 cli/main.ts bench senders keccak trie --size "$(size 1048576)" --samples 1 --json "$out/parts.json"
  tsx 'signed blocks' 100 cli/main.ts bench erc20 --level block --size "$(size 65536)" --samples 2 --json "$out/signed.json"
  if [ -d "$data/programs" ]; then
    tsx programs 100 cli/main.ts programs "$data/programs" --only evmone.main.weierstrudel,evmone.main.sha1,real.uniswap_v3 \
      --lanes "$(size 65536)" --samples 2 --json "$out/programs.json"
  fi
  if [ -d "$data/blocks" ]; then
    tsx 'real blocks, lane VM' 60 cli/main.ts replay "$data/blocks" --tier lane-vm --samples 2 --json "$out/blocks.json"
  fi
fi

tar -C /tmp/wgevm-glcache -cf "$out/glcache.tar" . 2>/dev/null
[ "$(stat -c %s "$out/glcache.tar" 2>/dev/null || echo 0)" -le 16000000 ] || rm -f "$out/glcache.tar"
printf '\n--- stage %s: %d s on %s\n' "$stage" "$SECONDS" "$WGEVM_ADAPTER"
printf '%s\n' "${summary[@]}"
[ "$stage" != 1 ] || exit "$failed"
