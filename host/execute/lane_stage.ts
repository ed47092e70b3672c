import { EXIT_MISS, EXIT_NONE, MISSING, type RecordedTransaction, type RecordState } from '../../transpiler/index.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { transactionData } from '../block/encode_batch.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { ROW_BALANCE, ROW_LIMBS } from '../state/account_table.ts'
import type { ResidentState } from '../state/resident_state.ts'
import { wordFromBigInt, wordToBigInt } from '../state/word.ts'
import type { ExitReason, ExitReasons } from './exit_reason.ts'
import type { LaneGroup, LaneSource } from './lane_group.ts'
import { environmentValues, type LaneJob, type LaneRunner, type StartedJobs } from './lane_runner.ts'
import { type CompileMode, type PathCandidate, type PathKeyState, PathLibrary } from './path_library.ts'
import { COLUMN_LIMBS, type PathPlan } from './path_plan.ts'
import { type Schedule, TIER_CPU, TIER_LANE } from './schedule.ts'
import type { Stale } from './version_log.ts'

/** Times that a lane is run again because the state table lacked something. */
const MAX_RERUNS = 8

/** Lanes of one path on their way: which candidate of which key, and how often they missed. */
interface Pending {
  readonly key: PathKeyState
  readonly candidate: number
  readonly reruns: number
  readonly transactions: Int32Array
}

export interface LaneStageOptions {
  readonly fork: Fork
  readonly chainId: bigint
  readonly compile: CompileMode
  readonly recordFrom?: number
}

/** Brings the transactions of tier lane through the device: the first round, and rounds with hints. */
export class LaneStage {
  readonly #options: LaneStageOptions
  readonly #resident: ResidentState
  readonly #library: PathLibrary
  readonly #reasons: ExitReasons

  constructor(options: LaneStageOptions, resident: ResidentState, library: PathLibrary, reasons: ExitReasons) {
    this.#options = options
    this.#resident = resident
    this.#library = library
    this.#reasons = reasons
  }

  /** Sends every transaction of tier lane that has no execution to the CPU tier, for this reason. */
  refuse(schedule: Schedule, reason: ExitReason): void {
    const { batch, tier, groups, lanes, laneGroups } = schedule
    const code = this.#reasons.code(reason)
    for (let i = 0; i < batch.count; i++) {
      if (tier[i] !== TIER_LANE) continue
      const group = laneGroups[groups[i]!]
      if (group !== undefined && group.lanesOut[lanes[i]! * COLUMN_LIMBS] === EXIT_NONE) continue
      tier[i] = TIER_CPU
      schedule.reasons[i] = code
    }
  }

  /** Puts the most used paths of every key first; for the start of a batch. */
  begin(): void {
    for (const key of this.#library.keys) PathLibrary.rank(key)
  }

  /**
   * Gives the device the transactions of tier lane in [first, end), as far as there are paths for them, and comes back at once.
   * `scale` is the number of such ranges in the batch, for the question whether a new path pays.
   */
  async start(schedule: Schedule, runner: LaneRunner, first: number, end: number, scale: number): Promise<Wave> {
    const wave: Wave = { pending: [], leftovers: new Map(), scale, started: undefined }
    for (const [keyId, transactions] of transactionsByKey(schedule, this.#library.keys.length, first, end)) {
      const key = this.#library.keys[keyId]!
      this.#route({ key, candidate: 0, reruns: 0, transactions }, wave.pending, wave.leftovers, 'no path')
    }
    if (wave.pending.length > 0) wave.started = await this.#submit(wave.pending, schedule, runner)
    return wave
  }

  /** Executes all transactions of a started range on committed values; those that no path takes become tier CPU. */
  async finish(schedule: Schedule, runner: LaneRunner, wave: Wave): Promise<void> {
    const { leftovers } = wave
    let { pending } = wave
    let started = wave.started
    while (pending.length > 0 || leftovers.size > 0) {
      const next: Pending[] = []
      started ??= pending.length > 0 ? await this.#submit(pending, schedule, runner) : undefined
      for (const group of (await started?.finish()) ?? []) {
        const from = pending.find((one) => one.key.candidates[one.candidate]!.plan === group.plan)!
        await this.#settle(group, from, schedule, next, leftovers)
      }
      for (const [key, leftover] of leftovers) await this.#record(key, leftover, wave.scale, schedule, runner, next)
      leftovers.clear()
      mergePending(next)
      pending = next
      started = undefined
    }
  }

  #submit(pending: readonly Pending[], schedule: Schedule, runner: LaneRunner): Promise<StartedJobs> {
    const jobs = pending.map((one): LaneJob => {
      const { plan, kernels } = one.key.candidates[one.candidate]!
      return { plan, kernels: kernels!, transactions: one.transactions }
    })
    return runner.start(jobs, laneSource(schedule), schedule.env)
  }

  /**
   * Runs stale transactions again on the versions that they should have read. Those that leave their path or still miss keep
   * the exit in their lane, and the sweep gives them to the CPU tier. False where none is worth its kernels.
   */
  async again(schedule: Schedule, stale: Stale, runner: LaneRunner): Promise<boolean> {
    const source = laneSource(schedule)
    const conflict = this.#reasons.code('conflict')
    let jobs = await this.#hintedJobs(schedule, stale, runner.device)
    if (jobs.length === 0) return false
    for (let rerun = 0; jobs.length > 0; rerun++) {
      const groups = await runner.run(jobs, source, schedule.env)
      const next: LaneJob[] = []
      for (const group of groups) {
        const job = jobs.find((one) => one.plan === group.plan)!
        const missed = adopt(schedule, group)
        for (let lane = 0; lane < group.laneCount; lane++)
          if (group.lanesOut[lane * COLUMN_LIMBS] !== EXIT_NONE) schedule.reasons[group.transactions[lane]!] = conflict
        if (missed.length === 0 || rerun === MAX_RERUNS) continue
        await this.#load(group, missed, schedule)
        next.push(
          hintedSubset(
            job,
            missed.map((lane) => group.transactions[lane]!),
          ),
        )
      }
      jobs = next
    }
    return true
  }

  /** Jobs for the stale transactions of every path that has, or is worth, kernels that read hints. */
  async #hintedJobs(schedule: Schedule, stale: Stale, device: ComputeDevice): Promise<LaneJob[]> {
    const { compile, recordFrom } = this.#options
    if (compile === 'never') return []
    const byPlan = new Map<PathPlan, number[]>()
    for (let n = 0; n < stale.count; n++) {
      const { plan } = schedule.laneGroups[schedule.groups[stale.transactions[n]!]!]!
      const list = byPlan.get(plan)
      if (list === undefined) byPlan.set(plan, [n])
      else list.push(n)
    }
    const jobs: LaneJob[] = []
    for (const [plan, members] of byPlan) {
      const kernels = await this.#library.hintedKernels(plan, members.length, device, recordFrom)
      if (kernels === undefined) continue
      jobs.push({
        plan,
        kernels,
        transactions: Int32Array.from(members, (n) => stale.transactions[n]!),
        hints: { words: stale.hints, at: Uint32Array.from(members, (n) => stale.hintAt[n]!) },
      })
    }
    return jobs
  }

  /** Sends lanes to their candidate, or to the leftovers where there is none ready. */
  #route(one: Pending, pending: Pending[], leftovers: Map<PathKeyState, Leftover>, reason: ExitReason): void {
    const { key, transactions } = one
    let at = one.candidate
    while (at < key.candidates.length && key.candidates[at]!.kernels === undefined) at++
    if (at < key.candidates.length) {
      pending.push({ ...one, candidate: at })
      return
    }
    const leftover = leftovers.get(key)
    const entry = { transactions, reason }
    if (leftover === undefined) leftovers.set(key, { parts: [entry] })
    else leftover.parts.push(entry)
  }

  /** Takes the lanes of a group that ended; sends the others on. */
  async #settle(
    group: LaneGroup,
    from: Pending,
    schedule: Schedule,
    pending: Pending[],
    leftovers: Map<PathKeyState, Leftover>,
  ): Promise<void> {
    const missed = adopt(schedule, group)
    const candidate = from.key.candidates[from.candidate]!
    const failed = new Map<number, number[]>()
    let ended = 0
    for (let lane = 0; lane < group.laneCount; lane++) {
      const exit = group.lanesOut[lane * COLUMN_LIMBS]!
      if (exit === EXIT_NONE) ended++
      else if (exit !== EXIT_MISS) {
        const list = failed.get(exit)
        if (list === undefined) failed.set(exit, [group.transactions[lane]!])
        else list.push(group.transactions[lane]!)
      }
    }
    candidate.lanes += ended
    if (missed.length > 0) {
      const transactions = Int32Array.from(missed, (lane) => group.transactions[lane]!)
      if (from.reruns === MAX_RERUNS) this.#toCpu(schedule, transactions, 'miss')
      else {
        await this.#load(group, missed, schedule)
        pending.push({ ...from, reruns: from.reruns + 1, transactions })
      }
    }
    for (const [exit, transactions] of failed) {
      const guard = group.plan.kernel.guards[exit - 1]
      const next = {
        key: from.key,
        candidate: from.candidate + 1,
        reruns: 0,
        transactions: Int32Array.from(transactions),
      }
      this.#route(next, pending, leftovers, `guard failed: ${guard?.meaning ?? exit}`)
    }
    mergePending(pending)
  }

  /** Lanes that no ready path takes: a new path where it pays, else the CPU tier. */
  async #record(
    key: PathKeyState,
    leftover: Leftover,
    scale: number,
    schedule: Schedule,
    runner: LaneRunner,
    pending: Pending[],
  ): Promise<void> {
    const transactions = mergeSorted(leftover.parts.map((part) => part.transactions))
    const candidate = await this.#compiled(key, transactions, scale, schedule, runner.device)
    if (candidate?.kernels !== undefined) {
      pending.push({ key, candidate: key.candidates.indexOf(candidate), reruns: 0, transactions })
      return
    }
    if (candidate?.failure !== undefined) {
      this.#toCpu(schedule, transactions, candidate.failure)
      return
    }
    key.lanesOwed += transactions.length
    for (const part of leftover.parts) this.#toCpu(schedule, part.transactions, this.#whyNot(key, part.reason))
  }

  /**
   * A path for these transactions whose compilation has ended: one recorded before that is worth its kernels only now, else a
   * new one. Undefined where none is worth it, or where it compiles in the background.
   */
  async #compiled(
    key: PathKeyState,
    transactions: Int32Array,
    scale: number,
    schedule: Schedule,
    device: ComputeDevice,
  ): Promise<PathCandidate | undefined> {
    const { compile, recordFrom } = this.#options
    const expected = scale * transactions.length
    if (compile === 'never') return undefined
    let candidate = key.candidates.find(({ started }) => !started)
    if (candidate === undefined) {
      if (!this.#library.isWorthRecording(key, expected, recordFrom)) return undefined
      const sample = transactions.find((i) => this.#callsItsCode(schedule, i))
      if (sample === undefined) return undefined
      const transaction = recordedTransaction(this.#options, schedule, sample)
      const recorded = await this.#library.record(key, transaction, new RecordedState(this.#resident))
      if (typeof recorded !== 'object') return undefined
      candidate = recorded
    }
    if (!this.#library.isWorthCompiling(candidate.plan, key.lanesOwed + expected, recordFrom)) return undefined
    const compilation = this.#library.compile(key, candidate, device)
    if (compile === 'background') return undefined
    await compilation
    return candidate
  }

  /** Whether the called account still has the code that it had at routing: a range behind the first is recorded in the middle. */
  #callsItsCode({ batch, toCodes }: Schedule, i: number): boolean {
    const { accounts } = this.#resident
    const id = accounts.find(batch.to, LIMBS_PER_ADDRESS * i)
    return id >= 0 && accounts.code(id) === toCodes[i]
  }

  #whyNot(key: PathKeyState, reason: ExitReason): ExitReason {
    if (reason !== 'no path') return reason
    const compiles = key.candidates.some(({ started, kernels, failure }) => started && !kernels && !failure)
    if (compiles) return 'compiling'
    const failed = key.candidates.find(({ failure }) => failure !== undefined)
    return failed?.failure ?? key.refusal ?? reason
  }

  #toCpu(schedule: Schedule, transactions: Int32Array, reason: ExitReason): void {
    const code = this.#reasons.code(reason)
    for (const i of transactions) {
      schedule.tier[i] = TIER_CPU
      schedule.reasons[i] = code
    }
  }

  /** Loads what the missed lanes of a group looked up: accounts first, then the slots of accounts that are known. */
  async #load(group: LaneGroup, missed: readonly number[], schedule: Schedule): Promise<void> {
    const { plan, lanesOut, laneCount } = group
    const idAt = (column: number, component: number, lane: number): number =>
      lanesOut[(column * laneCount + lane) * COLUMN_LIMBS + component]!
    for (const kind of ['accounts', 'slots'] as const) {
      const { columns, components, keyColumns, owners, count } = plan[kind]
      for (let k = 0; k < count; k++) {
        const limbs = kind === 'accounts' ? LIMBS_PER_ADDRESS : LIMBS_PER_WORD
        const keys = new Uint32Array(limbs * missed.length)
        const ownerIds = new Int32Array(missed.length)
        let wanted = 0
        for (const lane of missed) {
          if (idAt(columns[k]!, components[k]!, lane) !== MISSING) continue
          if (kind === 'slots') {
            const owner = ownerOf(plan, owners[k]!, group, lane, schedule)
            if (owner === MISSING) continue
            ownerIds[wanted] = owner
          }
          const low = (keyColumns[k]! * laneCount + lane) * COLUMN_LIMBS
          const high = low + laneCount * COLUMN_LIMBS
          for (let limb = 0; limb < limbs; limb++)
            keys[limbs * wanted + limb] = lanesOut[limb < COLUMN_LIMBS ? low + limb : high + limb - COLUMN_LIMBS]!
          wanted++
        }
        if (wanted === 0) continue
        const ids = new Int32Array(wanted)
        if (kind === 'accounts') await this.#resident.accountIds(keys, wanted, ids)
        else await this.#resident.slotIds(ownerIds, keys, wanted, ids)
      }
    }
  }
}

/** A range of transactions on its way through the device. */
export interface Wave {
  readonly pending: Pending[]
  readonly leftovers: Map<PathKeyState, Leftover>
  readonly scale: number
  started: StartedJobs | undefined
}

/** Lanes of one key that no path took, by why. */
interface Leftover {
  readonly parts: { readonly transactions: Int32Array; readonly reason: ExitReason }[]
}

const laneSource = (schedule: Schedule): LaneSource => ({
  batch: schedule.batch,
  executionGas: schedule.executionGas,
  toIds: schedule.toIds,
  gasPrice: schedule.rules.price,
})

/** Account id that a slot look-up belongs to: -1 is the entry account, else an account look-up of the path. */
const ownerOf = (plan: PathPlan, owner: number, group: LaneGroup, lane: number, schedule: Schedule): number => {
  if (owner < 0) return schedule.toIds[group.transactions[lane]!]!
  const lookup = plan.kernel.lookups[owner]!
  return group.lanesOut[(lookup.column * group.laneCount + lane) * COLUMN_LIMBS + lookup.component]!
}

const transactionsByKey = (
  schedule: Schedule,
  keyCount: number,
  first: number,
  end: number,
): Map<number, Int32Array> => {
  const { tier, keyIds } = schedule
  const counts = new Uint32Array(keyCount)
  for (let i = first; i < end; i++) if (tier[i] === TIER_LANE) counts[keyIds[i]!]!++
  const byKey = new Map<number, Int32Array>()
  for (let key = 0; key < keyCount; key++) if (counts[key]! > 0) byKey.set(key, new Int32Array(counts[key]!))
  const next = new Uint32Array(keyCount)
  const lists = Array.from({ length: keyCount }, (_, key) => byKey.get(key))
  for (let i = first; i < end; i++) {
    if (tier[i] !== TIER_LANE) continue
    const key = keyIds[i]!
    lists[key]![next[key]!++] = i
  }
  return byKey
}

/** Makes the group the present execution of its transactions; returns the lanes that missed. */
const adopt = (schedule: Schedule, group: LaneGroup): number[] => {
  const number = schedule.laneGroups.push(group) - 1
  const { groups, lanes } = schedule
  const missed: number[] = []
  for (let lane = 0; lane < group.laneCount; lane++) {
    const i = group.transactions[lane]!
    groups[i] = number
    lanes[i] = lane
    if (group.lanesOut[lane * COLUMN_LIMBS] === EXIT_MISS) missed.push(lane)
  }
  return missed
}

/** Joins entries of the same path and number of reruns, so that a wave dispatches a path once. */
const mergePending = (pending: Pending[]): void => {
  for (let a = 0; a < pending.length; a++) {
    for (let b = pending.length - 1; b > a; b--) {
      const one = pending[a]!
      const other = pending[b]!
      if (one.key !== other.key || one.candidate !== other.candidate) continue
      pending[a] = {
        ...one,
        reruns: Math.max(one.reruns, other.reruns),
        transactions: mergeSorted([one.transactions, other.transactions]),
      }
      pending.splice(b, 1)
    }
  }
}

const mergeSorted = (parts: readonly Int32Array[]): Int32Array => {
  if (parts.length === 1) return parts[0]!
  const merged = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    merged.set(part, at)
    at += part.length
  }
  return merged.sort()
}

const hintedSubset = (job: LaneJob, transactions: readonly number[]): LaneJob => {
  const { hints } = job
  if (hints === undefined) throw new Error('a hinted job carries hints')
  const position = new Map<number, number>()
  for (let n = 0; n < job.transactions.length; n++) position.set(job.transactions[n]!, n)
  const at = Uint32Array.from(transactions, (i) => hints.at[position.get(i)!]!)
  return { ...job, transactions: Int32Array.from(transactions), hints: { words: hints.words, at } }
}

const recordedTransaction = (options: LaneStageOptions, schedule: Schedule, i: number): RecordedTransaction => {
  const { batch, rules, env } = schedule
  const address = new Uint32Array(LIMBS_PER_WORD)
  const addressAt = (addresses: Uint32Array): bigint => {
    address.set(addresses.subarray(LIMBS_PER_ADDRESS * i, LIMBS_PER_ADDRESS * (i + 1)))
    return wordToBigInt(address, 0)
  }
  return {
    fork: options.fork,
    environment: environmentValues(env, options.chainId),
    from: addressAt(batch.from),
    to: addressAt(batch.to),
    value: wordToBigInt(batch.value, LIMBS_PER_WORD * i),
    gasPrice: wordToBigInt(rules.price, LIMBS_PER_WORD * i),
    data: transactionData(batch, i).slice(),
    gas: schedule.executionGas[i]!,
  }
}

/** The resident state in the words of the recorder. A path holds by its guards, so that running values serve as well as base values. */
class RecordedState implements RecordState {
  readonly #resident: ResidentState
  readonly #word = new Uint32Array(LIMBS_PER_WORD)
  readonly #ids = new Int32Array(1)

  constructor(resident: ResidentState) {
    this.#resident = resident
  }

  async account(address: bigint): Promise<{ balance: bigint; code: Uint8Array } | undefined> {
    const id = await this.#accountId(address)
    const { accounts, codes } = this.#resident
    if (!accounts.exists(id)) return undefined
    const balance = wordToBigInt(accounts.rows, id * ROW_LIMBS + ROW_BALANCE)
    return { balance, code: codes.codes[accounts.code(id)]!.bytes }
  }

  async storage(address: bigint, key: bigint): Promise<bigint> {
    const owner = await this.#accountId(address)
    wordFromBigInt(this.#word, 0, key)
    await this.#resident.slotIds(Int32Array.of(owner), this.#word, 1, this.#ids)
    return wordToBigInt(this.#resident.slots.values, this.#ids[0]! * LIMBS_PER_WORD)
  }

  async #accountId(address: bigint): Promise<number> {
    wordFromBigInt(this.#word, 0, address)
    await this.#resident.accountIds(this.#word, 1, this.#ids)
    return this.#ids[0]!
  }
}
