import type { ChainConfig } from '../../chain/chain_config.ts'
import type { DecodedBlock } from '../../chain/decode_block.ts'
import { headerHash } from '../../chain/header.ts'
import type { OpRules } from '../../chain/op/op_chain.ts'
import { isPacked, type SignedTransactions } from '../../chain/packed.ts'
import { encodeKeptReceipts } from '../../roots/roots.ts'
import type { StateWrites } from '../../state/state.ts'
import type { Store } from '../../state/store/store.ts'
import { StoreError } from '../../state/store/store_error.ts'
import type { ArenaTrie } from '../../state/trie/arena_trie.ts'
import type { AccountProof } from '../../state/trie/state_trie.ts'
import type { BlockResult } from '../block.ts'
import { BlockError } from '../block_input.ts'
import type { BuiltBlock } from '../build.ts'
import { depositExtras } from '../op_block.ts'
import type {
  BlockMemory,
  BlockVerdict,
  ChainBlock,
  ChainBuildRequest,
  ForkChoice,
  HeadChange,
  HeadUpdate,
} from './block_tree.ts'
import { ChainExecutor, type Executed } from './chain_executor.ts'
import type { Chain, ChainOptions, ImportedBlock, UnwrittenBlock } from './chain_interface.ts'
import { checkBlockHash, checkBlockName, checkChainBuild, checkHeadUpdate, readImport } from './check_chain_input.ts'
import { chooseHead } from './fork_choice.ts'
import { InvalidBlocks } from './invalid_blocks.ts'
import type { KnownBlock } from './known_block.ts'
import { KnownBlocks } from './known_blocks.ts'
import { appendedBlock, type MoveTerms, moveHead, oldestUndo } from './move_head.ts'
import { isRefusal } from './refusals.ts'
import { StoredReads } from './stored_reads.ts'

interface ChainParts {
  readonly store: Store
  readonly config: ChainConfig
  readonly genesisHash: string
  readonly trie: ArenaTrie
  /** In bytes. */
  readonly trieMemory: number
  readonly undoDepth: number
  readonly transactionLookup: boolean
  /** In bytes. */
  readonly blockMemory?: number
  readonly onRepair?: ChainOptions['onRepair']
  readonly executor: NonNullable<ChainOptions['executor']>
}

/** A chain over an open store whose trie is at the head's state. */
export class StoredChain extends StoredReads implements Chain {
  readonly #undoDepth: number
  readonly #places: boolean
  readonly #invalid = new InvalidBlocks()
  readonly #executor: ChainExecutor
  #forkChoice: ForkChoice
  /** Ends when all calls made so far have ended. */
  #turn: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(parts: ChainParts) {
    const { store, config, genesisHash, undoDepth, transactionLookup, blockMemory, executor } = parts
    super(store, new KnownBlocks(store, blockMemory), config, genesisHash)
    this.#undoDepth = undoDepth
    this.#places = transactionLookup
    this.#forkChoice = this.storedForkChoice()
    const { head, known } = this
    this.#executor = new ChainExecutor({ ...parts, known, head, options: executor })
  }

  get head(): ChainBlock {
    return this.#forkChoice.head
  }

  get forkChoice(): ForkChoice {
    return this.#forkChoice
  }

  get memory(): BlockMemory {
    return this.known.memory
  }

  async import(block: Uint8Array | DecodedBlock): Promise<ImportedBlock> {
    // Before its turn: the bytes are the caller's again when this returns.
    const decoded = readImport(block)
    return this.#inTurn(() => this.#import(decoded))
  }

  async addBlock(block: Uint8Array | DecodedBlock): Promise<BlockVerdict> {
    const decoded = readImport(block)
    return this.#inTurn(() => this.#addBlock(decoded))
  }

  async setHead(to: HeadUpdate): Promise<HeadChange> {
    const update = checkHeadUpdate(to)
    return this.#inTurn(() => this.#setHead(update))
  }

  async build(request: ChainBuildRequest): Promise<BuiltBlock> {
    checkChainBuild(request)
    return this.#inTurn(() => this.#build(request))
  }

  async rewindTo(block: bigint | string): Promise<void> {
    const name = checkBlockName(block)
    return this.#inTurn(() => this.#rewindTo(name))
  }

  async proof(block: bigint | string, address: string, keys: readonly (bigint | string)[] = []): Promise<AccountProof> {
    const name = checkBlockName(block)
    return this.#inTurn(async () => {
      const at = this.#named(name)
      return this.#executor.proof(at, address, keys)
    })
  }

  async rootAfter(block: bigint | string, writes: StateWrites, account?: string): Promise<string> {
    const name = checkBlockName(block)
    return this.#inTurn(async () => {
      const at = this.#named(name)
      return this.#executor.rootAfter(at, writes, account)
    })
  }

  async #import(block: DecodedBlock): Promise<ImportedBlock> {
    const { header } = block
    const { number } = header
    const hash = headerHash(header)
    const parent = this.head
    if (this.isCanonical(hash)) return { hash, header, fork: this.forkOf(header), result: undefined }
    if (header.parentHash !== parent.hash || number !== parent.header.number + 1n)
      throw new BlockError(
        number,
        'parentHash',
        `does not follow the head, block ${parent.header.number} ${parent.hash}`,
      )
    if (this.known.get(hash) !== undefined) {
      await this.#setHead({ head: hash })
      return { hash, header, fork: this.forkOf(header), result: undefined }
    }
    const { fork, chain, result, writes } = await this.#executor.execute(block, parent)
    const known = this.#knownBlock({ hash, header, block }, receiptsOf(result, chain), writes, parent)
    try {
      this.store.move({
        blocks: [appendedBlock(known, this.#places, this.#executor.undoOf(parent, known))],
        pages: this.#executor.changedPages(known),
        oldestUndo: oldestUndo(number, this.#terms),
      })
    } catch (thrown) {
      this.#executor.leave(parent)
      throw thrown
    }
    this.#executor.written()
    this.#moved()
    return { hash, header, fork, result }
  }

  async #addBlock(block: DecodedBlock): Promise<BlockVerdict> {
    const { header } = block
    const hash = headerHash(header)
    const known = this.known.get(hash)
    if (known !== undefined || this.isCanonical(hash)) {
      if (known?.isBuilt) this.known.add({ ...known, isBuilt: false })
      else this.known.use(hash)
      return { status: 'valid', hash, header, fork: this.forkOf(header), result: undefined }
    }
    const invalid = this.#invalid.verdict(hash, header)
    if (invalid !== undefined) return invalid
    const parent = this.reachable(header.parentHash)
    if (parent === undefined) return { status: 'unknownParent', hash, header }
    this.known.checkRoom(parent)
    let executed: Executed<BlockResult>
    try {
      executed = await this.#executor.execute(block, parent)
    } catch (thrown) {
      if (!isRefusal(thrown)) throw thrown
      return this.#invalid.add(hash, block, thrown.message, parent)
    }
    const { fork, chain, result, writes } = executed
    this.known.add(this.#knownBlock({ hash, header, block }, receiptsOf(result, chain), writes, parent))
    this.known.trim(this.#executor.at)
    return { status: 'valid', hash, header, fork, result }
  }

  async #build(request: ChainBuildRequest): Promise<BuiltBlock> {
    const { parent: name = this.head.hash } = request
    const parent = this.reachable(name.toLowerCase())
    if (parent === undefined) throw new StoreError(this.store.folder, 'depth', this.known.goneText(name.toLowerCase()))
    this.known.checkRoom(parent)
    const { chain, result, writes } = await this.#executor.build(request, parent)
    const { hash, block, execution } = result
    const { header, withdrawals } = block
    this.known.dropBuilt(parent.hash)
    if (this.known.get(hash) === undefined && !this.isCanonical(hash)) {
      const decoded: DecodedBlock = {
        header,
        transactions: itemsOf(block.transactions as SignedTransactions),
        uncles: [],
        ...(withdrawals === undefined ? {} : { withdrawals }),
      }
      const receipts = receiptsOf(execution, chain)
      this.known.add(this.#knownBlock({ hash, header, block: decoded }, receipts, writes, parent, true))
      this.known.trim(this.#executor.at)
    }
    return result
  }

  #knownBlock(
    block: ChainBlock & { readonly block: DecodedBlock },
    receipts: Uint8Array,
    writes: KnownBlock['writes'],
    parent: ChainBlock,
    isBuilt = false,
  ): KnownBlock {
    const totalDifficulty = this.known.totalDifficulty(parent) + block.header.difficulty
    return { ...block, receipts, writes, totalDifficulty, isBuilt }
  }

  async #setHead(update: HeadUpdate): Promise<HeadChange> {
    const { way, safe, finalized, isNew } = chooseHead(this.store, this.known, this.#forkChoice, update)
    if (!isNew) return { undone: [], applied: [] }
    const forkChoice = { safe: safe?.hash, finalized: finalized?.hash }
    const terms = { ...this.#terms, forkChoice, finalized: finalized?.header.number }
    try {
      return await moveHead(this.store, this.known, way, terms, this.#executor)
    } finally {
      this.#moved()
    }
  }

  async #rewindTo(block: bigint | string): Promise<void> {
    const to = this.block(block)
    if (to === undefined || !this.isCanonical(to.hash))
      throw new StoreError(this.store.folder, 'depth', `block ${block} is no ancestor of the head, nor the head`)
    const { number } = to.header
    const remains = (named: ChainBlock | undefined): string | undefined =>
      named === undefined || named.header.number > number ? undefined : named.hash
    await this.#executor.moveTo(to)
    const { safe, finalized } = this.#forkChoice
    this.store.move({
      back: this.known.stepBack(number).back,
      blocks: [],
      pages: this.#executor.changedPages(to),
      forkChoice: { safe: remains(safe), finalized: remains(finalized) },
      oldestUndo: 0n,
    })
    this.#executor.written()
    this.#moved()
  }

  get #terms(): Omit<MoveTerms, 'forkChoice'> {
    const finalized = this.#forkChoice.finalized?.header.number
    return { undoDepth: this.#undoDepth, finalized, places: this.#places }
  }

  /** The head on disk has changed. */
  #moved(): void {
    this.#forkChoice = this.storedForkChoice()
    this.#executor.settle()
    this.known.prune(this.#forkChoice.finalized?.header.number ?? 0n)
    this.known.trim(this.#executor.at)
  }

  /** A known block. Throws StoreError. */
  #named(name: bigint | string): ChainBlock {
    const block = this.block(name)
    if (block !== undefined) return block
    const text =
      typeof name === 'string' && this.known.pruned(name) === 'forgotten' ? this.known.goneText(name) : undefined
    throw new StoreError(this.store.folder, 'depth', text ?? `there is no block ${name}`)
  }

  unwritten(hash: string): readonly UnwrittenBlock[] | undefined {
    const name = checkBlockHash(hash)
    return this.reachable(name) === undefined ? undefined : this.known.wayTo(name)!.above
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#turn
    this.#executor.close()
    await this.store.close()
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) return Promise.reject(new StoreError(this.store.folder, 'closed', 'the chain is closed'))
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

/** As they are kept. */
const receiptsOf = (
  { receipts, postStates }: Pick<BlockResult, 'receipts' | 'postStates'>,
  chain: OpRules | undefined,
): Uint8Array =>
  encodeKeptReceipts(receipts, {
    ...depositExtras(receipts, chain),
    ...(postStates === undefined ? {} : { postStates }),
  })

const itemsOf = (signed: SignedTransactions): readonly Uint8Array[] => {
  if (!isPacked(signed)) return signed
  const { bytes, offsets } = signed
  return Array.from({ length: offsets.length - 1 }, (_, i) => bytes.subarray(offsets[i], offsets[i + 1]))
}
