import { totalmem } from 'node:os'
import type { OpenBatch } from '../batch/open_batch.ts'
import { OUTCOME_EXECUTED } from '../batch/open_batch.ts'
import type { ExitReasons } from '../batch/reason.ts'
import type { KeptBytes, Tier } from '../batch/tier.ts'
import { TopicBits } from '../chain/topic_bits.ts'
import { mostStorageBytes } from '../device/limits.ts'
import type { DeviceSessions } from '../session/device_sessions.ts'
import type { ExecutorDevice } from '../session/executor_device.ts'
import { ROW_LIMBS } from '../state/tables/account_table.ts'
import type { CodeMove } from '../state/tables/code_table.ts'
import { evictTables, isFilling, type TableBudgets } from '../state/tables/evict.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'

/**
 * Bytes that an executor may keep from call to call, each part by itself. What is absent has its part of the default,
 * which is a quarter of the machine's memory, at most 8 GiB.
 *
 * @example
 * import { createExecutor, type MemoryBudget, MemoryState } from 'wgevm'
 *
 * const memory: MemoryBudget = { tables: 2 ** 28, codes: 2 ** 26 }
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState(), memory })
 * console.log(executor.memory.tables.budget) // 268435456
 * executor.close()
 */
export interface MemoryBudget {
  /** Accounts, slots and topics that batches have met. Their mirror on a device takes up to as much there. */
  readonly tables?: number
  /** Code that batches have met, and the form in which the lane VM runs it, which a device has as well. */
  readonly codes?: number
  /** Recorded paths with their kernels, and what is known of calls. */
  readonly paths?: number
}

/**
 * Bytes that are kept, and the budget for them.
 *
 * Example: {@link MemoryUse}.
 */
export interface BudgetUse {
  readonly bytes: number
  readonly budget: number
}

/**
 * What an executor keeps from call to call, in bytes. Within a call it may be more: what a batch touches stays until
 * its end.
 *
 * @example
 * import { createExecutor, type MemoryUse, MemoryState } from 'wgevm'
 *
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState(), memory: 2 ** 28 })
 * const memory: MemoryUse = executor.memory
 * console.log(memory.tables.bytes < memory.tables.budget, memory.evictions) // true 0
 * executor.close()
 */
export interface MemoryUse {
  readonly tables: BudgetUse & { readonly accounts: number; readonly slots: number; readonly deviceBytes: number }
  readonly codes: BudgetUse
  readonly paths: BudgetUse
  /** How often tables were over their budget, and what was touched longest ago was dropped. */
  readonly evictions: number
}

const MOST_DEFAULT_BYTES = 2 ** 33
const PARTS = { tables: 3 / 4, codes: 1 / 8, paths: 1 / 8 } as const
/** The parts of a budget by tier; the code table has the rest of `codes`. */
const SHARES: Readonly<Record<string, KeptBytes>> = {
  path: { codes: 0, paths: 1 / 2 },
  laneVm: { codes: 3 / 8, paths: 1 / 4 },
  cpu: { codes: 1 / 4, paths: 1 / 4 },
}
const NO_SHARE: KeptBytes = { codes: 0, paths: 0 }
const TABLE_SHARE = 3 / 8
/** Of `tables`: what is known of topics. */
const TOPIC_SHARE = 1 / 32

/** Every budget of the option. */
const budgetsOf = (memory: number | MemoryBudget | undefined): Required<MemoryBudget> => {
  const total = typeof memory === 'number' ? memory : defaultMemoryBytes()
  const given = typeof memory === 'object' ? memory : {}
  return {
    tables: given.tables ?? total * PARTS.tables,
    codes: given.codes ?? total * PARTS.codes,
    paths: given.paths ?? total * PARTS.paths,
  }
}

/** A quarter of the memory, at most 8 GiB; a container may have less than its machine. @internal */
export const defaultMemoryBytes = (): number => {
  const limit = process.constrainedMemory?.() ?? 0
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  return Math.min(MOST_DEFAULT_BYTES, Math.floor(memory / 4))
}

interface MemoryParts {
  readonly resident: ResidentState
  readonly sessions: DeviceSessions
  readonly device: ExecutorDevice
  readonly reasons: ExitReasons
  readonly tiers: readonly Tier[]
}

/** Keeps what lives as long as an executor within its budgets, between calls. @internal */
export class ExecutorMemory {
  /** Bloom bits of the topics of batches. */
  readonly topics: TopicBits
  #evictions = 0
  readonly #budgets: Required<MemoryBudget>
  readonly #parts: MemoryParts

  constructor(memory: number | MemoryBudget | undefined, parts: MemoryParts) {
    this.#budgets = budgetsOf(memory)
    this.#parts = parts
    this.topics = new TopicBits(TOPIC_SHARE * this.#budgets.tables)
  }

  get use(): MemoryUse {
    const { resident, sessions, tiers } = this.#parts
    const { tables, codes, paths } = this.#budgets
    const { accounts, slots } = resident
    const kept = (name: keyof KeptBytes): number => tiers.reduce((sum, tier) => sum + (tier.kept?.[name] ?? 0), 0)
    return {
      tables: {
        bytes: resident.sizeBytes + this.topics.sizeBytes,
        budget: tables,
        accounts: accounts.count,
        slots: slots.count,
        deviceBytes: sessions.current?.tables.sizeBytes ?? 0,
      },
      codes: { bytes: resident.codes.sizeBytes + kept('codes'), budget: codes },
      paths: { bytes: kept('paths'), budget: paths },
      evictions: this.#evictions,
    }
  }

  /**
   * Notes what the executions of a batch looked at on the device, which no look-up on this thread tells. Only where the
   * tables fill: else nothing asks for it before another batch touches the same again.
   */
  note({ outcome, executions, executionOf, laneOf }: OpenBatch): void {
    const { resident } = this.#parts
    if (!isFilling(resident, this.#tableBudgets)) return
    const { accounts, slots, epoch } = resident
    const visit = {
      account: (id: number) => {
        accounts.epochs[id] = epoch
      },
      slot: (id: number) => {
        slots.epochs[id] = epoch
      },
      precompile: () => {},
    }
    for (let i = 0; i < outcome.length; i++)
      if (outcome[i] === OUTCOME_EXECUTED && executionOf[i]! >= 0)
        executions[executionOf[i]!]!.touched(laneOf[i]!, visit)
  }

  /** After a call, whose tables hold what the State does. Whether tables were replaced. */
  settle(): boolean {
    const { resident, sessions, reasons, tiers } = this.#parts
    const { codes, paths } = this.#budgets
    const before = resident.generation
    const move = this.#evict()
    const hasEvicted = resident.generation !== before
    if (hasEvicted) {
      this.#evictions++
      sessions.current?.tables.shrink()
    }
    resident.epoch++
    reasons.trim()
    for (const tier of tiers) {
      const share = SHARES[tier.name] ?? NO_SHARE
      tier.trim?.({ codes: move, budgets: { codes: share.codes * codes, paths: share.paths * paths } })
    }
    return hasEvicted
  }

  /** Where there is no room for a copy of what is to stay, nothing stays. */
  #evict(): CodeMove | undefined {
    const { resident } = this.#parts
    try {
      return evictTables(resident, this.#tableBudgets)?.codes
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown
      resident.empty()
      return undefined
    }
  }

  get #tableBudgets(): TableBudgets {
    const { tables, codes } = this.#budgets
    const { device, sessions } = this.#parts
    const limits = device.current?.limits
    // A session that failed in this call is closed by now.
    const isBound = limits !== undefined && (sessions.used ?? sessions.current)?.tables.isAsked === true
    const mostRows = isBound ? mostStorageBytes(limits) / (4 * ROW_LIMBS) : Infinity
    return { rows: Math.max(0, tables - this.topics.sizeBytes), codes: TABLE_SHARE * codes, mostRows }
  }
}
