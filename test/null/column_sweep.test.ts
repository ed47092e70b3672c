import { describe, expect, test } from 'vitest'
import { createRandom, type Random } from '../../bench/random.ts'
import {
  createOpenBatch,
  type OpenBatch,
  OUTCOME_EXECUTED,
  OUTCOME_REJECTED,
  TIER_FIRST,
  TIER_NONE,
} from '../../host/batch/open_batch.ts'
import { ExitReasons } from '../../host/batch/reason.ts'
import { emptyBatch, type TransactionBatch } from '../../host/chain/batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import { addressFromHex, wordFromBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import { Sweep } from '../../host/settle/sweep.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { HOST_CODE, HOST_LIMBS, HOST_NONCE, ROW_BALANCE, ROW_LIMBS } from '../../host/state/tables/account_table.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { collectWrites } from '../../host/state/writes/collect.ts'
import { type PathGroup, slotPlaces, storePlaces } from '../../host/tiers/path/columns.ts'
import { PathExecutions, pathReasons } from '../../host/tiers/path/executions.ts'
import { adopt } from '../../host/tiers/path/lots.ts'
import { planPath } from '../../host/tiers/path/plan.ts'
import {
  codeSkeleton,
  type DeltaCondition,
  EXIT_NONE,
  MISSING,
  type PathKernel,
  type StoreOutput,
} from '../../transpiler/index.ts'
import { BATCH_ENV } from '../fixtures/batch_world.ts'

const MAX = 2n ** 256n - 1n
const PEOPLE = 6
const COINBASE = PEOPLE
const TOKEN = PEOPLE + 1
const EMPTY = PEOPLE + 2
const NOBODY = PEOPLE + 3
const SLOTS = 6
/** What stands in a lane that left its path. */
const ANY_SLOT = 0x03ff_ffff

const address = (n: number): string => `0x${(0xabc000 + n).toString(16).padStart(40, '0')}`

/** Two slot look-ups, and a store to each that has one. Columns of lanesOut: exit, slot ids, two words of stores. */
const kernel = (
  id: string,
  deltas: readonly (StoreOutput['delta'] | 'set')[],
  status: PathKernel['status'],
): PathKernel => ({
  id,
  key: { fork: 'prague', skeleton: '', selector: 0, calldataBytes: 0, valueIsZero: true },
  parts: [''],
  hintedParts: [''],
  entryPoint: 'path',
  inputs: [{ kind: 'gas', column: 0 }],
  inputColumns: 1,
  hintColumn: 1,
  outputColumns: 6,
  scratchColumns: 0,
  skeletons: [''],
  transfers: [],
  lookups: [0, 1].map((component) => ({
    kind: 'slot',
    account: -1,
    column: 1,
    component,
    keyColumn: 2 + 2 * component,
  })),
  readsEntryBalance: false,
  guards: [],
  status,
  stores: deltas.map((delta, n) => ({
    lookup: n,
    column: 2 + 2 * n,
    ...(delta === 'set' || delta === undefined ? {} : { delta }),
  })),
  logs: [],
  output: { bytes: 0, words: [] },
  report: { steps: 0, recordedValues: 0, liveValues: 0, compileMs: 0, wgslBytes: 0, programOps: 0 },
})

const CONDITIONS: readonly (readonly DeltaCondition[])[] = [
  [],
  ['noUnderflow'],
  ['noOverflow'],
  ['sameZeroness'],
  ['noUnderflow', 'sameZeroness'],
  ['noOverflow', 'sameZeroness'],
]
const DELTAS: readonly StoreOutput['delta'][] = CONDITIONS.flatMap((conditions) => [
  { sign: 1, conditions },
  { sign: -1, conditions },
])

const KERNELS: readonly PathKernel[] = [
  kernel('sets', ['set', 'set'], 'success'),
  kernel('reads', [], 'success'),
  kernel('fails', [], 'revert'),
  ...DELTAS.map((delta, n) => kernel(`moves ${n}`, [delta, DELTAS[(5 * n + 3) % DELTAS.length]], 'success')),
  kernel('moves and sets', [DELTAS[3], 'set'], 'success'),
]
const PLANS = KERNELS.map(planPath)
const HIDDEN = KERNELS.length - 1

/** What a tier left that tells no columns. */
class Hidden extends PathExecutions {
  override get columns(): undefined {
    return undefined
  }
}

/** What a lane did when it ran. */
interface Lane {
  readonly slots: readonly [number, number]
  readonly reads: readonly [bigint, bigint]
  readonly words: readonly [bigint, bigint]
  /** By look-up: whether the value read came as a hint. */
  readonly hinted: readonly [boolean, boolean]
  readonly ended: boolean
}

interface Planned {
  readonly from: number
  readonly to: number
  readonly nonce: bigint
  readonly value: bigint
  readonly gasLimit: bigint
  readonly fee: bigint
  readonly tip: bigint
  readonly plan: number
  readonly lane: Lane | undefined
  readonly gas: number
  readonly refund: number
  readonly blobs: number
  /** It was routed for other code than the account has. */
  readonly otherCode: boolean
  /** It was refused before the sweep came to it. */
  readonly decided: boolean
}

interface World {
  readonly env: BlockEnvironment
  readonly balances: readonly bigint[]
  readonly nonces: readonly bigint[]
  readonly slots: readonly bigint[]
  readonly transactions: readonly Planned[]
}

const EDGES = [0n, 1n, 2n, 5n, 2n ** 32n, 2n ** 64n - 1n, 2n ** 128n, 2n ** 192n + 7n, MAX - 1n, MAX]
const edge = (random: Random): bigint => EDGES[random.below(EDGES.length)]!

const randomWorld = (seed: number): World => {
  const random = createRandom(seed, 'column sweep')
  const sometimes = (n: number): boolean => random.below(n) === 0
  const slots = Array.from({ length: SLOTS }, () => edge(random))
  const balances = Array.from({ length: NOBODY + 1 }, (_, n) =>
    n >= EMPTY ? 0n : sometimes(4) ? BigInt(random.below(3_000_000)) : 2n ** BigInt(20 + random.below(120)),
  )
  if (sometimes(3)) balances[COINBASE] = 0n
  const start = sometimes(8) ? 2n ** 32n - 3n : BigInt(random.below(5))
  const nonces = balances.map((_, n) => (n < PEOPLE ? start : 0n))
  const next = [...nonces]
  const zeroTips = sometimes(6)
  const count = 1 + random.below(60)
  const transactions = Array.from({ length: count }, (): Planned => {
    const from = sometimes(40) ? COINBASE : sometimes(60) ? TOKEN : random.below(PEOPLE)
    const isCall = !sometimes(3)
    const isWide = sometimes(60)
    const tip = isWide
      ? 2n ** 40n + 0xffff_fff0n
      : zeroTips || sometimes(30)
        ? 0n
        : sometimes(40)
          ? 2n ** 70n
          : BigInt(1 + random.below(9))
    const nonce = next[from]! + (sometimes(30) ? BigInt(random.below(3)) - 1n : 0n)
    next[from]!++
    const lane: Lane = {
      slots: [random.below(SLOTS), random.below(SLOTS)],
      reads: [edge(random), edge(random)],
      words: [edge(random), sometimes(2) ? edge(random) : BigInt(random.below(4))],
      hinted: [sometimes(4), sometimes(4)],
      ended: !sometimes(20),
    }
    return {
      from,
      to: isCall ? TOKEN : sometimes(6) ? EMPTY : sometimes(8) ? NOBODY : random.below(COINBASE + 1),
      nonce: nonce < 0n ? 0n : nonce,
      value: sometimes(2) ? 0n : sometimes(6) ? 2n ** 90n : BigInt(random.below(1_000_000)),
      gasLimit: isWide && isCall ? 2n ** 34n : sometimes(40) ? 20_000n : BigInt(60_000 + random.below(40_000)),
      fee: 10n + tip,
      tip,
      blobs: (isWide && isCall) || !sometimes(25) ? 0 : 1 + random.below(3),
      plan: random.below(PLANS.length),
      lane: isCall ? lane : undefined,
      gas: isWide && isCall ? 2 ** 33 + random.below(100) : random.below(20_000),
      refund: sometimes(3) ? random.below(9_000) : 0,
      otherCode: sometimes(40),
      decided: sometimes(40),
    }
  })
  const env = {
    ...BATCH_ENV,
    coinbase: address(COINBASE),
    gasLimit: sometimes(3) ? BigInt(100_000 + random.below(2_000_000)) : 2n ** 40n,
    maxBlobs: 1 + random.below(4),
  }
  return { env, balances, nonces, slots, transactions }
}

const CODE = Uint8Array.of(0)
const BLOB = `0x01${'00'.repeat(31)}`
const BLOB_GAS = 131_072n
const BLOB_FEE_CAP = 5n
const INTRINSIC = 21_000

const stateOf = ({ balances, nonces, slots }: World): MemoryState => {
  const state = new MemoryState()
  for (let n = 0; n < NOBODY; n++)
    state.setAccount(address(n), {
      balance: balances[n]!,
      nonce: nonces[n]!,
      ...(n === TOKEN ? { code: CODE, storage: Object.fromEntries(slots.map((value, k) => [`0x${k}`, value])) } : {}),
    })
  return state
}

const batchOf = ({ transactions }: World): TransactionBatch => {
  const batch = emptyBatch(transactions.length, { dataBytes: 0, accessEntries: 0, accessKeys: 0 })
  for (const [i, { from, to, nonce, value, gasLimit, fee, tip, blobs }] of transactions.entries()) {
    batch.type[i] = blobs === 0 ? 2 : 3
    if (blobs > 0)
      (batch.extras as Map<number, object>).set(i, {
        blobVersionedHashes: Array(blobs).fill(BLOB),
        maxFeePerBlobGas: BLOB_FEE_CAP,
      })
    batch.nonce.set([Number(nonce & 0xffff_ffffn), Number(nonce >> 32n)], 2 * i)
    batch.gasLimit.set([Number(gasLimit & 0xffff_ffffn), Number(gasLimit >> 32n)], 2 * i)
    wordFromBigInt(batch.maxFeePerGas, 8 * i, fee)
    wordFromBigInt(batch.maxPriorityFeePerGas, 8 * i, tip)
    wordFromBigInt(batch.value, 8 * i, value)
    addressFromHex(batch.from, 5 * i, address(from))
    addressFromHex(batch.to, 5 * i, address(to))
  }
  return batch
}

const groupOf = (plan: number, transactions: readonly (readonly [number, Planned])[], ids: Int32Array): PathGroup => {
  const laneCount = transactions.length
  const hinted = transactions.some(([, { lane }]) => lane!.hinted.includes(true))
  const lanesOut = new Uint32Array(4 * 6 * laneCount)
  const lanesIn = new Uint32Array(4 * 7 * laneCount)
  const put = (columns: Uint32Array, column: number, lane: number, value: bigint) => {
    const limbs = new Uint32Array(8)
    wordFromBigInt(limbs, 0, value)
    columns.set(limbs.subarray(0, 4), 4 * (column * laneCount + lane))
    columns.set(limbs.subarray(4), 4 * ((column + 1) * laneCount + lane))
  }
  transactions.forEach(([, { lane, gas, refund }], n) => {
    const { slots, reads, words, hinted: hints, ended } = lane!
    lanesOut.set([ended ? EXIT_NONE : 1, gas, refund], 4 * n)
    lanesOut.set(ended ? slots.map((slot) => ids[slot]!) : [ANY_SLOT, MISSING], 4 * (laneCount + n))
    for (let k = 0; k < 2; k++) {
      put(lanesOut, 2 + 2 * k, n, words[k]!)
      put(lanesIn, 1 + 3 * k, n, reads[k]!)
      lanesIn[4 * ((3 + 3 * k) * laneCount + n)] = hints[k] ? ids[slots[k]!]! : MISSING
    }
  })
  return {
    plan: PLANS[plan]!,
    laneCount,
    transactions: Int32Array.from(transactions, ([i]) => i),
    lanesIn,
    lanesOut,
    hinted,
    slotAt: slotPlaces(PLANS[plan]!, laneCount),
    storeAt: storePlaces(PLANS[plan]!, laneCount),
  }
}

interface Opened {
  readonly openBatch: OpenBatch
  readonly resident: ResidentState
  readonly ids: readonly number[]
  readonly slotIds: Int32Array
}

const open = (world: World): Opened => {
  const { transactions, env } = world
  const resident = new ResidentState(stateOf(world), codeSkeleton)
  const reasons = pathReasons(new ExitReasons())
  const people = new Uint32Array(5 * (NOBODY + 1))
  for (let n = 0; n <= NOBODY; n++) addressFromHex(people, 5 * n, address(n))
  const accountIds = new Int32Array(NOBODY + 1)
  void resident.accountIds(people, NOBODY + 1, accountIds)
  const keys = new Uint32Array(8 * SLOTS)
  for (let k = 0; k < SLOTS; k++) keys[8 * k] = k
  const slotIds = new Int32Array(SLOTS)
  void resident.slotIds(new Int32Array(SLOTS).fill(accountIds[TOKEN]!), keys, SLOTS, slotIds)
  const batch = batchOf(world)
  const openBatch = createOpenBatch(batch, env, transactionRules(batch, 'prague', env))
  openBatch.coinbaseId = accountIds[COINBASE]!
  for (const [i, { from, to, lane, otherCode }] of transactions.entries()) {
    openBatch.fromIds[i] = accountIds[from]!
    openBatch.toIds[i] = accountIds[to]!
    openBatch.toCodes[i] = resident.accounts.hosts[accountIds[to]! * HOST_LIMBS + HOST_CODE]! + (otherCode ? 1 : 0)
    openBatch.tier[i] = lane === undefined ? TIER_NONE : TIER_FIRST
  }
  for (let plan = 0; plan < PLANS.length; plan++) {
    const lanes = [...transactions.entries()].filter(([, { lane, plan: own }]) => lane !== undefined && own === plan)
    if (lanes.length > 0)
      adopt(
        openBatch,
        new (plan === HIDDEN ? Hidden : PathExecutions)(openBatch, groupOf(plan, lanes, slotIds), resident, reasons),
      )
  }
  // Of 32 bits in the lane.
  for (const [i, { lane, gas }] of transactions.entries()) if (lane !== undefined) openBatch.gas[i] = gas
  for (const [i, { decided }] of transactions.entries())
    if (decided) {
      openBatch.outcome[i] = OUTCOME_REJECTED
      openBatch.rejections[i] = REJECTION.initcodeSize
    }
  return { openBatch, resident, ids: [...accountIds], slotIds }
}

/** Sweeps to the end; what the sweep leaves is refused for a reason that nothing else gives. */
const swept = ({ openBatch, resident }: Opened, columnsFrom: number, step: number): void => {
  const sweep = new Sweep('prague', openBatch, resident, new ExitReasons(), columnsFrom)
  sweep.codeChanged = true
  const { count } = openBatch.batch
  for (let first = 0; first < count; first += step) {
    const end = Math.min(count, first + step)
    for (let i = first; ; ) {
      i = sweep.advance(i, end)
      if (i === end) break
      sweep.reject(i, REJECTION.tipAboveFeeCap)
    }
  }
}

const left = ({ openBatch, resident }: Opened) => {
  const { accounts, slots } = resident
  const { outcome, rejections, status, gasUsed } = openBatch
  return {
    outcome: [...outcome],
    rejections: [...rejections],
    status: [...status],
    gasUsed: [...gasUsed],
    rows: [...accounts.rows.subarray(0, ROW_LIMBS * accounts.count)],
    hosts: [...accounts.hosts.subarray(0, HOST_LIMBS * accounts.count)],
    accountsWritten: [...accounts.written.subarray(0, accounts.entries)].sort(),
    values: [...slots.values.subarray(0, 8 * slots.count)],
    slotsWritten: [...slots.written.subarray(0, slots.entries)],
    base: [...slots.base.subarray(0, 8 * slots.entries)],
    entryOf: [...slots.entryOf.subarray(0, slots.count)],
  }
}

/** Serial execution in bigints, which shares no code with any sweep. */
const replayed = ({ env, balances, nonces, slots, transactions }: World) => {
  const balance = [...balances]
  const nonce = [...nonces]
  const value = [...slots]
  const exists = balances.map((_, n) => n < NOBODY)
  let used = 0n
  let blobGas = 0n
  const outcome: number[] = []
  const rejections: number[] = []
  const gasUsed: number[] = []
  const holds = (k: number, { slots: at, reads, words, hinted }: Lane, stores: PathKernel['stores']): boolean => {
    const now = value[at[k]!]!
    const read = hinted[k] ? reads[k]! : slots[at[k]!]!
    if (read === now) return true
    const delta = stores.find(({ lookup }) => lookup === k)?.delta
    if (delta === undefined) return false
    const moved = (from: bigint): bigint => from + BigInt(delta.sign) * words[k]!
    const wrapped = (from: bigint): bigint => BigInt.asUintN(256, moved(from))
    if (delta.conditions.includes('noUnderflow') && delta.sign < 0 && moved(now) < 0n) return false
    if (delta.conditions.includes('noOverflow') && delta.sign > 0 && moved(now) > MAX) return false
    if (!delta.conditions.includes('sameZeroness')) return true
    return (now === 0n) === (read === 0n) && (wrapped(now) === 0n) === (wrapped(read) === 0n)
  }
  const refusal = ({ from, nonce: given, value: sent, gasLimit, fee, blobs }: Planned): number => {
    if (blobGas + BigInt(blobs) * BLOB_GAS > BigInt(env.maxBlobs!) * BLOB_GAS) return REJECTION.blobGasReached
    if (given !== nonce[from]) return given < nonce[from]! ? REJECTION.nonceTooLow : REJECTION.nonceTooHigh
    if (from === TOKEN) return REJECTION.senderNotEoa
    if (balance[from]! < gasLimit * fee + sent + BigInt(blobs) * BLOB_GAS * BLOB_FEE_CAP)
      return REJECTION.insufficientFunds
    return used + gasLimit > env.gasLimit ? REJECTION.gasLimitReached : 0
  }
  for (const transaction of transactions) {
    const { from, to, value: sent, fee, tip, lane, plan, gas, refund, otherCode, blobs } = transaction
    const { stores, status } = KERNELS[plan]!
    const stands = !otherCode && (lane === undefined || (lane.ended && [0, 1].every((k) => holds(k, lane, stores))))
    const met = refusal(transaction)
    const fixed = transaction.gasLimit < INTRINSIC ? REJECTION.intrinsicGas : 0
    const refused = fixed !== 0 && (met === 0 || fixed < met) ? fixed : met
    const code = transaction.decided ? REJECTION.initcodeSize : refused || (stands ? 0 : REJECTION.tipAboveFeeCap)
    outcome.push(code === 0 ? OUTCOME_EXECUTED : OUTCOME_REJECTED)
    rejections.push(code)
    if (code !== 0) {
      gasUsed.push(0)
      continue
    }
    const succeeds = lane === undefined || status === 'success'
    if (lane !== undefined && succeeds)
      for (const [n, { delta }] of stores.entries()) {
        const at = lane.slots[n]!
        const word = lane.words[n]!
        value[at] = BigInt.asUintN(256, delta === undefined ? word : value[at]! + BigInt(delta.sign) * word)
      }
    const spent = INTRINSIC + (lane === undefined ? 0 : gas)
    const back = lane === undefined || !succeeds ? 0 : Math.min(refund, Math.floor(spent / 5))
    const paid = Math.max(INTRINSIC, spent - back)
    gasUsed.push(paid)
    used += BigInt(paid)
    blobGas += BigInt(blobs) * BLOB_GAS
    balance[from]! -= BigInt(blobs) * BLOB_GAS * env.blobBaseFee!
    nonce[from]!++
    balance[from]! -= BigInt(paid) * fee
    balance[COINBASE]! += BigInt(paid) * tip
    if (succeeds) {
      balance[from]! -= sent
      balance[to]! += sent
      if (sent > 0n) exists[to] = true
    }
    for (const touched of lane === undefined ? [to, COINBASE] : [COINBASE])
      if (touched !== TOKEN && balance[touched] === 0n && nonce[touched] === 0n) exists[touched] = false
    if (balance[COINBASE]! > 0n) exists[COINBASE] = true
  }
  return { outcome, rejections, gasUsed, balance, nonce, value, exists }
}

const readBack = ({ openBatch, resident, ids, slotIds }: Opened) => {
  const { accounts, slots } = resident
  return {
    outcome: [...openBatch.outcome],
    rejections: [...openBatch.rejections],
    gasUsed: [...openBatch.gasUsed],
    balance: ids.map((id) => wordToBigInt(accounts.rows, ROW_LIMBS * id + ROW_BALANCE)),
    nonce: ids.map((id) => {
      const at = HOST_LIMBS * id + HOST_NONCE
      return BigInt(accounts.hosts[at]!) + (BigInt(accounts.hosts[at + 1]!) << 32n)
    }),
    value: [...slotIds].map((id) => wordToBigInt(slots.values, 8 * id)),
    exists: ids.map((id) => accounts.exists(id)),
  }
}

describe('the sweep over columns', () => {
  test('leaves what the sweep in order leaves, and both what serial execution does', () => {
    for (let seed = 0; seed < 400; seed++) {
      const world = randomWorld(seed)
      const inOrder = open(world)
      const inColumns = open(world)
      const step = seed % 3 === 0 ? 7 : 1000
      swept(inOrder, Number.POSITIVE_INFINITY, step)
      swept(inColumns, 1, step)
      expect(left(inColumns), `seed ${seed}`).toEqual(left(inOrder))
      expect(collectWrites(inColumns.resident), `seed ${seed}`).toEqual(collectWrites(inOrder.resident))
      expect(readBack(inColumns), `seed ${seed}`).toEqual(replayed(world))
    }
  })
})
