import type { ChainConfig } from '../../host/chain/chain_config.ts'
import { forkId } from '../../host/chain/fork_id.ts'
import {
  BEACON_ROOTS_CONTRACT,
  CONSOLIDATIONS_CONTRACT,
  HISTORY_CONTRACT,
  WITHDRAWALS_CONTRACT,
} from '../../host/chain/system_contracts.ts'
import { type ChainReads, type Fork, isAtLeast } from '../../host/index.ts'
import { blobsOf, forkOf } from './block_place.ts'
import type { CapabilitiesView, ConfigView, RulesView } from './views.ts'

/** Precompiled contracts by the names of EIP-7910. */
const PRECOMPILES: readonly (readonly [name: string, address: number, since: Fork])[] = [
  ['ECREC', 0x01, 'frontier'],
  ['SHA256', 0x02, 'frontier'],
  ['RIPEMD160', 0x03, 'frontier'],
  ['ID', 0x04, 'frontier'],
  ['MODEXP', 0x05, 'byzantium'],
  ['BN254_ADD', 0x06, 'byzantium'],
  ['BN254_MUL', 0x07, 'byzantium'],
  ['BN254_PAIRING', 0x08, 'byzantium'],
  ['BLAKE2F', 0x09, 'istanbul'],
  ['KZG_POINT_EVALUATION', 0x0a, 'cancun'],
  ['BLS12_G1ADD', 0x0b, 'prague'],
  ['BLS12_G1MSM', 0x0c, 'prague'],
  ['BLS12_G2ADD', 0x0d, 'prague'],
  ['BLS12_G2MSM', 0x0e, 'prague'],
  ['BLS12_PAIRING_CHECK', 0x0f, 'prague'],
  ['BLS12_MAP_FP_TO_G1', 0x10, 'prague'],
  ['BLS12_MAP_FP2_TO_G2', 0x11, 'prague'],
  ['P256VERIFY', 0x100, 'osaka'],
]

const ZERO_ADDRESS = `0x${'0'.repeat(40)}`

/** Precompiled contracts of a fork, by name. */
export const precompilesAt = (fork: Fork): Readonly<Record<string, string>> =>
  Object.fromEntries(
    PRECOMPILES.filter(([, , since]) => isAtLeast(fork, since)).map(([name, address]) => [
      name,
      `0x${address.toString(16).padStart(40, '0')}`,
    ]),
  )

const systemContractsAt = (fork: Fork, { depositContract }: ChainConfig): Readonly<Record<string, string>> => ({
  ...(isAtLeast(fork, 'cancun') ? { BEACON_ROOTS_ADDRESS: BEACON_ROOTS_CONTRACT } : {}),
  ...(isAtLeast(fork, 'prague')
    ? {
        CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS: CONSOLIDATIONS_CONTRACT,
        DEPOSIT_CONTRACT_ADDRESS: depositContract ?? ZERO_ADDRESS,
        HISTORY_STORAGE_ADDRESS: HISTORY_CONTRACT,
        WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS: WITHDRAWALS_CONTRACT,
      }
    : {}),
})

/** What the chain's configuration says of the head, and of what comes (EIP-7910). Changes by number have no rules. */
export const configOf = (chain: ChainReads): ConfigView => {
  const { times } = chain.config.changes
  const { timestamp } = chain.head.header
  const at = (seconds: bigint | undefined): RulesView | undefined =>
    seconds === undefined ? undefined : rulesAt(chain, seconds)
  const next = times.find((time) => time > timestamp)
  return {
    current: at(times.filter((time) => time <= timestamp).at(-1)),
    next: at(next),
    last: next === undefined ? undefined : at(times.at(-1)),
  }
}

const rulesAt = (chain: ChainReads, seconds: bigint): RulesView => {
  const { config, genesisHash, head } = chain
  const genesis = { hash: genesisHash, timestamp: chain.block(0n)!.header.timestamp }
  const fork = forkOf(config, { number: head.header.number + 1n, timestamp: seconds, difficulty: 0n })
  return {
    activationTime: seconds <= genesis.timestamp ? 0n : seconds,
    blobs: blobsOf(config, fork, seconds),
    chainId: config.chainId,
    forkId: forkId(config, genesis, seconds),
    precompiles: precompilesAt(fork),
    systemContracts: systemContractsAt(fork, config),
  }
}

/** How far back the node knows what. */
export const capabilitiesOf = (chain: ChainReads): CapabilitiesView => {
  const { hash, header } = chain.head
  let [oldest, newest] = [0n, header.number]
  while (oldest < newest) {
    const middle = (oldest + newest) / 2n
    if (chain.stateAt(middle) === undefined) oldest = middle + 1n
    else newest = middle
  }
  return { head: { number: header.number, hash }, oldestState: oldest }
}
