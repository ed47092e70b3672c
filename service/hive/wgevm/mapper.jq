# From the genesis file of hive and the environment variables of a simulation to the genesis file of wgevm, which is
# go-ethereum's format. Forks that a simulation does not name are left out.

def number: if . == null or . == "" then null else tonumber end;

def blob_schedule($fork; $target; $max; $fraction):
  if env["HIVE_\($fork)_TIMESTAMP"] == null then null
  elif $target == null and env["HIVE_\($fork)_BLOB_TARGET"] == null then null
  else {
    target: ((env["HIVE_\($fork)_BLOB_TARGET"] | number) // $target),
    max: ((env["HIVE_\($fork)_BLOB_MAX"] | number) // $max),
    baseFeeUpdateFraction: ((env["HIVE_\($fork)_BLOB_BASE_FEE_UPDATE_FRACTION"] | number) // $fraction)
  } end;

def without_nulls: with_entries(select(.value != null));

. + {
  config: ({
    chainId: ((env.HIVE_CHAIN_ID | number) // 1),
    homesteadBlock: (env.HIVE_FORK_HOMESTEAD | number),
    daoForkBlock: (env.HIVE_FORK_DAO_BLOCK | number),
    daoForkSupport: (if env.HIVE_FORK_DAO_VOTE == null then null else env.HIVE_FORK_DAO_VOTE == "1" end),
    eip150Block: (env.HIVE_FORK_TANGERINE | number),
    eip155Block: (env.HIVE_FORK_SPURIOUS | number),
    eip158Block: (env.HIVE_FORK_SPURIOUS | number),
    byzantiumBlock: (env.HIVE_FORK_BYZANTIUM | number),
    constantinopleBlock: (env.HIVE_FORK_CONSTANTINOPLE | number),
    petersburgBlock: (env.HIVE_FORK_PETERSBURG | number),
    istanbulBlock: (env.HIVE_FORK_ISTANBUL | number),
    muirGlacierBlock: (env.HIVE_FORK_MUIR_GLACIER | number),
    berlinBlock: (env.HIVE_FORK_BERLIN | number),
    londonBlock: (env.HIVE_FORK_LONDON | number),
    arrowGlacierBlock: (env.HIVE_FORK_ARROW_GLACIER | number),
    grayGlacierBlock: (env.HIVE_FORK_GRAY_GLACIER | number),
    mergeNetsplitBlock: (env.HIVE_MERGE_BLOCK_ID | number),
    terminalTotalDifficulty: (env.HIVE_TERMINAL_TOTAL_DIFFICULTY | number),
    shanghaiTime: (env.HIVE_SHANGHAI_TIMESTAMP | number),
    cancunTime: (env.HIVE_CANCUN_TIMESTAMP | number),
    pragueTime: (env.HIVE_PRAGUE_TIMESTAMP | number),
    osakaTime: (env.HIVE_OSAKA_TIMESTAMP | number),
    bpo1Time: (env.HIVE_BPO1_TIMESTAMP | number),
    bpo2Time: (env.HIVE_BPO2_TIMESTAMP | number),
    bpo3Time: (env.HIVE_BPO3_TIMESTAMP | number),
    bpo4Time: (env.HIVE_BPO4_TIMESTAMP | number),
    bpo5Time: (env.HIVE_BPO5_TIMESTAMP | number),
    # Not known to wgevm, which refuses it by name.
    amsterdamTime: (env.HIVE_AMSTERDAM_TIMESTAMP | number),
    depositContractAddress: "0x00000000219ab540356cbb839cbe05303d7705fa",
    blobSchedule: ({
      cancun: blob_schedule("CANCUN"; 3; 6; 3338477),
      prague: blob_schedule("PRAGUE"; 6; 9; 5007716),
      osaka: blob_schedule("OSAKA"; 6; 9; 5007716),
      bpo1: blob_schedule("BPO1"; 10; 15; 8346193),
      bpo2: blob_schedule("BPO2"; 14; 21; 11684671),
      bpo3: blob_schedule("BPO3"; null; null; null),
      bpo4: blob_schedule("BPO4"; null; null; null),
      bpo5: blob_schedule("BPO5"; null; null; null)
    } | without_nulls)
  } | without_nulls)
}
