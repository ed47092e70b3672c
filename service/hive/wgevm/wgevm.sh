#!/bin/bash
# Entry point of the container: maps what hive gives (files at the root, variables HIVE_*) to the commands of wgevm.
#
#   /genesis.json   mandatory
#   /chain.rlp      optional, blocks to import
#   /blocks/        optional, files of blocks, imported in the order of their numbers
#
# ROOT is the folder of these files: / in a container, another one in the tests.
set -e
ROOT="${ROOT:-}"
WGEVM="${WGEVM:-wgevm}"
DATA="$ROOT/wgevm-data"

case "${HIVE_LOGLEVEL:-3}" in
  0) VERBOSITY=silent ;;
  1) VERBOSITY=error ;;
  2) VERBOSITY=warn ;;
  3) VERBOSITY=info ;;
  *) VERBOSITY=debug ;;
esac

# Blocks come from a file or from the consensus layer alone.
for name in HIVE_MINER HIVE_CLIQUE_PRIVATEKEY; do
  if [ -n "${!name}" ]; then
    echo "wgevm does not mine: $name is set" >&2
    exit 1
  fi
done
if [ -n "$HIVE_BOOTNODE" ]; then
  echo "wgevm has no peer-to-peer network: HIVE_BOOTNODE is ignored" >&2
fi

jq -f "$ROOT/mapper.jq" "$ROOT/genesis.json" > "$ROOT/genesis-wgevm.json"
$WGEVM init --genesis "$ROOT/genesis-wgevm.json" --data "$DATA"

# Some imports are meant to fail: what is valid up to there stays.
IMPORT="import --data $DATA"
if [ -n "$HIVE_SKIP_POW" ]; then
  IMPORT="$IMPORT --no-verify-seal"
fi
if [ -f "$ROOT/chain.rlp" ]; then
  $WGEVM $IMPORT "$ROOT/chain.rlp" || echo "the import of chain.rlp ended with $?" >&2
fi
if [ -d "$ROOT/blocks" ]; then
  for file in $(ls "$ROOT/blocks" | sort -n); do
    $WGEVM $IMPORT "$ROOT/blocks/$file" || echo "the import of $file ended with $?" >&2
  done
fi

# The secret that hive's simulators use.
echo 0x7365637265747365637265747365637265747365637265747365637265747365 > "$ROOT/jwt.hex"

exec $WGEVM serve --data "$DATA" --jwt-secret "$ROOT/jwt.hex" --verbosity "$VERBOSITY" --undo 512 \
  --http.addr 0.0.0.0 --http.port "${HTTP_PORT:-8545}" --http.vhosts '*' --http.api eth,net,web3,txpool,debug,testing \
  --ws --ws.addr 0.0.0.0 --ws.port "${WS_PORT:-8546}" --ws.origins '*' --ws.api eth,net,web3,txpool,debug \
  --authrpc.addr 0.0.0.0 --authrpc.port "${AUTH_PORT:-8551}" --authrpc.vhosts '*'
