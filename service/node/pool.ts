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
  wordToBigInt,
  wordToHex,
} from '../../host/index.ts'
import type { KzgCalls } from '../kzg/kzg_calls.ts'
import { type Bundle, termsOfBundle } from './bundle.ts'
import type { Executors } from './executors.ts'
import { hasPassed, type InclusionTerms } from './inclusion_terms.ts'
import { KnownStorage } from './known_accounts.ts'
import { PastTerms } from './past_terms.ts'
import type { PoolCalls, PoolContent } from './pool_calls.ts'
import type { PoolEntry } from './pool_entry.ts'
import { checkSize, checkStatic, costOf, nextBlock, paysMore, priceOf, sideCarVersion } from './pool_rules.ts'
import { refuse } from './refuse.ts'
import { checkSideCar, type SideCar, splitTransaction, TYPE_BLOB } from './side_car.ts'
import { type BlobWithProofs, SideCars } from './side_cars.ts'
import { Surcharge } from './surcharge.ts'
import { checkTerms } from './terms_gate.ts'
import { hashesOf, transactionView } from './transaction_views.ts'

/** How much the pool holds. */
export interface PoolLimits {
  readonly perSender: number
  readonly transactions: number
  /** Blob transactions of one sender, and blobs in all. */
  readonly blobsPerSender: number
  readonly blobs: number
}

/** What a sender has in the state after the head. */
interface SenderState {
  readonly nonce: bigint
  readonly balance: bigint
}

const DELEGATION_PREFIX = [0xef, 0x01, 0x00] as const

/**
 * Transactions that wait for a block, by sender and nonce. What it holds was valid after the head when it came; what
 * the head has taken or passed is gone.
 */
export class Pool implements PoolCalls {
  readonly #chain: Chain
  readonly #executors: Executors
  readonly #limits: PoolLimits
  readonly #kzg: KzgCalls
  readonly #surcharge: Surcharge
  readonly #sideCars = new SideCars()
  readonly #pastTerms = new PastTerms()
  readonly #bySender = new Map<string, Map<bigint, PoolEntry>>()
  readonly #byHash = new Map<string, PoolEntry>()
  /** Nonces after the head, of the senders that are here. */
  readonly #nonces = new Map<string, bigint>()
  /** Hashes of transactions that get new proofs. */
  readonly #converting = new Map<string, Promise<void>>()
  /** Changes with the pool. */
  version = 0
  /** Told of transactions that the next block could take, when they have become so by one that was sent. */
  onPending: (hashes: readonly string[]) => void = () => undefined
  /** Ends when all changes so far have been made. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(chain: Chain, executors: Executors, limits: PoolLimits, kzg: KzgCalls) {
    this.#kzg = kzg
    this.#chain = chain
    this.#surcharge = new Surcharge(chain)
    this.#executors = executors
    this.#limits = limits
  }

  get count(): number {
    return this.#byHash.size
  }

  find(hash: string): PoolEntry | undefined {
    return this.#byHash.get(hash)
  }

  /** Blobs of all transactions. */
  get blobCount(): number {
    return this.#sideCars.blobCount
  }

  /** A blob by its versioned hash, with its proofs. */
  blob(hash: string): BlobWithProofs | undefined {
    return this.#sideCars.blob(hash)
  }

  addConditional(bytes: Uint8Array, terms: InclusionTerms): Promise<string> {
    return this.#addTermed(bytes, () => terms)
  }

  addBundle(bundle: Bundle): Promise<string> {
    return this.#addTermed(bundle.transaction, (hash) => termsOfBundle(bundle, hash, this.#chain.head.header))
  }

  #addTermed(bytes: Uint8Array, termsOf: (hash: string) => InclusionTerms): Promise<string> {
    if (bytes[0] === TYPE_BLOB) refuse('a blob transaction has no terms')
    return this.#inTurn(async () => {
      const read = await this.#read(bytes)
      const terms = termsOf(read.entry.hash)
      await checkTerms(terms, this.#chain)
      return this.#add({ ...read, entry: { ...read.entry, terms } })
    })
  }

  /** Proofs of blobs are verified before the turn, which others wait for. */
  async add(bytes: Uint8Array): Promise<string> {
    if (bytes[0] !== TYPE_BLOB) return this.#inTurn(async () => this.#add(await this.#read(bytes)))
    const read = await this.#proven(await this.#read(bytes))
    return this.#inTurn(() => this.#add(read))
  }

  /** The same with a side-car whose proofs hold, of the version that the next block takes. Throws RpcError. */
  async #proven(read: ReadTransaction): Promise<ReadTransaction> {
    const { entry } = read
    const { sideCar } = entry
    if (sideCar === undefined) return refuse('missing sidecar in blob transaction')
    if (this.#byHash.has(entry.hash)) return refuse('already known')
    const version = sideCarVersion(nextBlock(this.#chain, this.#chain.head).fork)
    if (sideCar.version > version) refuse(`unexpected sidecar version, want: ${version}, got: ${sideCar.version}`)
    checkSideCar(sideCar, entry.transaction.blobVersionedHashes ?? [])
    if (!(await this.#kzg.verify(sideCar))) refuse('KZG verification error: invalid blob proof')
    return sideCar.version === version ? read : { ...read, entry: await this.#converted(entry, sideCar) }
  }

  /** With proofs of cells in place of those of blobs (EIP-7594). */
  async #converted(entry: PoolEntry, sideCar: SideCar): Promise<PoolEntry> {
    return { ...entry, sideCar: { ...sideCar, version: 1, proofs: await this.#kzg.cellProofs(sideCar.blobs) } }
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

  async #add({ entry, from, nonce }: ReadTransaction): Promise<string> {
    const { hash, transaction } = entry
    if (this.#byHash.has(hash)) refuse('already known')
    const isBlob = entry.sideCar !== undefined
    const [other] = this.#bySender.get(from)?.values() ?? []
    if (other !== undefined && (other.sideCar !== undefined) !== isBlob) refuse('address already reserved')
    const sender = await this.#senderState(from)
    if (nonce < sender.nonce) refuse(`nonce too low: next nonce ${sender.nonce}, tx nonce ${nonce}`)
    this.#nonces.set(from, sender.nonce)
    const gap = sender.nonce + BigInt(this.#pendingOf(from).length)
    if (other === undefined) this.#nonces.delete(from)
    if (isBlob && gap < nonce) refuse(`nonce too high: tx nonce ${nonce}, gapped nonce ${gap}`)
    const entries = this.#bySender.get(from) ?? new Map<bigint, PoolEntry>()
    const replaced = entries.get(nonce)
    await this.#surcharge.renew()
    this.#checkFunds(entry, sender.balance, entries.values(), replaced)
    if (replaced !== undefined && !paysMore(transaction, replaced.transaction))
      refuse('replacement transaction underpriced')
    const most = isBlob ? this.#limits.blobsPerSender : this.#limits.perSender
    if (replaced === undefined && entries.size >= most) refuse(`account limit exceeded: pooled ${entries.size} txs`)
    this.#makeRoom(entry, replaced)
    if (replaced !== undefined) this.#forget(replaced)
    entries.set(nonce, entry)
    this.#bySender.set(from, entries)
    this.#byHash.set(hash, entry)
    this.#sideCars.add(entry)
    this.#nonces.set(from, sender.nonce)
    this.version++
    const pending = this.#pendingOf(from).filter((one) => one.transaction.nonce >= nonce)
    // One that takes another's place lets no more of them in.
    if (pending.length > 0) this.onPending(replaced === undefined ? pending.map((one) => one.hash) : [hash])
    return hash
  }

  /** Refuses what its sender cannot pay beside all that it has here; of what is replaced only the new one counts. */
  #checkFunds(entry: PoolEntry, balance: bigint, entries: Iterable<PoolEntry>, replaced: PoolEntry | undefined): void {
    const text = 'insufficient funds for gas * price + value'
    const cost = this.#surcharge.costOf(entry)
    if (cost > balance) refuse(`${text}: balance ${balance}, tx cost ${cost}, overshot ${cost - balance}`)
    let queued = 0n
    for (const other of entries) queued += this.#surcharge.costOf(other)
    const more = cost - (replaced === undefined ? 0n : this.#surcharge.costOf(replaced))
    const overshot = queued + more - balance
    if (overshot <= 0n) return
    const what = replaced === undefined ? 'tx cost' : 'tx bumped'
    refuse(`${text}: balance ${balance}, queued cost ${queued}, ${what} ${more}, overshot ${overshot}`)
  }

  /** Reads a transaction and checks what does not depend on the state. */
  async #read(sent: Uint8Array): Promise<ReadTransaction> {
    checkSize(sent)
    const { bytes, sideCar } = splitTransaction(sent)
    const next = nextBlock(this.#chain, this.#chain.head)
    if (bytes[0] === TYPE_BLOB && next.chain !== undefined) refuse('transaction type not supported')
    try {
      const batch = await this.#executors.decode(next, [bytes])
      const hash = hashesOf([bytes])[0]!
      const view = transactionView(batch, 0, bytes, hash, undefined, undefined)
      const transaction = decodeTransaction(batch, 0)
      if (view.chainId === undefined && isAtLeast(next.fork, 'spuriousDragon'))
        refuse('only replay-protected (EIP-155) transactions allowed over RPC')
      checkStatic(batch, transaction, next)
      const entry = { hash, bytes, transaction, view, cost: costOf(batch, next), sideCar }
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

  /** Others go where the pool is full: those that pay less. Throws RpcError where there are none. */
  #makeRoom(entry: PoolEntry, replaced: PoolEntry | undefined): void {
    const blobs = blobsIn(entry) - (replaced === undefined ? 0 : blobsIn(replaced))
    if (replaced === undefined && this.count >= this.#limits.transactions) this.#removeCheapest(entry, () => true)
    while (blobs > 0 && this.blobCount + blobs > this.#limits.blobs)
      this.#removeCheapest(entry, (other) => other.sideCar !== undefined && other !== replaced)
  }

  /** The transaction that pays least goes: the last of its sender, so that none after it is left behind. */
  #removeCheapest({ transaction }: PoolEntry, mayGo: (entry: PoolEntry) => boolean): void {
    let lowest: PoolEntry | undefined
    for (const entries of this.#bySender.values()) {
      const last = [...entries.values()].reduce((a, b) => (a.transaction.nonce > b.transaction.nonce ? a : b))
      if (!mayGo(last) || last.transaction.from === transaction.from) continue
      if (lowest === undefined || priceOf(last.transaction) < priceOf(lowest.transaction)) lowest = last
    }
    const found = lowest ?? refuse('txpool is full')
    if (priceOf(transaction) <= priceOf(found.transaction)) refuse('transaction underpriced')
    this.#remove(found)
  }

  #forget(entry: PoolEntry): void {
    this.#byHash.delete(entry.hash)
    this.#sideCars.remove(entry)
  }

  #remove(entry: PoolEntry): void {
    const { transaction } = entry
    this.#forget(entry)
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
      const { nonce, balance } = await this.#state.readAccounts(limbs, senders.length)
      await this.#surcharge.renew()
      for (const [i, sender] of senders.entries())
        this.#passTo(sender, { nonce: quantityToBigInt(nonce, 2 * i), balance: wordToBigInt(balance, 8 * i) })
      await this.#dropTermed()
      // The lowest first: those of one sender come in the order of their nonces.
      for (const { hash } of [...undone].reverse()) await this.#takeBack(hash)
      this.#convertOld()
    })
  }

  /** What no block from the next one on can take by its terms: ranges that have passed, accounts that have changed. */
  async #dropTermed(): Promise<void> {
    const { hash, header } = this.#chain.head
    const termed = [...this.#byHash.values()].filter(({ terms }) => terms !== undefined)
    const known = termed.map(({ terms }) => terms!).filter(({ knownAccounts }) => knownAccounts.length > 0)
    const storage = known.length === 0 ? undefined : await KnownStorage.read(this.#chain, hash, known)
    for (const entry of termed)
      if (hasPassed(entry.terms!, header) || storage?.fault(entry.terms!) !== undefined) this.#remove(entry)
  }

  /** Side-cars from before Osaka get proofs of cells when it comes; until then no block takes them. */
  #convertOld(): void {
    if (sideCarVersion(nextBlock(this.#chain, this.#chain.head).fork) === 0) return
    for (const entry of this.#byHash.values()) {
      if (entry.sideCar?.version !== 0 || this.#converting.has(entry.hash)) continue
      const converting = this.#converted(entry, entry.sideCar)
        .then((converted) => this.#inTurn(async () => this.#exchange(entry, converted)))
        .catch(() => undefined)
        .finally(() => this.#converting.delete(entry.hash))
      this.#converting.set(entry.hash, converting)
    }
  }

  /** Ends when new proofs that are on their way are there. */
  async settled(): Promise<void> {
    await Promise.all(this.#converting.values())
  }

  #exchange(entry: PoolEntry, converted: PoolEntry): void {
    if (this.#byHash.get(entry.hash) !== entry) return
    this.#forget(entry)
    this.#byHash.set(entry.hash, converted)
    this.#bySender.get(entry.transaction.from)?.set(entry.transaction.nonce, converted)
    this.#sideCars.add(converted)
    this.version++
  }

  #passTo(sender: string, { nonce, balance }: SenderState): void {
    this.#nonces.set(sender, nonce)
    const entries = [...(this.#bySender.get(sender)?.values() ?? [])]
    for (const entry of entries)
      if (entry.transaction.nonce < nonce) {
        this.#sideCars.keep(entry)
        this.#pastTerms.keep(entry)
        this.#remove(entry)
      }
    this.#dropUnpayable(entries, nonce, balance)
  }

  /** What its sender cannot pay any more would hold its place for ever. Blob transactions have no gaps. */
  #dropUnpayable(entries: readonly PoolEntry[], nonce: bigint, balance: bigint): void {
    const left = entries.filter(({ transaction }) => transaction.nonce >= nonce)
    const poor = left.filter((entry) => this.#surcharge.costOf(entry) > balance)
    const gaps = poor.filter(({ sideCar }) => sideCar !== undefined).map(({ transaction }) => transaction.nonce)
    for (const entry of left)
      if (poor.includes(entry) || gaps.some((gap) => gap < entry.transaction.nonce)) this.#remove(entry)
  }

  async #takeBack(hash: string): Promise<void> {
    const bytes = this.#chain.blockBytes(hash)
    if (bytes === undefined) return
    for (const transaction of decodeBlock(bytes).transactions) {
      // One that is in the new chain, too, or not valid any more, is not taken.
      await this.#addAgain(Uint8Array.from(transaction)).catch(() => undefined)
    }
  }

  /** Terms are those that it had here; of a blob transaction the side-car, where it is still kept. */
  async #addAgain(bytes: Uint8Array): Promise<void> {
    const read = await this.#read(bytes)
    const { hash } = read.entry
    const sideCar = this.#sideCars.kept(hash)
    const terms = this.#pastTerms.of(hash)
    if (terms !== undefined) await checkTerms(terms, this.#chain)
    if (bytes[0] !== TYPE_BLOB) await this.#add({ ...read, entry: { ...read.entry, terms } })
    else if (sideCar !== undefined) await this.#add({ ...read, entry: { ...read.entry, sideCar } })
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
    const isListed = ({ sideCar }: PoolEntry): boolean => sideCar === undefined
    const queued = senders
      .flatMap((one) => [...(this.#bySender.get(one)?.values() ?? [])])
      .filter((entry) => !isPending.has(entry))
    return {
      pending: pending.filter(isListed).map(({ view }) => view),
      queued: queued.filter(isListed).map(({ view }) => view),
    }
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

interface ReadTransaction {
  readonly entry: PoolEntry
  readonly from: string
  readonly nonce: bigint
}

const blobsIn = ({ sideCar }: PoolEntry): number => sideCar?.blobs.length ?? 0
