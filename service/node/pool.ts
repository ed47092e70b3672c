import { decodeBlock } from '../../host/chain/decode_block.ts'
import {
  addressFromHex,
  type Chain,
  type ChainBlock,
  decodeTransaction,
  EMPTY_CODE_HASH,
  type HeadChange,
  isAtLeast,
  quantityToBigInt,
  type State,
  TransactionInputError,
  type TransactionObject,
  wordToBigInt,
  wordToHex,
} from '../../host/index.ts'
import type { Executors } from './executors.ts'
import type { PoolCalls, PoolContent } from './pool_calls.ts'
import { checkStatic, costOf, MOST_BYTES, nextBlock, refuse } from './pool_rules.ts'
import { hashesOf, transactionView } from './transaction_views.ts'
import type { TransactionView } from './views.ts'

/** How much the pool holds. */
export interface PoolLimits {
  readonly perSender: number
  readonly transactions: number
}

/** A transaction of the pool. */
export interface PoolEntry {
  readonly hash: string
  readonly bytes: Uint8Array
  readonly transaction: TransactionObject
  readonly view: TransactionView
  /** Wei that it may take from its sender. */
  readonly cost: bigint
}

/** What a sender has in the state after the head. */
interface SenderState {
  readonly nonce: bigint
  readonly balance: bigint
}

/** Percent by which another transaction of the same nonce must pay more. */
const REPLACEMENT_PERCENT = 110n
const DELEGATION_PREFIX = [0xef, 0x01, 0x00] as const

/**
 * Transactions that wait for a block, by sender and nonce. What it holds was valid after the head when it came; what
 * the head has taken or passed is gone.
 */
export class Pool implements PoolCalls {
  readonly #chain: Chain
  readonly #executors: Executors
  readonly #limits: PoolLimits
  readonly #bySender = new Map<string, Map<bigint, PoolEntry>>()
  readonly #byHash = new Map<string, PoolEntry>()
  /** Nonces after the head, of the senders that are here. */
  readonly #nonces = new Map<string, bigint>()
  /** Changes with the pool. */
  version = 0
  /** Told of transactions that the next block could take, when they have become so by one that was sent. */
  onPending: (hashes: readonly string[]) => void = () => undefined
  /** Ends when all changes so far have been made. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(chain: Chain, executors: Executors, limits: PoolLimits) {
    this.#chain = chain
    this.#executors = executors
    this.#limits = limits
  }

  get count(): number {
    return this.#byHash.size
  }

  find(hash: string): PoolEntry | undefined {
    return this.#byHash.get(hash)
  }

  add(bytes: Uint8Array): Promise<string> {
    return this.#inTurn(() => this.#add(bytes))
  }

  /** Reads transactions that are not to be kept. Throws RpcError where one of them cannot be read. */
  async read(transactions: readonly Uint8Array[]): Promise<readonly PoolEntry[]> {
    const entries: PoolEntry[] = []
    for (const bytes of transactions) entries.push((await this.#read(bytes)).entry)
    return entries
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const value = this.#turn.then(work)
    this.#turn = value.catch(() => undefined)
    return value
  }

  async #add(bytes: Uint8Array): Promise<string> {
    const { entry, from, nonce } = await this.#read(bytes)
    const { cost, hash, transaction } = entry
    if (this.#byHash.has(hash)) refuse('already known')
    const sender = await this.#senderState(from)
    if (nonce < sender.nonce) refuse(`nonce too low: next nonce ${sender.nonce}, tx nonce ${nonce}`)
    const entries = this.#bySender.get(from) ?? new Map<bigint, PoolEntry>()
    const replaced = entries.get(nonce)
    let spent = cost
    for (const other of entries.values()) if (other !== replaced) spent += other.cost
    if (spent > sender.balance)
      refuse(`insufficient funds for gas * price + value: balance ${sender.balance}, queued cost ${spent}`)
    if (replaced !== undefined && !paysMore(transaction, replaced.transaction))
      refuse('replacement transaction underpriced')
    if (replaced === undefined && entries.size >= this.#limits.perSender)
      refuse(`account has ${entries.size} transactions in the pool already`)
    if (replaced === undefined && this.count >= this.#limits.transactions) this.#makeRoom(entry)
    if (replaced !== undefined) this.#byHash.delete(replaced.hash)
    entries.set(nonce, entry)
    this.#bySender.set(from, entries)
    this.#byHash.set(hash, entry)
    this.#nonces.set(from, sender.nonce)
    this.version++
    const pending = this.#pendingOf(from).filter((one) => one.transaction.nonce >= nonce)
    // One that takes another's place lets no more of them in.
    if (pending.length > 0) this.onPending(replaced === undefined ? pending.map((one) => one.hash) : [hash])
    return hash
  }

  /** Reads a transaction and checks what does not depend on the state. */
  async #read(
    bytes: Uint8Array,
  ): Promise<{ readonly entry: PoolEntry; readonly from: string; readonly nonce: bigint }> {
    if (bytes.length > MOST_BYTES) refuse(`oversized data: ${bytes.length} bytes, limit ${MOST_BYTES}`)
    const next = nextBlock(this.#chain, this.#chain.head)
    try {
      const batch = await this.#executors.decode(next.fork, [bytes])
      const hash = hashesOf([bytes])[0]!
      const view = transactionView(batch, 0, bytes, hash, undefined, undefined)
      const transaction = decodeTransaction(batch, 0)
      if (view.chainId === undefined && isAtLeast(next.fork, 'spuriousDragon'))
        refuse('only replay-protected (EIP-155) transactions allowed over RPC')
      checkStatic(batch, transaction, next)
      const entry = { hash, bytes, transaction, view, cost: costOf(batch, next) }
      return { entry, from: transaction.from, nonce: transaction.nonce }
    } catch (thrown) {
      if (thrown instanceof TransactionInputError) return refuse(thrown.reason)
      throw thrown
    }
  }

  get #state(): State {
    return this.#chain.stateAt(this.#chain.head.hash)!
  }

  /** Refuses a sender that has code which is no delegation (EIP-3607, EIP-7702). */
  async #senderState(address: string): Promise<SenderState> {
    const state = this.#state
    const limbs = new Uint32Array(5)
    addressFromHex(limbs, 0, address)
    const { nonce, balance, codeHash } = await state.readAccounts(limbs, 1)
    const hash = wordToHex(codeHash, 0)
    if (hash !== EMPTY_CODE_HASH) {
      const code = await state.readCode(hash)
      if (DELEGATION_PREFIX.some((byte, i) => code[i] !== byte)) refuse('sender not an eoa')
    }
    return { nonce: quantityToBigInt(nonce, 0), balance: wordToBigInt(balance, 0) }
  }

  /** The transaction that pays least goes: the last of its sender, so that none after it is left behind. */
  #makeRoom({ transaction }: PoolEntry): void {
    let lowest: PoolEntry | undefined
    for (const entries of this.#bySender.values()) {
      const last = [...entries.values()].reduce((a, b) => (a.transaction.nonce > b.transaction.nonce ? a : b))
      if (lowest === undefined || priceOf(last.transaction) < priceOf(lowest.transaction)) lowest = last
    }
    const isWorthIt = lowest !== undefined && priceOf(transaction) > priceOf(lowest.transaction)
    this.#remove(isWorthIt ? lowest! : refuse('txpool is full'))
  }

  #remove({ hash, transaction }: PoolEntry): void {
    this.#byHash.delete(hash)
    const entries = this.#bySender.get(transaction.from)
    entries?.delete(transaction.nonce)
    if (entries?.size === 0) {
      this.#bySender.delete(transaction.from)
      this.#nonces.delete(transaction.from)
    }
    this.version++
  }

  /** What the head has passed goes, and what left the chain comes back. */
  moveTo(_: ChainBlock, { undone }: HeadChange): Promise<void> {
    return this.#inTurn(async () => {
      const senders = [...this.#bySender.keys()]
      const limbs = new Uint32Array(5 * senders.length)
      for (const [i, sender] of senders.entries()) addressFromHex(limbs, 5 * i, sender)
      const { nonce } = await this.#state.readAccounts(limbs, senders.length)
      for (const [i, sender] of senders.entries()) this.#passTo(sender, quantityToBigInt(nonce, 2 * i))
      for (const { hash } of undone) await this.#takeBack(hash)
    })
  }

  #passTo(sender: string, nonce: bigint): void {
    this.#nonces.set(sender, nonce)
    for (const entry of [...(this.#bySender.get(sender)?.values() ?? [])])
      if (entry.transaction.nonce < nonce) this.#remove(entry)
  }

  async #takeBack(hash: string): Promise<void> {
    const bytes = this.#chain.blockBytes(hash)
    if (bytes === undefined) return
    for (const transaction of decodeBlock(bytes).transactions) {
      // One that is in the new chain, too, or not valid any more, is not taken.
      await this.#add(Uint8Array.from(transaction)).catch(() => undefined)
    }
  }

  /** What the next block could take, each sender's in the order of nonces. */
  pending(): readonly PoolEntry[] {
    return [...this.#bySender.keys()].flatMap((sender) => this.#pendingOf(sender))
  }

  #pendingOf(sender: string): readonly PoolEntry[] {
    const entries = this.#bySender.get(sender)
    const found: PoolEntry[] = []
    for (let nonce = this.#nonces.get(sender) ?? 0n; ; nonce++) {
      const entry = entries?.get(nonce)
      if (entry === undefined) return found
      found.push(entry)
    }
  }

  async content(sender: string | undefined): Promise<PoolContent> {
    const senders = sender === undefined ? [...this.#bySender.keys()] : [sender]
    const pending = senders.flatMap((one) => this.#pendingOf(one))
    const isPending = new Set(pending)
    const queued = senders
      .flatMap((one) => [...(this.#bySender.get(one)?.values() ?? [])])
      .filter((entry) => !isPending.has(entry))
    return { pending: pending.map(({ view }) => view), queued: queued.map(({ view }) => view) }
  }

  async status(): Promise<{ readonly pending: number; readonly queued: number }> {
    const pending = this.pending().length
    return { pending, queued: this.count - pending }
  }

  async nextNonce(sender: string): Promise<bigint> {
    const last = this.#pendingOf(sender).at(-1)
    if (last !== undefined) return last.transaction.nonce + 1n
    const limbs = new Uint32Array(5)
    addressFromHex(limbs, 0, sender)
    return quantityToBigInt((await this.#state.readAccounts(limbs, 1)).nonce, 0)
  }
}

const priceOf = ({ maxFeePerGas, gasPrice = 0n }: TransactionObject): bigint => maxFeePerGas ?? gasPrice

const tipOf = ({ maxPriorityFeePerGas, gasPrice = 0n }: TransactionObject): bigint => maxPriorityFeePerGas ?? gasPrice

const paysMore = (one: TransactionObject, other: TransactionObject): boolean =>
  100n * priceOf(one) >= REPLACEMENT_PERCENT * priceOf(other) && 100n * tipOf(one) >= REPLACEMENT_PERCENT * tipOf(other)
