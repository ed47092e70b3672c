import { decodeBlock } from '../../host/chain/decode_block.ts'
import type { Chain, ChainBlock, HeadChange, PackedTransactions, State } from '../../host/index.ts'
import type { KzgCalls } from '../kzg/kzg_calls.ts'
import { RpcError } from '../rpc_error.ts'
import { type Bundle, termsOfBundle } from './bundle.ts'
import type { Executors } from './executors.ts'
import { hasPassed, type InclusionTerms } from './inclusion_terms.ts'
import { KnownStorage } from './known_accounts.ts'
import { MissedBlocks } from './missed_blocks.ts'
import { PastTerms } from './past_terms.ts'
import type { PoolCalls, PoolContent, SendReply } from './pool_calls.ts'
import type { PoolEntry } from './pool_entry.ts'
import { PoolReader } from './pool_reader.ts'
import { nextBlock, paysMore, priceOf, sideCarVersion } from './pool_rules.ts'
import { accepted, attempt, refuse } from './refuse.ts'
import { contractCodes, readSenders, type SenderState } from './sender_states.ts'
import { checkSideCar, type SideCar, TYPE_BLOB } from './side_car.ts'
import { type BlobWithProofs, SideCars } from './side_cars.ts'
import { Surcharge } from './surcharge.ts'
import { checkTerms } from './terms_gate.ts'
import { viewOf } from './transaction_views.ts'
import type { TransactionView } from './views.ts'

/** How much the pool holds. */
export interface PoolLimits {
  readonly perSender: number
  readonly transactions: number
  /** Blob transactions of one sender, and blobs in all. */
  readonly blobsPerSender: number
  readonly blobs: number
}

/**
 * Transactions that wait for a block, by sender and nonce. What it holds was valid after the head when it came; what
 * the head has taken or passed is gone.
 */
export class Pool implements PoolCalls {
  readonly #chain: Chain
  readonly #reader: PoolReader
  readonly #limits: PoolLimits
  readonly #kzg: KzgCalls
  readonly #surcharge: Surcharge
  readonly #sideCars = new SideCars()
  readonly #pastTerms = new PastTerms()
  readonly #missed = new MissedBlocks()
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
    this.#reader = new PoolReader(chain, executors)
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
      const entry = await this.#readOne(bytes)
      const terms = termsOf(entry.hash)
      await checkTerms(terms, this.#chain)
      return this.#enterOne({ ...entry, terms })
    })
  }

  /** Proofs of blobs are verified before the turn, which others wait for. */
  async add(bytes: Uint8Array): Promise<string> {
    if (bytes[0] !== TYPE_BLOB) return this.#inTurn(async () => this.#enterOne(await this.#readOne(bytes)))
    const entry = await this.#proven(await this.#readOne(bytes))
    return this.#inTurn(() => this.#enterOne(entry))
  }

  /** Decoded, recovered and checked in bulk; blob transactions one by one. */
  async addAll({ bytes, offsets }: PackedTransactions): Promise<readonly SendReply[]> {
    // Copies: one that stays long keeps no others in memory.
    const sent = Array.from({ length: offsets.length - 1 }, (_, i) => bytes.slice(offsets[i], offsets[i + 1]))
    const plain = this.#inTurn(async () =>
      this.#enter(await this.#reader.read(sent.filter(([type]) => type !== TYPE_BLOB))),
    )
    const blobs = sent.filter(([type]) => type === TYPE_BLOB).map((one) => settled(this.add(one)))
    const [ofPlain, ofBlobs] = (await Promise.all([plain, Promise.all(blobs)])).map((replies) => replies.values())
    return sent.map(([type]) => replyOf((type === TYPE_BLOB ? ofBlobs : ofPlain)!.next().value!))
  }

  /** The same with a side-car whose proofs hold, of the version that the next block takes. Throws RpcError. */
  async #proven(entry: PoolEntry): Promise<PoolEntry> {
    const { sideCar } = entry
    if (sideCar === undefined) return refuse('missing sidecar in blob transaction')
    if (this.#byHash.has(entry.hash)) return refuse('already known')
    const version = sideCarVersion(nextBlock(this.#chain, this.#chain.head).fork)
    if (sideCar.version > version) refuse(`unexpected sidecar version, want: ${version}, got: ${sideCar.version}`)
    checkSideCar(sideCar, entry.transaction.blobVersionedHashes ?? [])
    if (!(await this.#kzg.verify(sideCar))) refuse('KZG verification error: invalid blob proof')
    return sideCar.version === version ? entry : this.#converted(entry, sideCar)
  }

  /** With proofs of cells in place of those of blobs (EIP-7594). */
  async #converted(entry: PoolEntry, sideCar: SideCar): Promise<PoolEntry> {
    return { ...entry, sideCar: { ...sideCar, version: 1, proofs: await this.#kzg.cellProofs(sideCar.blobs) } }
  }

  /** Reads transactions that are not to be kept. Throws RpcError where one of them cannot be read. */
  async read(transactions: readonly Uint8Array[]): Promise<readonly PoolEntry[]> {
    return (await this.#reader.read(transactions)).map(orThrow)
  }

  async #readOne(bytes: Uint8Array): Promise<PoolEntry> {
    return (await this.read([bytes]))[0]!
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const value = this.#turn.then(work)
    this.#turn = value.catch(() => undefined)
    return value
  }

  async #enterOne(entry: PoolEntry): Promise<string> {
    return orThrow((await this.#enter([entry]))[0]!)
  }

  /** Takes what was read in its order, on the accounts after the head; the hash of each, or why it is refused. */
  async #enter(read: readonly (PoolEntry | RpcError)[]): Promise<readonly (string | RpcError)[]> {
    const state = this.#state
    const entries = accepted(read)
    const senders = await readSenders(
      state,
      entries.map(({ transaction }) => transaction.from),
    )
    const contracts = await contractCodes(state, senders)
    await this.#surcharge.renew()
    // The head may have moved, and the pool is to follow after this: what it passed holds no place, and costs nothing.
    for (const [sender, now] of senders)
      if ((this.#nonces.get(sender) ?? now.nonce) !== now.nonce) this.#passTo(sender, now)
    const pending: string[] = []
    const replies = read.map((one) => {
      if (one instanceof RpcError) return one
      const sender = senders.get(one.transaction.from)!
      return attempt(() => this.#take(one, sender, contracts, pending))
    })
    if (pending.length > 0) this.onPending(pending)
    return replies
  }

  /** `pending` gets the hashes of those that the next block could take by it. Throws RpcError. */
  #take(entry: PoolEntry, sender: SenderState, contracts: ReadonlySet<string>, pending: string[]): string {
    const { hash, transaction } = entry
    const { from, nonce } = transaction
    if (this.#byHash.has(hash)) refuse('already known')
    const isBlob = entry.sideCar !== undefined
    const [other] = this.#bySender.get(from)?.values() ?? []
    if (other !== undefined && (other.sideCar !== undefined) !== isBlob) refuse('address already reserved')
    if (sender.codeHash !== undefined && contracts.has(sender.codeHash)) refuse('sender not an eoa')
    if (nonce < sender.nonce) refuse(`nonce too low: next nonce ${sender.nonce}, tx nonce ${nonce}`)
    const gap = sender.nonce + BigInt(this.#pendingFrom(from, sender.nonce).length)
    if (isBlob && gap < nonce) refuse(`nonce too high: tx nonce ${nonce}, gapped nonce ${gap}`)
    const entries = this.#bySender.get(from) ?? new Map<bigint, PoolEntry>()
    const replaced = entries.get(nonce)
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
    if (replaced === undefined) this.#tellPending(from, nonce, pending)
    // One that takes another's place lets no more of them in.
    else if (nonce < gap) pending.push(hash)
    return hash
  }

  /** Those of a sender from a nonce on, where no nonce before it is missing. */
  #tellPending(from: string, nonce: bigint, pending: string[]): void {
    for (const { hash, transaction } of this.#pendingOf(from)) if (transaction.nonce >= nonce) pending.push(hash)
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

  get #state(): State {
    return this.#chain.stateAt(this.#chain.head.hash)!
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
      const senders = await readSenders(this.#state, this.#bySender.keys())
      await this.#surcharge.renew()
      for (const [sender, state] of senders) this.#passTo(sender, state)
      await this.#dropTermed()
      // The lowest first: those of one sender come in the order of their nonces.
      for (const { hash } of [...undone].reverse()) await this.#takeBack(hash)
      this.#convertOld()
    })
  }

  /** What no block can take by its terms, ranges that have passed, accounts that have changed; what waits in vain. */
  async #dropTermed(): Promise<void> {
    const { hash, header } = this.#chain.head
    const termed = [...this.#byHash.values()].filter(isTermed)
    const known = termed.map(({ terms }) => terms).filter(({ knownAccounts }) => knownAccounts.length > 0)
    const storage = known.length === 0 ? undefined : await KnownStorage.read(this.#chain, hash, known)
    for (const entry of termed) {
      const isLate = this.#missed.note(entry, header) || hasPassed(entry.terms, header)
      if (isLate || storage?.fault(entry.terms) !== undefined) this.#remove(entry)
    }
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

  /** One that is in the new chain as well, or not valid any more, is not taken. */
  async #takeBack(hash: string): Promise<void> {
    const bytes = this.#chain.blockBytes(hash)
    if (bytes === undefined) return
    const sent = decodeBlock(bytes).transactions.map((one) => Uint8Array.from(one))
    const read = await this.#reader.read(sent)
    const entries = accepted(read).map((one) => this.#asBefore(one))
    const termed = entries.filter(({ terms }) => terms !== undefined)
    const refused = new Set<PoolEntry>()
    await Promise.all(termed.map((entry) => checkTerms(entry.terms!, this.#chain).catch(() => refused.add(entry))))
    await this.#enter(entries.filter((entry) => !refused.has(entry) && !isBare(entry)))
  }

  /** With the terms that it had here; a blob transaction with its side-car, where that is still kept. */
  #asBefore(entry: PoolEntry): PoolEntry {
    return entry.transaction.type === TYPE_BLOB
      ? { ...entry, sideCar: this.#sideCars.kept(entry.hash) }
      : { ...entry, terms: this.#pastTerms.of(entry.hash) }
  }

  /** What the next block could take, each sender's in the order of nonces. */
  pending(): readonly PoolEntry[] {
    return [...this.#bySender.keys()].flatMap((sender) => this.#pendingOf(sender))
  }

  #pendingOf(sender: string): readonly PoolEntry[] {
    return this.#pendingFrom(sender, this.#nonces.get(sender) ?? 0n)
  }

  #pendingFrom(sender: string, first: bigint): readonly PoolEntry[] {
    const entries = this.#bySender.get(sender)
    const found: PoolEntry[] = []
    for (let nonce = first; ; nonce++) {
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
      pending: pending.filter(isListed).map(viewOfEntry),
      queued: queued.filter(isListed).map(viewOfEntry),
    }
  }

  async status(): Promise<{ readonly pending: number; readonly queued: number }> {
    const pending = this.pending().length
    return { pending, queued: this.count - pending }
  }

  async nextNonce(sender: string): Promise<bigint> {
    const last = this.#pendingOf(sender).at(-1)
    if (last !== undefined) return last.transaction.nonce + 1n
    return (await readSenders(this.#state, [sender])).get(sender)!.nonce
  }

  /** A transaction of the pool as callers see it. */
  view(hash: string): TransactionView | undefined {
    const entry = this.#byHash.get(hash)
    return entry === undefined ? undefined : viewOfEntry(entry)
  }
}

const viewOfEntry = ({ transaction, bytes, hash }: PoolEntry): TransactionView => viewOf(transaction, { bytes, hash })

const isTermed = (entry: PoolEntry): entry is PoolEntry & { readonly terms: InclusionTerms } =>
  entry.terms !== undefined

const blobsIn = ({ sideCar }: PoolEntry): number => sideCar?.blobs.length ?? 0

/** A blob transaction without its side-car. */
const isBare = ({ transaction, sideCar }: PoolEntry): boolean => transaction.type === TYPE_BLOB && sideCar === undefined

const orThrow = <Value>(one: Value | RpcError): Value => {
  if (one instanceof RpcError) throw one
  return one
}

const settled = async (added: Promise<string>): Promise<string | RpcError> => {
  try {
    return await added
  } catch (thrown) {
    if (thrown instanceof RpcError) return thrown
    throw thrown
  }
}

const replyOf = (one: string | RpcError): SendReply =>
  one instanceof RpcError ? { code: one.code, message: one.message, data: one.data } : one
