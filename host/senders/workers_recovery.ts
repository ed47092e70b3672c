import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import type { Signatures } from '../chain/signatures.ts'
import { startThread, threadEntry } from '../primitives/thread.ts'
import type { Library } from './rows.ts'
import type { RecoveredSenders, RecoveryStop, SenderRecovery } from './sender_recovery.ts'
import { endJob, recoverChunk, recoverOpen, type SharedJob, sendersOf, shareJob } from './shared_job.ts'

export interface WorkersRecoveryOptions {
  /** Threads besides this one. Default: one per further core, at most MOST_WORKERS. */
  readonly workers?: number
  readonly library?: Library
  /** The worker's module. Default: worker.ts, or what it is built to. */
  readonly entry?: URL
}

/** A thread takes 10 to 15 MB. */
const MOST_WORKERS = 15
/** Workers that end are replaced this many times in all; then the rest goes on alone. */
const MOST_RESTARTS = 8

/**
 * Recovery on threads over shared columns, this one among them: it claims rows like the others, so it needs none of
 * them. A worker that starts late, ends or hangs costs time: what it claimed and did not finish is recovered here.
 *
 * The threads start with the first call and are kept. Nothing here keeps the process alive but a call.
 */
export class WorkersRecovery implements SenderRecovery {
  readonly name = 'workers'
  /** What went wrong with workers since it was last taken. */
  readonly faults: string[] = []
  readonly #options: WorkersRecoveryOptions
  readonly #library: Library
  readonly #workers = new Set<Worker>()
  #restarts = 0
  #isClosed = false

  constructor(options: WorkersRecoveryOptions = {}) {
    this.#options = options
    this.#library = options.library ?? 'native'
  }

  /** Threads that rows are shared with, this one among them. */
  get threads(): number {
    return 1 + (this.#options.workers ?? Math.min(MOST_WORKERS, availableParallelism() - 1))
  }

  /** Starts the threads that are not there; they take part as soon as they run. */
  start(): void {
    while (!this.#isClosed && this.#workers.size < this.threads - 1 && this.#restarts <= MOST_RESTARTS) this.#spawn()
  }

  async recover(signatures: Signatures, stop?: RecoveryStop): Promise<RecoveredSenders> {
    this.start()
    const job = shareJob(signatures)
    for (const worker of this.#workers) worker.postMessage(job)
    try {
      await this.#takePart(job, stop)
    } finally {
      endJob(job)
    }
    return sendersOf(job)
  }

  close(): void {
    this.#isClosed = true
    for (const worker of this.#workers) void worker.terminate()
    this.#workers.clear()
  }

  /** Claims rows until there are none, then does what others have claimed and not done: the last rows first. */
  async #takePart(job: SharedJob, stop: RecoveryStop | undefined): Promise<void> {
    const turn = async (): Promise<void> => {
      await new Promise<void>((resolve) => setImmediate(resolve))
      stop?.check()
    }
    while (recoverChunk(job, this.#library)) await turn()
    for (let end = job.parity.length; end > 0; ) {
      end = recoverOpen(job, end, this.#library)
      if (end > 0) await turn()
    }
  }

  #spawn(): void {
    const worker = startThread(this.#options.entry ?? ENTRY, { workerData: this.#library })
    this.#workers.add(worker)
    worker.on('error', (error: Error) => this.#lose(worker, error.message))
    worker.on('exit', (code) => this.#lose(worker, `exit code ${code}`))
  }

  #lose(worker: Worker, why: string): void {
    if (!this.#workers.delete(worker)) return
    void worker.terminate()
    this.faults.push(`worker that recovers senders: ${why}`)
    this.#restarts++
  }
}

const ENTRY = threadEntry('worker', import.meta.url)
