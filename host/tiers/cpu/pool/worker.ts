import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { CpuOutcome } from '../../../batch/outcome.ts'
import { type TransactionBatch, TYPE_DEPOSIT } from '../../../chain/batch.ts'
import type { BlockEnvironment } from '../../../chain/environment.ts'
import { chargeRules } from '../../../chain/op/charge_rules.ts'
import { type TransactionRules, transactionRules } from '../../../chain/rules.ts'
import { addressToHex, quantityToBigInt } from '../../../primitives/word.ts'
import { CpuTier } from '../ethereumjs/transaction.ts'
import {
  ANSWERED,
  type Answer,
  BEATS,
  BUSY,
  CODES,
  type FromWorker,
  POSTED,
  type PositionedOutcome,
  type Question,
  ROOM,
  type ToWorker,
  type WorkerStart,
} from './protocol.ts'
import { SharedSnapshot } from './shared_snapshot.ts'

/** Outcomes wait this long for others, so short transactions share messages. */
const FLUSH_MS = 0.5
const KIB = 1024

interface Lot {
  readonly lot: number
  readonly env: BlockEnvironment
  readonly transactions: TransactionBatch
  readonly rules: TransactionRules
  readonly claims: Int32Array
  next: number
}

/** The state does not answer any more: the batch is over. */
class GivenUp extends Error {
  override readonly name = 'GivenUp'
}

/** Executes transactions of the offered lots that are not claimed, in order, until there are none. */
class CpuWorker {
  readonly #start: WorkerStart
  readonly #tier: CpuTier
  readonly #snapshot: SharedSnapshot
  readonly #lots: Lot[] = []
  #batch = -1
  #question = 0
  readonly #answers = new Map<number, Extract<ToWorker, { kind: 'answer' | 'refusal' }>>()
  #current = 0
  #isRunning = false
  #outcomes: PositionedOutcome[] = []

  constructor(start: WorkerStart) {
    this.#start = start
    this.#tier = new CpuTier(start)
    // The snapshot remembers codes.
    this.#tier.codeBudget = 0
    this.#snapshot = new SharedSnapshot(
      (about) => this.#ask(about),
      () => Atomics.add(start.control, BEATS, 1),
    )
  }

  async run(): Promise<void> {
    await this.#tier.prepare()
    this.#start.port.on('message', (message: ToWorker) => {
      this.#take(message)
      if (!this.#isRunning) void this.#work()
    })
    this.#post({ kind: 'ready' })
  }

  async #work(): Promise<void> {
    this.#isRunning = true
    Atomics.store(this.#start.control, BUSY, 1)
    let flushedMs = performance.now()
    for (;;) {
      this.#drain()
      const lot = this.#lots.find((one) => one.next < one.claims.length)
      if (lot === undefined) break
      const position = lot.next++
      if (Atomics.compareExchange(lot.claims, position, 0, this.#start.number) !== 0) continue
      if (this.#current !== lot.lot) this.#flush()
      this.#current = lot.lot
      // A question flushes the outcomes before this one.
      const outcome = await this.#execute(lot, position)
      this.#outcomes.push({ position, outcome })
      Atomics.add(this.#start.control, BEATS, 1)
      const now = performance.now()
      if (now - flushedMs < FLUSH_MS) continue
      this.#flush()
      flushedMs = now
    }
    this.#flush()
    Atomics.store(this.#start.control, CODES, Math.ceil(this.#snapshot.codeBytes / KIB))
    Atomics.store(this.#start.control, BUSY, 0)
    this.#isRunning = false
  }

  async #execute({ env, transactions, rules }: Lot, index: number): Promise<CpuOutcome | undefined> {
    const snapshot = this.#snapshot
    snapshot.sender =
      transactions.type[index] === TYPE_DEPOSIT
        ? undefined
        : {
            address: addressToHex(transactions.from, 5 * index),
            nonce: quantityToBigInt(transactions.nonce, 2 * index),
          }
    try {
      return packed(await this.#tier.execute({ env, batch: transactions, index, rules, snapshot }))
    } catch {
      // Torn values can lead anywhere; the executor's thread executes this one itself.
      return undefined
    }
  }

  /** Sleeps until the executor's thread has answered. */
  #ask(about: Question): Answer {
    const { control } = this.#start
    const question = ++this.#question
    this.#flush()
    this.#post({ kind: 'question', question, lot: this.#current, about })
    for (;;) {
      const count = Atomics.load(control, ANSWERED)
      this.#drain()
      const answered = this.#answers.get(question)
      if (answered !== undefined) {
        this.#answers.clear()
        if (answered.kind === 'refusal') throw new GivenUp()
        return answered.answer
      }
      Atomics.wait(control, ANSWERED, count)
    }
  }

  #drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#start.port)
      if (received === undefined) return
      this.#take(received.message as ToWorker)
    }
  }

  #take(message: ToWorker): void {
    switch (message.kind) {
      case 'tables':
        this.#snapshot.adopt(message.tables)
        break
      case 'codes':
        this.#snapshot.learn(message.codes)
        break
      case 'renamed':
        this.#snapshot.forgetCodes()
        break
      case 'lot': {
        const { lot, batch, env, transactions, charges, claims, foreseen } = message
        if (batch !== this.#batch) {
          this.#batch = batch
          this.#lots.length = 0
          this.#snapshot.codeBudget = KIB * Atomics.load(this.#start.control, ROOM)
          this.#snapshot.begin()
        }
        this.#snapshot.foresee(foreseen)
        const plain = transactionRules(transactions, this.#start.fork, env)
        const rules = charges === undefined ? plain : chargeRules(plain, transactions, env, charges)
        this.#lots.push({ lot, env, transactions, rules, claims, next: 0 })
        break
      }
      case 'answer':
      case 'refusal':
        this.#answers.set(message.question, message)
        break
    }
  }

  #flush(): void {
    if (this.#outcomes.length === 0) return
    this.#post({ kind: 'outcomes', lot: this.#current, outcomes: this.#outcomes })
    this.#outcomes = []
  }

  #post(message: FromWorker): void {
    this.#start.port.postMessage(message)
    Atomics.add(this.#start.control, POSTED, 1)
  }
}

/** Views of large memory are copied out: a message carries the whole buffer after a view. */
const packed = (outcome: CpuOutcome): CpuOutcome => {
  if ('rejected' in outcome) return outcome
  const { output, writes } = outcome
  const code = new Map([...writes.code].map(([hash, bytes]) => [hash, new Uint8Array(bytes)]))
  return { ...outcome, output: new Uint8Array(output), writes: { ...writes, code } }
}

await new CpuWorker(workerData as WorkerStart).run()
