import type { Fork } from '../../../transpiler/spec/forks.ts'
import { type ChainConfig, configuredBlobs, forkAt, isMergedAfter } from '../../chain/chain_config.ts'
import { encodeBody, joinBlock } from '../../chain/encode_block.ts'
import { type BlobSchedule, type BlockHeader, blobScheduleAt, encodeHeader } from '../../chain/header.ts'
import { type OpRules, opRulesAt } from '../../chain/op/op_chain.ts'
import { decodeReceiptList } from '../../chain/receipt_list.ts'
import { hexToBytes } from '../../primitives/hex.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store/store.ts'
import { lineOf, StoreError } from '../../state/store/store_error.ts'
import type { BlockRules, ChainBlock, ForkChoice, TransactionPlace } from './block_tree.ts'
import { checkBlockHash, checkBlockName } from './check_chain_input.ts'
import { FixedState } from './fixed_state.ts'
import type { KnownBlocks } from './known_blocks.ts'

/** What a chain knows, for reading: blocks on disk, known blocks beside and above them, and the states of both. */
export class StoredReads {
  readonly config: ChainConfig
  readonly genesisHash: string
  protected readonly store: Store
  protected readonly known: KnownBlocks

  constructor(store: Store, known: KnownBlocks, config: ChainConfig, genesisHash: string) {
    this.store = store
    this.known = known
    this.config = config
    this.genesisHash = genesisHash
  }

  get folder(): string {
    return this.store.folder
  }

  get state(): State {
    return new FixedState(this.store, this.known, undefined)
  }

  isCanonical(hash: string): boolean {
    return this.store.header(checkBlockHash(hash)) !== undefined
  }

  block(block: bigint | string): ChainBlock | undefined {
    const hash = this.#hashOf(block)
    return hash === undefined ? undefined : this.known.block(hash)
  }

  blockBytes(block: bigint | string): Uint8Array | undefined {
    const hash = this.#hashOf(block)
    if (hash === undefined) return undefined
    const known = this.known.get(hash)
    if (known !== undefined) return joinBlock(encodeHeader(known.header), encodeBody(known.block))
    const header = this.store.header(hash)
    const body = this.store.body(hash)
    return header === undefined || body === undefined ? undefined : joinBlock(header, body)
  }

  receipts(block: bigint | string): readonly Uint8Array[] | undefined {
    const hash = this.#hashOf(block)
    if (hash === undefined) return undefined
    const list = this.known.get(hash)?.receipts ?? this.store.receipts(hash)
    if (list === undefined) return undefined
    try {
      return decodeReceiptList(list)
    } catch (thrown) {
      const what = `the store is damaged: the receipts of block ${hash}: ${lineOf(thrown)}`
      throw new StoreError(this.store.folder, 'damaged', what, thrown)
    }
  }

  transaction(hash: string): TransactionPlace | undefined {
    const place = this.store.place(hexToBytes(checkBlockHash(hash, 'hash')))
    if (place === undefined) return undefined
    const { number, index } = place
    return { blockHash: this.store.canonical(number)!.hash, blockNumber: number, index }
  }

  rulesAfter(parent: string, timestamp: bigint): BlockRules {
    const block = this.block(checkBlockHash(parent))
    if (block === undefined) throw new StoreError(this.store.folder, 'depth', `there is no block ${parent}`)
    const { fork, schedule, chain } = rulesOn(this.config, this.known, block, timestamp)
    if (chain !== undefined) return { fork, blobSchedule: undefined, chain }
    return { fork, blobSchedule: schedule ?? blobScheduleAt(fork, this.config.chainId, timestamp) }
  }

  stateAt(block: bigint | string): State | undefined {
    const hash = this.#hashOf(block)
    if (hash === undefined || this.reachable(hash) === undefined) return undefined
    return new FixedState(this.store, this.known, hash)
  }

  /** A known block whose state is known. */
  protected reachable(hash: string): ChainBlock | undefined {
    const way = this.known.wayTo(hash)
    return way === undefined || way.base < this.store.oldestState ? undefined : this.known.block(hash)
  }

  protected forkOf(header: BlockHeader): Fork {
    const parent = this.known.block(header.parentHash)
    const before = parent === undefined ? 0n : this.known.totalDifficulty(parent)
    const { number, timestamp } = header
    return forkAt(this.config, { number, timestamp, isMerged: isMergedAfter(this.config, before) })
  }

  protected storedForkChoice(): ForkChoice {
    const { safe, finalized } = this.store.forkChoice
    const canonical = (hash: string | undefined): ChainBlock | undefined =>
      hash === undefined || !this.isCanonical(hash) ? undefined : this.known.block(hash)
    return {
      head: this.known.block(this.store.head.hash)!,
      safe: canonical(safe),
      finalized: canonical(finalized),
    }
  }

  #hashOf(block: bigint | string): string | undefined {
    const name = checkBlockName(block)
    return typeof name === 'bigint' ? this.store.canonical(name)?.hash : name
  }
}

/** What holds in a block on a known one. */
export interface PlaceRules {
  readonly fork: Fork
  /** Blob limits, where the chain's configuration sets them. */
  readonly schedule: BlobSchedule | undefined
  /** On a chain of the OP stack. */
  readonly chain: OpRules | undefined
}

export const rulesOn = (config: ChainConfig, known: KnownBlocks, parent: ChainBlock, timestamp: bigint): PlaceRules => {
  const isMerged = isMergedAfter(config, known.totalDifficulty(parent))
  const fork = forkAt(config, { number: parent.header.number + 1n, timestamp, isMerged })
  const chain = config.op === undefined ? undefined : opRulesAt(config.op, timestamp)
  return { fork, schedule: configuredBlobs(config, fork, timestamp), chain }
}
