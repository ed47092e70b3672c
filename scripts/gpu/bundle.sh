#!/usr/bin/env bash
# Packs what an OFFLINE x86-64 Linux machine with a GPU needs to run a checkout of this project: no Node, npm, Vulkan
# loader or network is there. After `npm ci`:
#
#   scripts/gpu/bundle.sh [DATA]   DATA: folder with state-tests/, programs/, blocks/ (default ../shared/data, if there)
#   -> .bundle/node.tar.xz       this machine's Node, stripped
#   -> .bundle/modules.tar.xz    node_modules without other platforms' binaries, browsers, compilers
#   -> .bundle/debs/*.deb        Vulkan and GL loaders of Debian
#   -> .bundle/data/             a sample of the data
#   -> .bundle/run.sh            there, from the checkout's root:
#                                bash .bundle/run.sh node_modules/.bin/tsx cli/main.ts doctor
#
# Then copy the checkout with .bundle (git does not track it) and run scripts/gpu/first_run.sh there. All of it stays
# below 64 MiB. Run it again when dependencies change; Node and the loaders are kept.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${1:-../shared/data}
[ -d node_modules ] || { echo 'bundle: no node_modules here, run npm ci first' >&2; exit 1; }
mkdir -p .bundle/debs

if [ ! -s .bundle/node.tar.xz ]; then
  scratch=$(mktemp -d)
  cp "$(node -p process.execPath)" "$scratch/node"
  strip "$scratch/node" 2>/dev/null || true
  tar -C "$scratch" -cf - node | xz -T0 -6 >.bundle/node.tar.xz
  rm -rf "$scratch"
fi

if ! ls .bundle/debs/libvulkan1_*.deb >/dev/null 2>&1; then
  # libGLX_nvidia.so.0, which NVIDIA's manifest names, needs libX11 and libXext.
  packages=(libvulkan1 libegl1 libglvnd0 libopengl0 libgl1 libglx0 libgles2
    libx11-6 libxext6 libxcb1 libxau6 libxdmcp6 libbsd0 libmd0)
  (cd .bundle/debs && apt-get download "${packages[@]}" >/dev/null 2>&1) ||
    echo 'bundle: the loaders could not be downloaded: the other machine must have libvulkan.so.1' >&2
fi

exclude=(dist/darwin-* dist/win32-* dist/linux-arm64 .cache .vite '*.map' '*.d.ts' '*.d.cts' '*.d.mts')
for name in @biomejs @sparticuz @foundry-rs gpu.js playwright-core typedoc typescript lightningcss-\* @arethetypeswrong publint knip wabt assemblyscript binaryen @shikijs solc \
  zod jose highlight.js oxc-\* @oxc-\* classic-level bare-url @msgpackr-extract @lmdb/\*-musl; do
  exclude+=("node_modules/$name")
done
# tar ends with 1 where a file's times change under it, which harms nothing.
(tar "${exclude[@]/#/--exclude=}" --warning=no-file-changed -cf - node_modules || [ $? -eq 1 ]) |
  xz -T0 -6 >.bundle/modules.tar.xz

cat >.bundle/run.sh <<'RUN'
#!/usr/bin/env bash
# Unpacks the bundle once, finds the GPU's Vulkan driver, and runs the given command in the checkout with the bundle's
# Node.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bundle="$root/.bundle"
unpacked=${TMPDIR:-/tmp}/wgevm-bundle
unpack() { # archive, folder: with xz where there is one, else with Python's lzma
  mkdir -p "$2"
  if command -v xz >/dev/null; then xz -dc "$1"; else
    python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)' "$1"
  fi | tar -C "$2" -xf -
}
[ -x "$unpacked/bin/node" ] || unpack "$bundle/node.tar.xz" "$unpacked/bin"
[ -d "$root/node_modules" ] || unpack "$bundle/modules.tar.xz" "$root"
if ! ldconfig -p 2>/dev/null | grep libvulkan.so.1 >/dev/null; then
  if [ ! -d "$unpacked/debs" ]; then
    for deb in "$bundle"/debs/*.deb; do [ -e "$deb" ] && dpkg -x "$deb" "$unpacked/debs"; done
  fi
  export LD_LIBRARY_PATH="$unpacked/debs/usr/lib/x86_64-linux-gnu:${LD_LIBRARY_PATH:-}"
fi
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}" PATH="$unpacked/bin:$PATH"
cd "$root"
exec "$@"
RUN
chmod +x .bundle/run.sh

rm -rf .bundle/data
if [ -d "$data" ]; then
  mkdir -p .bundle/data/state-tests .bundle/data/programs .bundle/data/blocks
  cp "$data"/state-tests/state-tests.tar.gz .bundle/data/state-tests/
  cp "$data"/programs/{evmone.main.,real.}*.json .bundle/data/programs/
  cp $(ls -S "$data"/blocks/mainnet-1[6-9]*.json.gz | tail -n 8) .bundle/data/blocks/
else
  echo "bundle: no data at $data: the state tests, programs and real blocks are left out" >&2
fi

size_mib=$(du -sm .bundle | cut -f1)
echo "bundle: .bundle has $size_mib MiB"
[ "$size_mib" -lt 64 ] || { echo 'bundle: that is 64 MiB or more' >&2; exit 1; }
