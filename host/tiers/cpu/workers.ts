import { availableParallelism } from 'node:os'
import type { Fork } from '../../../transpiler/spec/forks.ts'
import { Footprints } from '../../batch/footprints.ts'
import type { Measured } from '../../batch/measured.ts'
import type { OpenBatch } from '../../batch/open_batch.ts'
import type { KeptBytes, Tier, TrimTerms } from '../../batch/tier.ts'
import type { OpRules } from '../../chain/op/op_chain.ts'
import type { RunningState } from '../../state/running_state.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { CpuTier } from './ethereumjs/transaction.ts'
import { CpuPool } from './pool/pool.ts'
import { Speculation } from './tier.ts'

export interface CpuWorkersOptions {
  readonly fork: Fork
  readonly chainId: bigint
  readonly chain?: OpRules | undefined
  readonly resident: ResidentState
  readonly running: RunningState
  readonly cpu: CpuTier
  readonly measured: Measured
  /** Threads besides the executor's own. Default: one per further core, at most MOST_WORKERS. */
  readonly workers?: number
  readonly workerEntry?: URL
}

/** More than this many wait for each other's conflicts, and for answers. */
const MOST_WORKERS = 7
/** Transactions of this thread from which their mean time is taken for the tier's speed. */
const LEAST_MEASURED = 16
/** A batch that kept this thread busy with the CPU tier for so long would have been faster with others. */
const PAYS_MS = 50

/** The CPU tier of an executor: its own thread, and from the first batch that pays for them on, workers. */
export class CpuWorkers implements Tier {
  readonly name = 'cpu'
  readonly usesDevice = false
  readonly #options: CpuWorkersOptions
  readonly #footprints = new Footprints()
  #pool: CpuPool | undefined

  constructor(options: CpuWorkersOptions) {
    this.#options = options
  }

  async open(batch: OpenBatch): Promise<Speculation> {
    const { cpu, running, resident } = this.#options
    const ended = (): readonly string[] => this.#finish(run)
    const run = new Speculation(batch, cpu, running, resident, this.#footprints, this.#pool, ended)
    await run.start(0, batch.batch.count)
    return run
  }

  /** Says what went wrong with workers. */
  #finish({ own, ownMs }: Speculation): readonly string[] {
    if (own >= LEAST_MEASURED) this.#options.measured.cpuMs = ownMs / own
    if (this.#pool === undefined && ownMs >= PAYS_MS) this.#open()?.start()
    return this.#pool?.faults.splice(0) ?? []
  }

  /** Starts the workers now and waits until they are warm. */
  async warm(): Promise<void> {
    await this.#open()?.warm()
  }

  trim({ codes, budgets }: TrimTerms): void {
    this.#footprints.trim(budgets.paths)
    const { cpu } = this.#options
    const room = budgets.codes / (1 + (this.#pool?.size ?? 0))
    cpu.codeBudget = room
    if (this.#pool === undefined) return
    this.#pool.codeRoom = room
    this.#pool.followTables(codes !== undefined)
  }

  get kept(): KeptBytes {
    const codes = this.#options.cpu.codeBytes + (this.#pool?.codeBytes ?? 0)
    return { codes, paths: this.#footprints.sizeBytes }
  }

  close(): void {
    this.#pool?.close()
    this.#pool = undefined
  }

  #open(): CpuPool | undefined {
    const { fork, chainId, chain, resident, workerEntry } = this.#options
    const { workers = Math.min(MOST_WORKERS, availableParallelism() - 1) } = this.#options
    if (workers > 0) {
      const entry = workerEntry === undefined ? {} : { entry: workerEntry }
      this.#pool ??= new CpuPool({ fork, chainId, chain, resident, workers, ...entry })
    }
    return this.#pool
  }
}
