import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { accessListHash, type BlockAccessList } from '../chain/access_list.ts'
import type { BlockHeader } from '../chain/header.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import { type SignedTransactions, selectSigned } from '../chain/packed.ts'
import { rejectionText } from '../chain/rejection.ts'
import type { Requests } from '../chain/requests.ts'
import { bytesToHex } from '../primitives/hex.ts'
import type { Receipts } from '../receipts/receipts.ts'
import { prepareReceiptsRoot, prepareTransactionsRoot } from '../roots/roots.ts'
import type { StateWrites } from '../state/state.ts'
import { buildAccessList } from './access_list.ts'
import { blobGasOf, isIncluded } from './block.ts'
import { BlockError } from './block_input.ts'
import type { BlockGround, BlockSteps, EndedGround } from './block_steps.ts'
import type { BlockWork } from './block_work.ts'
import type { BuildRequest } from './build_request.ts'
import type { Forced } from './forced.ts'
import { depositExtras, footprintOf, messagesRoot } from './op_block.ts'
import type { RootJobs } from './root_jobs.ts'

interface BuildParts {
  readonly request: BuildRequest
  readonly header: BlockHeader
  readonly fork: Fork
  readonly chain: OpRules | undefined
  readonly work: BlockWork
  readonly jobs: RootJobs
}

/** The work around the transactions of a block that is being made; in the end its header. */
export class BuildSteps implements BlockSteps {
  readonly invalid = 'skip'
  result:
    | { readonly header: BlockHeader; readonly accessList?: BlockAccessList; readonly requests?: Requests }
    | undefined
  readonly #request: BuildRequest
  readonly #header: BlockHeader
  readonly #fork: Fork
  readonly #chain: OpRules | undefined
  readonly #work: BlockWork
  readonly #jobs: RootJobs
  #receiptsRoot: Promise<string> | undefined
  #transactionsRoot: Promise<string> | undefined
  #ordered: Forced | undefined
  /** Those of the ordered transactions that are in the block. */
  signed: SignedTransactions = []
  #forcedCount = 0

  constructor({ request, header, fork, chain, work, jobs }: BuildParts) {
    this.#jobs = jobs
    this.#request = request
    this.#header = header
    this.#fork = fork
    this.#chain = chain
    this.#work = work
  }

  /** The transactions in order, of which the first `forcedCount` are not to be left out. */
  take(ordered: Forced, forcedCount: number): void {
    this.#ordered = ordered
    this.#forcedCount = forcedCount
  }

  get rootsMs(): number {
    return this.#jobs.thisThreadMs
  }

  before(ground: BlockGround): Promise<void> {
    return this.#work.before(ground)
  }

  after(ground: EndedGround, receipts: Receipts): Promise<void> {
    for (let n = 0; n < this.#forcedCount; n++) {
      const code = receipts.rejection(n)
      if (code === 0) continue
      throw new BlockError(this.#header.number, 'transactions', `transaction ${n}: ${rejectionText(code)}`)
    }
    const included = Uint32Array.from({ length: receipts.count }, (_, n) => n).filter((n) => isIncluded(receipts, n))
    const { signed: all } = this.#ordered!
    const signed = included.length === receipts.count ? all : selectSigned(all, included)
    this.signed = signed
    const extras = depositExtras(receipts, this.#chain)
    this.#receiptsRoot = this.#jobs.start((hasher) => prepareReceiptsRoot(receipts, extras).finish(hasher))
    this.#transactionsRoot = this.#jobs.start((hasher) => prepareTransactionsRoot(signed).finish(hasher))
    return this.#work.after(ground, receipts)
  }

  async check(ground: EndedGround, receipts: Receipts, writes: StateWrites): Promise<void> {
    const statePending = this.#jobs.startState(this.#request.parentState, writes)
    const accessList = await this.#accessList(ground, receipts)
    const { requests, requestsHash } = this.#work.yields
    const stateRoot = await statePending
    const messages = messagesRoot(this.#chain, this.#request.parentState)
    const header = {
      ...this.#header,
      transactionsRoot: await this.#transactionsRoot!,
      receiptsRoot: await this.#receiptsRoot!,
      logsBloom: bytesToHex(receipts.blockBloom()),
      gasUsed: receipts.blockGasUsed,
      ...(isAtLeast(this.#fork, 'cancun') ? { blobGasUsed: this.#blobGasUsed(ground, receipts) } : {}),
      ...(requestsHash === undefined ? {} : { requestsHash }),
      ...(accessList === undefined || requestsHash === undefined
        ? {}
        : { blockAccessListHash: accessListHash(accessList) }),
      stateRoot,
      ...(messages === undefined ? {} : { withdrawalsRoot: messages }),
    }
    this.result = {
      header,
      ...(accessList === undefined ? {} : { accessList }),
      ...(requests === undefined ? {} : { requests }),
    }
  }

  #blobGasUsed(ground: EndedGround, receipts: Receipts): bigint {
    const chain = this.#chain
    return chain === undefined
      ? blobGasOf(this.#ordered!.batch, (n) => isIncluded(receipts, n))
      : footprintOf(chain, ground)
  }

  async #accessList({ recorder, running }: BlockGround, receipts: Receipts): Promise<BlockAccessList | undefined> {
    if (recorder === undefined || this.#request.accessList !== true) return undefined
    const { before, after } = this.#work.yields
    const included = recorder.all().filter((_, n) => isIncluded(receipts, n))
    return buildAccessList([before!, ...included, after!], (hash) => running.code(hash))
  }
}
