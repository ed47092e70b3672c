import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import type { HashPlan, NodeHasher } from './hash_plan.ts'
import { controlOf, type HashMessages, offerChunk, PIECE, piecesLeft, takePart, waitForDone } from './keccak_claims.ts'
import { hashPlan } from './keccak_many.ts'
import { chunkBytesOf, type KeccakChunk, KeccakMemory, keccakModule, keccakOn, MOST_THREADS } from './keccak_memory.ts'
import { startThread, threadEntry } from './thread.ts'

export interface ThreadsHasherOptions {
  /** Threads besides this one. Default: one per further core, at most MOST_WORKERS. */
  readonly workers?: number
  /** The worker's module. Default: keccak_worker.ts, or what it is built to. */
  readonly entry?: URL
  /** A chunk that no thread gets on with for this long is given up, with the workers. Default 2,000. */
  readonly patienceMs?: number
}

const MOST_WORKERS = 15
/** Workers are started anew this many times in all; then this thread goes on alone. */
const MOST_RESTARTS = 8
/** Of all threads. */
const CHUNK_BYTES = 1 << 20
/** Fewer messages are not worth waking threads for. */
const FEWEST_SHARED = 2 * PIECE

/** Leaves of a plan that are hashed apart from this thread: so many, of so many bytes at most. */
const FEWEST_APART = 4096
const MOST_BYTES_APART = 1 << 26

/** A memory with the threads that hash in it. */
interface Team {
  readonly memory: KeccakMemory
  readonly hash: HashMessages
  readonly workers: readonly Worker[]
}

/** A plan whose leaves the threads have. */
interface PlanApart {
  readonly team: Team
  readonly plan: HashPlan
  readonly leaves: KeccakChunk
  /** Once it is hashed. */
  digests: Uint8Array | undefined
  /** Of this thread. */
  spentMs: number
}

/**
 * Hashes plans in WebAssembly on threads that share a memory, this one among them: while the others hash a chunk, this
 * one copies the next one in, then takes part. It needs none of them: a worker that starts late takes no part. One that
 * ends or hangs with a piece that it claimed costs patience; the plan is then hashed on this thread alone.
 *
 * The leaves of a large plan are copied all at once, and this thread is free until its next turn of events or its next
 * plan, whichever is first: then it takes part, and the rest of the plan follows. One plan is under way at a time.
 *
 * The threads start with the first plan and are kept. Nothing here keeps the process alive.
 */
export class ThreadsHasher implements NodeHasher {
  readonly name = 'wasm-threads'
  /** What went wrong with workers since it was last taken. */
  readonly faults: string[] = []
  readonly #options: ThreadsHasherOptions
  #team: Team | undefined
  #apart: PlanApart | undefined
  readonly #spentMs = new WeakMap<HashPlan, number>()
  #restarts = 0
  #isClosed = false

  constructor(options: ThreadsHasherOptions = {}) {
    this.#options = options
  }

  /** Threads that hash, this one among them. */
  get threads(): number {
    const { workers = Math.min(MOST_WORKERS, availableParallelism() - 1) } = this.#options
    return 1 + Math.min(workers, MOST_THREADS - 1)
  }

  /** Starts the threads, where they do not run; they take part as soon as they do. */
  start(): void {
    this.#members()
  }

  async hash(plan: HashPlan): Promise<Uint8Array> {
    this.#endApart()
    const startedMs = performance.now()
    const team = this.#members()
    const apart = team === undefined ? undefined : this.#startApart(team, plan)
    if (apart !== undefined) {
      apart.spentMs = performance.now() - startedMs
      this.#apart = apart
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#apart === apart) this.#endApart()
      this.#spentMs.set(plan, apart.spentMs)
      return apart.digests!
    }
    const digests = this.#hashAll(team, plan)
    this.#spentMs.set(plan, performance.now() - startedMs)
    return digests
  }

  /** What a plan that is hashed has taken of this thread. */
  spentMs(plan: HashPlan): number | undefined {
    return this.#spentMs.get(plan)
  }

  /** Pieces of leaves that are not hashed yet, of the plan that is under way; undefined where there is none. */
  get piecesLeft(): number | undefined {
    if (this.#apart === undefined) return undefined
    const { team, leaves } = this.#apart
    return piecesLeft(controlOf(team.memory.memory.buffer), leaves)
  }

  close(): void {
    this.#endApart()
    this.#isClosed = true
    const team = this.#team
    this.#team = undefined
    for (const worker of team?.workers ?? []) void worker.terminate()
  }

  get #patienceMs(): number {
    return this.#options.patienceMs ?? 2_000
  }

  #hashAll(team: Team | undefined, plan: HashPlan): Uint8Array {
    if (team === undefined) return hashPlan(plan)
    try {
      team.memory.begin(plan, CHUNK_BYTES)
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown
      return hashPlan(plan)
    }
    if (this.#hashIn(team, plan, 1)) return team.memory.digests()
    this.#lose(team, `no sign of life in ${this.#patienceMs} ms`)
    return hashPlan(plan)
  }

  /** Gives the leaves of a plan to the threads; undefined where they are few, or there is no memory for them. */
  #startApart(team: Team, plan: HashPlan): PlanApart | undefined {
    const count = plan.levels[1] ?? 0
    if (this.threads === 1 || count < FEWEST_APART || plan.bytes.length > MOST_BYTES_APART) return undefined
    try {
      team.memory.begin(plan, chunkBytesOf(plan.bytes.length, count))
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown
      return undefined
    }
    const leaves = team.memory.place(plan, 0, count, 0)
    offerChunk(controlOf(team.memory.memory.buffer), leaves)
    return { team, plan, leaves, digests: undefined, spentMs: 0 }
  }

  /** Brings the plan that is under way to its end. */
  #endApart(): void {
    const apart = this.#apart
    if (apart === undefined) return
    this.#apart = undefined
    const startedMs = performance.now()
    const { team, plan, leaves } = apart
    const isDone = this.#finish(controlOf(team.memory.memory.buffer), leaves, team.hash) && this.#hashIn(team, plan, 2)
    if (!isDone) this.#lose(team, `no sign of life in ${this.#patienceMs} ms`)
    apart.digests = isDone ? team.memory.digests() : hashPlan(plan)
    apart.spentMs += performance.now() - startedMs
  }

  /** From level `from` on. False where a worker does not finish what it claimed; it may still write to the memory. */
  #hashIn({ memory, hash }: Team, plan: HashPlan, from: number): boolean {
    const control = controlOf(memory.memory.buffer)
    let offered: KeccakChunk | undefined
    let place = 0
    for (let level = from; level < plan.levels.length; level++) {
      const end = plan.levels[level]!
      for (let first = plan.levels[level - 1]!; first < end; ) {
        // Holes are filled when a message is hashed, so a chunk may be copied before the level below is done.
        const chunk = memory.place(plan, first, end, place)
        if (offered !== undefined && !this.#finish(control, offered, hash)) return false
        offered = chunk.count < FEWEST_SHARED ? undefined : chunk
        if (offered === undefined) hash(chunk, 0, chunk.count)
        else offerChunk(control, offered)
        place = 1 - place
        first += chunk.count
      }
    }
    return offered === undefined || this.#finish(control, offered, hash)
  }

  #finish(control: Int32Array, chunk: KeccakChunk, hash: HashMessages): boolean {
    takePart(control, hash)
    return waitForDone(control, chunk, this.#patienceMs)
  }

  /** Undefined where there is no WebAssembly, and after the last restart. */
  #members(): Team | undefined {
    if (this.#team !== undefined || this.#isClosed || this.#restarts > MOST_RESTARTS) return this.#team
    try {
      const memory = new KeccakMemory()
      const hash = keccakOn(keccakModule(), memory.memory, 0)
      const workers: Worker[] = []
      const team = { memory, hash, workers }
      for (let thread = 1; thread < this.threads; thread++) {
        const workerData = { memory: memory.memory, thread }
        const worker = startThread(this.#options.entry ?? ENTRY, { workerData })
        workers.push(worker)
        worker.on('error', (error: Error) => this.#lose(team, error.message))
        worker.on('exit', (code) => this.#lose(team, `exit code ${code}`))
      }
      this.#team = team
    } catch (thrown) {
      this.#restarts = MOST_RESTARTS + 1
      this.faults.push(`threads that hash: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    }
    return this.#team
  }

  /** Lets go of the memory too: a worker may still write to it. */
  #lose(team: Team, why: string): void {
    if (this.#team !== team) return
    this.#team = undefined
    for (const worker of team.workers) void worker.terminate()
    this.faults.push(`worker that hashes: ${why}`)
    this.#restarts++
  }
}

const ENTRY = threadEntry('keccak_worker', import.meta.url)
