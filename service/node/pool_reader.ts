import {
  type Chain,
  decodeTransaction,
  isAtLeast,
  type TransactionBatch,
  type TransactionInputError,
} from '../../host/index.ts'
import { RpcError } from '../rpc_error.ts'
import type { Executors } from './executors.ts'
import type { PoolEntry } from './pool_entry.ts'
import { checkSize, checkStatic, costIn, feeRules, type NextBlock, nextBlock } from './pool_rules.ts'
import { accepted, attempt, refuse } from './refuse.ts'
import { type SplitTransaction, splitTransaction, TYPE_BLOB } from './side_car.ts'
import { hashesOf, isProtected } from './transaction_views.ts'

/** Reads what is sent to a pool, and checks what does not depend on the state: many transactions at once. */
export class PoolReader {
  readonly #chain: Chain
  readonly #executors: Executors

  constructor(chain: Chain, executors: Executors) {
    this.#chain = chain
    this.#executors = executors
  }

  /** In their order; an RpcError says why one is refused. Blob transactions come with their side-cars. */
  async read(sent: readonly Uint8Array[]): Promise<readonly (PoolEntry | RpcError)[]> {
    const next = nextBlock(this.#chain, this.#chain.head)
    const splits = sent.map((bytes) => attempt(() => split(bytes, next)))
    const signed = accepted(splits).map(({ bytes }) => bytes)
    const faults = new Map<number, TransactionInputError>()
    const batch = await this.#executors.decode(next, signed, faults)
    const hashes = hashesOf(signed)
    const rules = feeRules(batch, next)
    const rows = { batch, rules, hashes, faults, next }
    let i = 0
    return splits.map((one) => (one instanceof RpcError ? one : attempt(() => entryOf(one, i++, rows))))
  }
}

/** What was read of all transactions of a call. */
interface Rows {
  readonly batch: TransactionBatch
  readonly rules: ReturnType<typeof feeRules>
  readonly hashes: readonly string[]
  readonly faults: ReadonlyMap<number, TransactionInputError>
  readonly next: NextBlock
}

const split = (sent: Uint8Array, { chain }: NextBlock): SplitTransaction => {
  checkSize(sent)
  const found = splitTransaction(sent)
  if (found.bytes[0] === TYPE_BLOB && chain !== undefined) refuse('transaction type not supported')
  return found
}

const entryOf = ({ bytes, sideCar }: SplitTransaction, i: number, rows: Rows): PoolEntry => {
  const { batch, rules, hashes, faults, next } = rows
  const fault = faults.get(i)
  if (fault !== undefined) refuse(fault.reason)
  if (!isProtected(bytes) && isAtLeast(next.fork, 'spuriousDragon'))
    refuse('only replay-protected (EIP-155) transactions allowed over RPC')
  const transaction = decodeTransaction(batch, i)
  checkStatic(transaction, i, rules, next)
  return { hash: hashes[i]!, bytes, transaction, cost: costIn(rules, i), sideCar }
}
