import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { EMPTY_TRIE_ROOT } from '../primitives/keccak.ts'
import { type BlockHeader, EMPTY_LIST_HASH } from './header.ts'

/**
 * What a chain chooses for its first header; the rest follows from the fork it starts with.
 *
 * @example
 * import { type GenesisFields, MemoryState, stateRootOf } from 'wgevm'
 *
 * const state = MemoryState.from({ '0x00000000000000000000000000000000000a11ce': { balance: 1n } })
 * const fields: GenesisFields = { stateRoot: stateRootOf(state.dump()), gasLimit: 60_000_000n }
 * console.log(fields.stateRoot.length) // 66
 */
export interface GenesisFields
  extends Partial<
    Pick<
      BlockHeader,
      | 'coinbase'
      | 'difficulty'
      | 'gasLimit'
      | 'timestamp'
      | 'extraData'
      | 'mixHash'
      | 'nonce'
      | 'baseFeePerGas'
      | 'excessBlobGas'
    >
  > {
  /** Of the allocated accounts: `stateRootOf(state.dump())`. */
  readonly stateRoot: string
}

const ZERO_HASH = `0x${'00'.repeat(32)}`
/** INITIAL_BASE_FEE (EIP-1559). */
const INITIAL_BASE_FEE = 1_000_000_000n
/** SHA-256 of no bytes: the requests hash of a block without requests (EIP-7685). */
const EMPTY_REQUESTS_HASH = '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const DEFAULT_GAS_LIMIT = 30_000_000n

/**
 * The header of block 0 of a chain that starts with `fork`: `parent` of the first block that is built or executed.
 * Hashes are 0x-hex in lower case.
 *
 * @example
 * import { genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const state = MemoryState.from({ '0x00000000000000000000000000000000000a11ce': { balance: 10n ** 18n } })
 * const parent = genesisHeader('osaka', { stateRoot: stateRootOf(state.dump()), gasLimit: 60_000_000n })
 * console.log(parent.number, parent.baseFeePerGas) // 0n 1000000000n
 */
export const genesisHeader = (fork: Fork, fields: GenesisFields): BlockHeader => ({
  parentHash: ZERO_HASH,
  uncleHash: EMPTY_LIST_HASH,
  coinbase: fields.coinbase ?? `0x${'00'.repeat(20)}`,
  stateRoot: fields.stateRoot,
  transactionsRoot: EMPTY_TRIE_ROOT,
  receiptsRoot: EMPTY_TRIE_ROOT,
  logsBloom: `0x${'00'.repeat(256)}`,
  difficulty: fields.difficulty ?? 0n,
  number: 0n,
  gasLimit: fields.gasLimit ?? DEFAULT_GAS_LIMIT,
  gasUsed: 0n,
  timestamp: fields.timestamp ?? 0n,
  extraData: fields.extraData ?? '0x',
  mixHash: fields.mixHash ?? ZERO_HASH,
  nonce: fields.nonce ?? '0x0000000000000000',
  ...(isAtLeast(fork, 'london') ? { baseFeePerGas: fields.baseFeePerGas ?? INITIAL_BASE_FEE } : {}),
  ...(isAtLeast(fork, 'shanghai') ? { withdrawalsRoot: EMPTY_TRIE_ROOT } : {}),
  ...(isAtLeast(fork, 'cancun')
    ? { blobGasUsed: 0n, excessBlobGas: fields.excessBlobGas ?? 0n, parentBeaconBlockRoot: ZERO_HASH }
    : {}),
  ...(isAtLeast(fork, 'prague') ? { requestsHash: EMPTY_REQUESTS_HASH } : {}),
})
