import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads'
import type { Fork } from '../../../../transpiler/spec/forks.ts'
import type { CpuOutcome } from '../../../batch/outcome.ts'
import type { TransactionBatch } from '../../../chain/batch.ts'
import type { BlockEnvironment } from '../../../chain/environment.ts'
import type { OpCharges } from '../../../chain/op/charges.ts'
import type { OpRules } from '../../../chain/op/op_chain.ts'
import { startThread, threadEntry } from '../../../primitives/thread.ts'
import { BaseReader } from '../../../state/base_reader.ts'
import type { ResidentState } from '../../../state/tables/resident_tables.ts'
import {
  ANSWERED,
  type Answer,
  BEATS,
  BUSY,
  CODES,
  CONTROL_LENGTH,
  type Foreseen,
  type FromWorker,
  isOutcome,
  MAIN,
  POSTED,
  type Question,
  ROOM,
  type SharedCode,
  type TableHandles,
  type ToWorker,
  type WorkerStart,
} from './protocol.ts'

export interface CpuPoolOptions {
  readonly fork: Fork
  readonly chainId: bigint
  readonly chain?: OpRules | undefined
  readonly resident: ResidentState
  /** Threads. */
  readonly workers: number
  /** A worker without a sign of life for this long while it executes is replaced. Default 10,000. */
  readonly hangMs?: number
  /** The worker's module. Default: worker.ts, or what it is built to. */
  readonly entry?: URL
}

/** Transactions that were offered to the workers together (protocol.ts). */
export interface Lot {
  readonly id: number
  readonly claims: Int32Array
  readonly outcomes: (CpuOutcome | undefined)[]
  /** 1 = the worker gave this one up. */
  readonly failed: Uint8Array
}

interface Member {
  readonly number: number
  readonly worker: Worker
  readonly port: MessagePort
  readonly control: Int32Array
  readonly codes: Set<number>
  handled: number
  tables: TableHandles | undefined
  isReady: boolean
  isAlive: boolean
  /** BEATS when last looked at, and since when it stands there. */
  beats: number
  stillSinceMs: number
  /** BEATS when a wait was in vain: until they move on, there is none again. */
  quietBeats: number
}

/** Workers that end are replaced this many times in all; then the rest goes on alone. */
const MOST_RESTARTS = 8

/** More code than this a worker does not remember, whatever the budget is. */
const MOST_ROOM_BYTES = 1 << 25
const KIB = 1024

/** Milliseconds without a sign of life after which the executor does not wait for a worker's outcome. */
const PATIENCE_MS = 25

/**
 * Threads that run the CPU tier on transactions that were offered to them (docs/decisions/0010-speculative-workers.md).
 * An outcome is a proposal: who takes it checks it. Whatever a worker does wrong costs its transaction another
 * execution.
 *
 * Nothing here keeps the process alive.
 */
export class CpuPool {
  readonly faults: string[] = []
  readonly #options: CpuPoolOptions
  readonly #base: BaseReader
  readonly #members: Member[] = []
  readonly #lots = new Map<number, Lot>()
  #batch = 0
  #lotCount = 0
  #numbers = 0
  #room = MOST_ROOM_BYTES / KIB
  #restarts = 0
  #isClosed = false
  #wake: (() => void) | undefined

  constructor(options: CpuPoolOptions) {
    this.#options = options
    this.#base = new BaseReader(options.resident)
  }

  /** Starts the threads, where that has not happened, and comes back at once. */
  start(): void {
    if (this.#isClosed || this.#members.length > 0) return
    this.#options.resident.share()
    for (let n = 0; n < this.#options.workers; n++) this.#spawn()
  }

  /** Starts the threads and waits until each of them is warm, or has failed. */
  async warm(): Promise<void> {
    this.start()
    while (this.#members.some(({ isReady, isAlive }) => isAlive && !isReady)) await this.#sleep(PATIENCE_MS)
  }

  /** Threads, whether or not they are ready. */
  get size(): number {
    return this.#members.length
  }

  /** Bytes of the codes that workers remember. */
  get codeBytes(): number {
    return this.#members.reduce((sum, { control }) => sum + KIB * Atomics.load(control, CODES), 0)
  }

  /** Bytes of code that each worker may remember from batch to batch. */
  set codeRoom(bytes: number) {
    this.#room = Math.floor(Math.min(bytes, MOST_ROOM_BYTES) / KIB)
    for (const { control } of this.#members) Atomics.store(control, ROOM, this.#room)
  }

  /** Workers that can take transactions now. */
  get ready(): number {
    return this.#members.filter(({ isReady, isAlive }) => isReady && isAlive).length
  }

  /** A new batch: lots of the last one are over. */
  begin(): void {
    this.end()
    this.#batch++
    for (const member of [...this.#members]) this.#replaceIfHung(member)
  }

  /** No worker takes anything of the open lots any more. */
  end(): void {
    for (const { claims } of this.#lots.values()) claims.fill(MAIN)
    this.#lots.clear()
  }

  /** Offers transactions to every worker. */
  offer(env: BlockEnvironment, transactions: TransactionBatch, foreseen: Foreseen, charges?: OpCharges): Lot {
    const { count } = transactions
    const lot: Lot = {
      id: ++this.#lotCount,
      claims: new Int32Array(new SharedArrayBuffer(4 * count)),
      outcomes: new Array<undefined>(count).fill(undefined),
      failed: new Uint8Array(count),
    }
    this.#lots.set(lot.id, lot)
    for (const member of this.#members) {
      if (!member.isReady || !member.isAlive) continue
      this.#tell(member)
      const { id, claims } = lot
      this.#post(member, { kind: 'lot', lot: id, batch: this.#batch, env, transactions, charges, claims, foreseen })
    }
    return lot
  }

  /**
   * Between batches: tells every worker where the tables are, so it holds no older ones. `renamed`: ids of codes are
   * others now.
   */
  followTables(renamed: boolean): void {
    for (const member of this.#members) {
      if (!member.isReady || !member.isAlive) continue
      if (renamed) {
        member.codes.clear()
        this.#post(member, { kind: 'renamed' })
      }
      this.#tell(member)
    }
  }

  /** Codes that the offered transactions will run, so no worker has to ask for them. */
  offerCodes(ids: Iterable<number>): void {
    const { codes } = this.#options.resident.codes
    const wanted = [...new Set(ids)]
    for (const member of this.#members) {
      if (!member.isReady || !member.isAlive) continue
      const shared: SharedCode[] = []
      for (const id of wanted) {
        const code = codes[id]
        if (code === undefined || member.codes.has(id)) continue
        member.codes.add(id)
        shared.push(shareable(id, code))
      }
      if (shared.length > 0) this.#post(member, { kind: 'codes', codes: shared })
    }
  }

  /** Takes what the workers have posted. Costs next to nothing where that is nothing. */
  poll(): void {
    for (let m = this.#members.length - 1; m >= 0; m--) {
      const member = this.#members[m]!
      while (member.handled !== Atomics.load(member.control, POSTED)) {
        const received = receiveMessageOnPort(member.port)
        if (received === undefined) break
        this.#take(member, received.message)
      }
    }
  }

  /** Waits for news, above all of the worker with this number. False where that one gives no sign of life. */
  async hear(number: number): Promise<boolean> {
    const member = this.#members.find((one) => one.number === number)
    if (member === undefined) return false
    const before = Atomics.load(member.control, BEATS)
    if (before === member.quietBeats) return false
    if (await this.#sleep(PATIENCE_MS)) return member.isAlive
    if (Atomics.load(member.control, BEATS) !== before) return member.isAlive
    member.quietBeats = before
    return false
  }

  close(): void {
    this.#isClosed = true
    this.end()
    for (const member of this.#members.splice(0)) dismiss(member)
  }

  #spawn(): void {
    const { fork, chainId, chain, entry = ENTRY } = this.#options
    const number = ++this.#numbers
    const control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_LENGTH))
    control[ROOM] = this.#room
    const { port1: port, port2 } = new MessageChannel()
    const start: WorkerStart = { number, fork, chainId, chain, control, port: port2 }
    const worker = startThread(entry, { workerData: start, transferList: [port2] })
    const member: Member = {
      number,
      worker,
      port,
      control,
      codes: new Set(),
      handled: 0,
      tables: undefined,
      isReady: false,
      isAlive: true,
      beats: 0,
      stillSinceMs: performance.now(),
      quietBeats: -1,
    }
    this.#members.push(member)
    port.on('message', (message: unknown) => this.#take(member, message))
    port.unref()
    worker.on('error', (error: Error) => this.#lose(member, error.message))
    worker.on('exit', (code) => this.#lose(member, `exit code ${code}`))
  }

  /** What a worker posts is believed only as far as its shape is right. */
  #take(member: Member, message: unknown): void {
    member.handled++
    try {
      const { kind } = message as FromWorker
      if (kind === 'ready') member.isReady = true
      else if (kind === 'question') this.#reply(member, message as FromWorker & { kind: 'question' })
      else if (kind === 'outcomes') this.#enter(message as FromWorker & { kind: 'outcomes' })
      else throw new Error('an unknown message')
    } catch (thrown) {
      this.#lose(member, thrown instanceof Error ? thrown.message : String(thrown))
    }
    this.#wake?.()
  }

  #enter({ lot: id, outcomes }: FromWorker & { kind: 'outcomes' }): void {
    const lot = this.#lots.get(id)
    for (const { position, outcome } of outcomes) {
      if (lot === undefined || !(position in lot.outcomes)) continue
      if (outcome === undefined) lot.failed[position] = 1
      else if (isOutcome(outcome)) lot.outcomes[position] = outcome
      else throw new Error('an outcome of another shape')
    }
  }

  #reply(member: Member, { question, lot, about }: FromWorker & { kind: 'question' }): void {
    const answered = (answer: Answer): void => this.#answer(member, { kind: 'answer', question, answer })
    const refused = (): void => this.#answer(member, { kind: 'refusal', question })
    if (!this.#lots.has(lot)) {
      refused()
      return
    }
    try {
      const answer = this.#find(about)
      if (answer instanceof Promise) answer.then(answered, refused)
      else answered(answer)
    } catch {
      refused()
    }
  }

  #answer(member: Member, message: ToWorker): void {
    this.#post(member, message)
    Atomics.add(member.control, ANSWERED, 1)
    Atomics.notify(member.control, ANSWERED)
  }

  #find(about: Question): Answer | Promise<Answer> {
    const { state, codes } = this.#options.resident
    if ('codeHash' in about) return state.readCode(about.codeHash)
    if ('codeId' in about) return shareable(about.codeId, codes.codes[about.codeId]!)
    if ('blockNumber' in about) return state.blockHash(about.blockNumber)
    return 'slot' in about ? this.#base.slot(about.slot, about.key) : this.#base.account(about.account)
  }

  /** Tells a worker where the tables are, when they have moved. */
  #tell(member: Member): void {
    const { accounts, slots } = this.#options.resident
    const { tables } = member
    if (
      tables?.accountRows === accounts.rows &&
      tables.accountIndex === accounts.index.words &&
      tables.slotValues === slots.values &&
      tables.slotIndex === slots.index.words
    )
      return
    member.tables = {
      accountIndex: accounts.index.words,
      accountRows: accounts.rows,
      accountHosts: accounts.hosts,
      slotIndex: slots.index.words,
      slotKeys: slots.keys,
      slotValues: slots.values,
    }
    this.#post(member, { kind: 'tables', tables: member.tables })
  }

  #post(member: Member, message: ToWorker): void {
    member.port.postMessage(message)
  }

  #lose(member: Member, why: string): void {
    if (!member.isAlive) return
    member.isAlive = false
    dismiss(member)
    this.#wake?.()
    const at = this.#members.indexOf(member)
    if (this.#isClosed || at < 0) return
    this.faults.push(`worker of the CPU tier: ${why}`)
    this.#members.splice(at, 1)
    if (this.#restarts < MOST_RESTARTS) {
      this.#restarts++
      this.#spawn()
    }
  }

  #replaceIfHung(member: Member): void {
    const beats = Atomics.load(member.control, BEATS)
    const now = performance.now()
    if (beats !== member.beats || Atomics.load(member.control, BUSY) === 0) {
      member.beats = beats
      member.stillSinceMs = now
    } else if (now - member.stillSinceMs > (this.#options.hangMs ?? 10_000)) this.#lose(member, 'no sign of life')
  }

  /** True where news came before the time was over. */
  #sleep(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isWoken: boolean): void => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve(isWoken)
      }
      const timer = setTimeout(() => end(false), ms)
      this.#wake = () => end(true)
    })
  }
}

const ENTRY = threadEntry('worker', import.meta.url)

const shareable = (id: number, { hash, bytes }: { readonly hash: string; readonly bytes: Uint8Array }): SharedCode => ({
  id,
  hash,
  bytes: new Uint8Array(bytes),
})

const dismiss = (member: Member): void => {
  member.isAlive = false
  member.port.close()
  void member.worker.terminate()
}
