import { describe, expect, test, vi } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { createOpenBatch, type OpenBatch, TIER_FIRST } from '../../host/batch/open_batch.ts'
import { PATIENCE } from '../../host/batch/patience.ts'
import { ExitReasons } from '../../host/batch/reason.ts'
import { emptyBatch } from '../../host/chain/batch.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import { wordFromBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import { AccessLog } from '../../host/settle/access_log.ts'
import { type RetryingTier, Rounds } from '../../host/settle/rounds.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { SlotTable } from '../../host/state/tables/slot_table.ts'
import { type PathGroup, slotPlaces, storePlaces } from '../../host/tiers/path/columns.ts'
import { PathExecutions, pathReasons } from '../../host/tiers/path/executions.ts'
import { Hints } from '../../host/tiers/path/hints.ts'
import { laneReadsHold, storeLane } from '../../host/tiers/path/lanes.ts'
import { adopt } from '../../host/tiers/path/lots.ts'
import { type PathPlan, planPath } from '../../host/tiers/path/plan.ts'
import { codeSkeleton, EXIT_NONE, MISSING, type PathKernel, type StoreOutput } from '../../transpiler/index.ts'
import { BATCH_ENV } from '../fixtures/batch_world.ts'
import { twoSlotKernel } from '../fixtures/two_slot_kernel.ts'

/** A path that stores to the first of its two slots. */
const kernel = (delta?: StoreOutput['delta']): PathKernel => twoSlotKernel('test', [delta ?? 'set'])

interface Lane {
  readonly reads: readonly [number, number]
  /** The stored word, or the amount of a delta. */
  readonly word: bigint
  /** Hints by look-up: (value, slot). */
  readonly hints?: readonly (readonly [bigint, number])[]
}

const groupOf = (plan: PathPlan, lanes: readonly Lane[], transactions: readonly number[]): PathGroup => {
  const laneCount = lanes.length
  const lanesOut = new Uint32Array(4 * 4 * laneCount)
  const lanesIn = new Uint32Array(4 * 7 * laneCount)
  const put = (columns: Uint32Array, column: number, lane: number, value: bigint) => {
    const limbs = new Uint32Array(8)
    wordFromBigInt(limbs, 0, value)
    columns.set(limbs.subarray(0, 4), 4 * (column * laneCount + lane))
    columns.set(limbs.subarray(4), 4 * ((column + 1) * laneCount + lane))
  }
  lanes.forEach(({ reads, word, hints }, lane) => {
    lanesOut[4 * lane] = EXIT_NONE
    lanesOut.set(reads, 4 * (laneCount + lane))
    put(lanesOut, 2, lane, word)
    for (let k = 0; k < 2; k++) {
      put(lanesIn, 1 + 3 * k, lane, hints?.[k]?.[0] ?? 0n)
      lanesIn[4 * ((3 + 3 * k) * laneCount + lane)] = hints?.[k]?.[1] ?? MISSING
    }
  })
  return {
    plan,
    laneCount,
    transactions: Int32Array.from(transactions),
    lanesIn,
    lanesOut,
    hinted: lanes.some(({ hints }) => hints !== undefined),
    slotAt: slotPlaces(plan, laneCount),
    storeAt: storePlaces(plan, laneCount),
  }
}

const tableOf = (...values: bigint[]): SlotTable => {
  const table = new SlotTable()
  values.forEach((value, i) => {
    const id = table.add(1, Uint32Array.of(i, 0, 0, 0, 0, 0, 0, 0), 0)
    wordFromBigInt(table.values, 8 * id, value)
  })
  return table
}

const REASONS = pathReasons(new ExitReasons())

const scheduleOf = (groups: readonly PathGroup[], slots: SlotTable): OpenBatch => {
  const resident = new ResidentState(new MemoryState(), codeSkeleton)
  resident.slots = slots
  const count = groups.reduce((sum, { laneCount }) => sum + laneCount, 0)
  const batch = emptyBatch(count, { dataBytes: 0, accessEntries: 0, accessKeys: 0 })
  const openBatch = createOpenBatch(batch, BATCH_ENV, transactionRules(batch, 'prague', BATCH_ENV))
  openBatch.tier.fill(TIER_FIRST)
  for (const group of groups) adopt(openBatch, new PathExecutions(openBatch, group, resident, REASONS))
  return openBatch
}

const plain = planPath(kernel())
const resolve = (table: SlotTable, groups: readonly PathGroup[], first = 0) => {
  const openBatch = scheduleOf(groups, table)
  const hints = new Hints(table)
  new AccessLog(table).resolve(openBatch, first, openBatch.batch.count, (i, lane, executions, round, versions) => {
    if (round !== 0) hints.add(i, (executions as PathExecutions).group, lane, versions)
  })
  return hints.transactions.map((transaction, n) => ({
    transaction,
    hints: [0, 1].map((k) => {
      const at = hints.at[n]! + 12 * k
      return hints.words[at + 8] === MISSING ? undefined : [wordToBigInt(hints.words, at), hints.words[at + 8]]
    }),
  }))
}

describe('the access log', () => {
  test('finds nothing stale where no transaction reads what a lower one writes', () => {
    const lanes: Lane[] = [
      { reads: [0, 2], word: 5n },
      { reads: [1, 2], word: 6n },
      { reads: [3, 2], word: 7n },
    ]
    expect(resolve(tableOf(1n, 2n, 3n, 4n), [groupOf(plain, lanes, [0, 1, 2])])).toEqual([])
  })

  test('gives a stale transaction the last version below it, and no hint where the base value is right', () => {
    const lanes: Lane[] = [
      { reads: [0, 1], word: 5n },
      { reads: [0, 2], word: 6n },
      { reads: [1, 0], word: 7n },
    ]
    expect(resolve(tableOf(1n, 2n, 3n), [groupOf(plain, lanes, [0, 1, 2])])).toEqual([
      { transaction: 1, hints: [[5n, 0], undefined] },
      { transaction: 2, hints: [undefined, [6n, 0]] },
    ])
  })

  test('goes by transaction, not by dispatch or lane', () => {
    const later = groupOf(plain, [{ reads: [0, 1], word: 5n }], [1])
    const earlier = groupOf(plain, [{ reads: [2, 0], word: 9n }], [0])
    expect(resolve(tableOf(1n, 2n, 3n), [later, earlier])).toEqual([])
  })

  test('lets a read stand whose version differs and whose value does not', () => {
    const lanes: Lane[] = [
      { reads: [0, 1], word: 1n },
      { reads: [1, 0], word: 7n },
    ]
    expect(resolve(tableOf(1n, 2n), [groupOf(plain, lanes, [0, 1])])).toEqual([])
  })

  test('holds a hinted read against its hint, also where no transaction writes the slot any more', () => {
    const hinted = (value: bigint) => groupOf(plain, [{ reads: [0, 1], word: 5n, hints: [[value, 0]] }], [0])
    expect(resolve(tableOf(1n, 2n), [hinted(1n)])).toEqual([])
    expect(resolve(tableOf(1n, 2n), [hinted(9n)])).toEqual([{ transaction: 0, hints: [undefined, undefined] }])
  })

  test('starts from the running values at its first transaction', () => {
    const table = tableOf(1n, 2n)
    table.write(0)
    wordFromBigInt(table.values, 0, 8n)
    const lanes: Lane[] = [
      { reads: [0, 1], word: 0n },
      { reads: [1, 0], word: 7n },
    ]
    expect(resolve(table, [groupOf(plain, lanes, [0, 1])], 1)).toEqual([
      { transaction: 1, hints: [undefined, [8n, 0]] },
    ])
  })

  /** In which round each transaction could read what it should. */
  const roundsOf = (table: SlotTable, groups: readonly PathGroup[]): number[] => {
    const openBatch = scheduleOf(groups, table)
    const rounds: number[] = []
    new AccessLog(table).resolve(openBatch, 0, openBatch.batch.count, (i, _lane, _executions, round) => {
      rounds[i] = round
    })
    return rounds
  }

  test('says in which round each link of a chain could run, and what waits for two of them', () => {
    const lanes: Lane[] = [
      { reads: [0, 3], word: 5n },
      { reads: [0, 3], word: 6n },
      { reads: [1, 3], word: 7n },
      { reads: [0, 3], word: 8n },
      { reads: [2, 0], word: 9n },
      { reads: [3, 1], word: 9n },
    ]
    const group = groupOf(plain, lanes, [0, 1, 2, 3, 4, 5])
    expect(roundsOf(tableOf(1n, 2n, 3n, 4n), [group])).toEqual([0, 1, 0, 2, 3, 1])
  })

  test('does not wait for a stale write of the value that was read', () => {
    const lanes: Lane[] = [
      { reads: [0, 2], word: 5n },
      { reads: [1, 0], word: 2n },
      { reads: [3, 1], word: 7n },
    ]
    expect(roundsOf(tableOf(1n, 2n, 3n, 4n), [groupOf(plain, lanes, [0, 1, 2])])).toEqual([0, 1, 0])
  })

  test('waits for what a delta stands on, and for a stale delta', () => {
    const add = planPath(kernel({ sign: 1, conditions: [] }))
    const sets = (transaction: number, reads: readonly [number, number]) =>
      groupOf(plain, [{ reads, word: 9n }], [transaction])
    const adds = (transaction: number, reads: readonly [number, number]) =>
      groupOf(add, [{ reads, word: 1n }], [transaction])
    // 1 is stale and sets slot 1; 2 moves it and holds; 3 reads what 2 leaves. 4 reads slot 0, so its delta of slot 3,
    // which 5 reads, is not known before it has run.
    const groups = [
      sets(0, [0, 4]),
      sets(1, [1, 0]),
      adds(2, [1, 4]),
      sets(3, [2, 1]),
      adds(4, [3, 0]),
      sets(5, [5, 3]),
    ]
    expect(roundsOf(tableOf(1n, 2n, 3n, 4n, 5n, 6n), groups)).toEqual([0, 1, 0, 2, 1, 2])
  })

  test('agrees with sorting the log and searching each segment, on random batches', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = createRandom(seed, 'versions')
      const slots = 2 + random.below(6)
      const base = Array.from({ length: slots }, () => BigInt(random.below(3)))
      const lanes = Array.from({ length: 1 + random.below(30) }, (): Lane => {
        const first = random.below(slots)
        return { reads: [first, (first + 1 + random.below(slots - 1)) % slots], word: BigInt(random.below(3)) }
      })
      const version = (slot: number, j: number) => {
        const below = lanes.flatMap(({ reads, word }, i) => (i < j && reads[0] === slot ? [word] : []))
        return below.at(-1) ?? base[slot]!
      }
      const expected = lanes.flatMap(({ reads }, j) =>
        reads.some((slot) => version(slot, j) !== base[slot]) ? [j] : [],
      )
      const found = resolve(tableOf(...base), [
        groupOf(
          plain,
          lanes,
          lanes.map((_, i) => i),
        ),
      ])
      expect(
        found.map(({ transaction }) => transaction),
        `seed ${seed}`,
      ).toEqual(expected)
    }
  })
})

describe('a delta', () => {
  const add = planPath(kernel({ sign: 1, conditions: ['noOverflow', 'sameZeroness'] }))
  const subtract = planPath(kernel({ sign: -1, conditions: ['noUnderflow', 'sameZeroness'] }))
  const wrapping = planPath(kernel({ sign: -1, conditions: [] }))
  const most = (1n << 256n) - 1n

  /** Whether a lane that read `base` holds for `current`, and what it stores there. */
  const moved = (plan: PathPlan, base: bigint, current: bigint, amount: bigint): bigint | undefined => {
    const table = tableOf(base, 0n)
    const group = groupOf(plan, [{ reads: [0, 1], word: amount }], [0])
    table.write(0)
    wordFromBigInt(table.values, 0, current)
    if (!laneReadsHold(group, 0, table)) return undefined
    storeLane(group, 0, table)
    return wordToBigInt(table.values, 0)
  }

  test('moves the current value, whatever the lane read', () => {
    expect(moved(add, 10n, 100n, 5n)).toBe(105n)
    expect(moved(subtract, 10n, 100n, 5n)).toBe(95n)
    expect(moved(add, 1n, (1n << 128n) - 1n, 1n)).toBe(1n << 128n)
    expect(moved(subtract, 9n, 1n << 200n, 1n)).toBe((1n << 200n) - 1n)
  })

  test('holds to the last unit above an underflow and below an overflow, and wraps where the contract does', () => {
    expect(moved(subtract, 10n, 6n, 5n)).toBe(1n)
    expect(moved(subtract, 10n, 4n, 5n)).toBeUndefined()
    expect(moved(add, 10n, most - 5n, 5n)).toBe(most)
    expect(moved(add, 10n, most - 4n, 5n)).toBeUndefined()
    expect(moved(wrapping, 10n, 4n, 5n)).toBe(most)
  })

  test('does not hold where the slot was or becomes zero and for the lane it was not, since gas differs', () => {
    expect(moved(add, 10n, 0n, 5n)).toBeUndefined()
    expect(moved(add, 0n, 10n, 5n)).toBeUndefined()
    expect(moved(subtract, 10n, 5n, 5n)).toBeUndefined()
    expect(moved(subtract, 5n, 5n, 5n)).toBe(0n)
    expect(moved(subtract, 5n, 6n, 5n)).toBeUndefined()
  })

  test('leaves other reads of the lane as strict as ever', () => {
    const table = tableOf(10n, 1n)
    const group = groupOf(add, [{ reads: [0, 1], word: 5n }], [0])
    table.write(1)
    wordFromBigInt(table.values, 8, 2n)
    expect(laneReadsHold(group, 0, table)).toBe(false)
  })

  test('many on one slot make nothing stale, and each version is the one below it moved', () => {
    const lanes = Array.from({ length: 20 }, (_, n): Lane => ({ reads: [0, 1], word: BigInt(n + 1) }))
    const readers = groupOf(plain, [{ reads: [1, 0], word: 0n }], [20])
    expect(
      resolve(tableOf(100n, 2n), [
        groupOf(
          add,
          lanes,
          lanes.map((_, i) => i),
        ),
        readers,
      ]),
    ).toEqual([{ transaction: 20, hints: [undefined, [310n, 0]] }])
  })
})

describe('rounds', () => {
  /** Rounds of a tier whose transactions never hold; what each round ran. */
  const ran = async (always: boolean, widths: readonly (readonly [number, number])[]) => {
    const lanes = widths.map((reads, n): Lane => ({ reads, word: BigInt(100 + n) }))
    const table = tableOf(...Array.from({ length: 50 }, (_, n) => BigInt(n)))
    const openBatch = scheduleOf(
      [
        groupOf(
          plain,
          lanes,
          lanes.map((_, i) => i),
        ),
      ],
      table,
    )
    const runs: number[][] = []
    const tier: RetryingTier = {
      mends: () => true,
      retry: () => {
        const added: number[] = []
        return {
          get count() {
            return added.length
          },
          get savesUs() {
            return 3 * added.length
          },
          get costUs() {
            return 10 + added.length
          },
          add: (i) => {
            added.push(i)
          },
          run: () => {
            runs.push(added)
            return Promise.resolve(true)
          },
        }
      },
    }
    const rounds = new Rounds(openBatch, table, new Map([[TIER_FIRST, tier]]), always)
    const asked = async () => expect(await rounds.run(0, lanes.length)).toBe(false)
    await asked()
    return { runs, asked, rounds }
  }

  const chain = Array.from({ length: 20 }, () => [0, 1] as const)
  const pairs = Array.from({ length: 20 }, (_, n) => [2 + (n >> 1), 40 + n] as const)

  test('leave a chain to its places, and do not look at it again before it is passed', async () => {
    const { runs, asked, rounds } = await ran(false, chain)
    expect(runs).toEqual([])
    const resolve = vi.spyOn(AccessLog.prototype, 'resolve')
    for (let n = 0; n < 19 + PATIENCE.pause; n++) await asked()
    expect(resolve).not.toHaveBeenCalled()
    await asked()
    expect(resolve).toHaveBeenCalledOnce()
    resolve.mockRestore()
    expect(rounds.rounds).toBe(0)
  })

  test('run what waits for nothing, and once where it is in vain', async () => {
    const { runs } = await ran(false, [...chain, ...pairs])
    expect(runs).toEqual([[1, ...pairs.flatMap((_, n) => (n % 2 === 1 ? [20 + n] : []))]])
  })

  test('run all that is stale where they are to run whatever they cost', async () => {
    const { runs } = await ran(true, chain)
    expect(runs).toEqual([Array.from({ length: 19 }, (_, n) => n + 1)])
  })
})
