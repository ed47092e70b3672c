import { KERNELS } from '../../../kernels/linked.generated.ts'
import { liftCode, MICRO } from '../../../transpiler/index.ts'
import { LANE_REQUEST, VM_EXITS, VM_REGIONS } from '../../../transpiler/layout/lane_vm.ts'
import { VM_QUOTAS } from '../../../transpiler/layout/lane_vm_quota.ts'
import { ACCOUNT_CODE_SHIFT } from '../../../transpiler/layout/tables.ts'
import { type Fork, isAtLeast } from '../../../transpiler/spec/forks.ts'
import type { EvmStep } from '../../batch/evm_step.ts'
import { type BlockEnvironment, environmentWords } from '../../chain/environment.ts'
import { mostWaveBytes } from '../../device/limits.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import { BatchWords } from '../../primitives/batch_words.ts'
import type { DeviceSession } from '../../session/device_session.ts'
import { ROW_FLAGS, ROW_LIMBS } from '../../state/tables/account_table.ts'
import type { CodeMove } from '../../state/tables/code_table.ts'
import { type CodeLifter, VmCodes } from './code_store.ts'
import { type VmBudget, type VmCounters, VmDispatches, type VmMachine } from './dispatches.ts'
import { VmGather } from './gather.ts'
import { type VmGroup, vmColumn, vmExit } from './group.ts'
import { loadListedItems, type VmHints } from './items.ts'
import { laneOrder } from './order.ts'
import { loadKinds, type VmKind } from './profiles.ts'
import { VmTake } from './take.ts'
import { TracedCodes, traceLane } from './trace.ts'
import type { VmBlock } from './uniform.ts'
import { layWave, leastWaves, VECTOR_BYTES, type VmLanes, type VmSource, WaveMemory } from './wave.ts'
import { QuotaWaves, TOO_SMALL, type VmWaveResult, type WaveParts } from './waves.ts'

export interface VmRunnerParts {
  readonly fork: Fork
  readonly chainId: bigint
  readonly precompiles: Precompiles
  /** The chain has P256VERIFY, whatever the fork. */
  readonly hasP256?: boolean
  readonly budget?: Partial<VmBudget>
  /** Lanes after which a code is lifted to superblocks. Default 0: at once. */
  readonly hotLanes?: number
}

/**
 * `hotLanes` where lanes are few: superblocks run a code in two thirds of the turns and take four times as long to
 * lift.
 */
export const HOT_LANES = 256

/** Calls to run, each on the tables as they stand. Their parties are resident; none creates a contract. */
export interface VmRequest extends VmSource {
  readonly env: BlockEnvironment
  readonly coinbaseId: number
  /** Indices into the batch. */
  readonly transactions: Int32Array
  readonly hints?: VmHints
  /** By position in `transactions`: what is known of such calls. It learns from this run. */
  readonly kinds?: readonly VmKind[]
}

const DEFAULT_BUDGET: VmBudget = { dispatchSteps: 4096, laneSteps: 1 << 22, dispatches: 4096 }

/** A request on its way. One of the two is called, once. */
export interface VmStarted {
  finish(): Promise<readonly VmGroup[]>
  /** Waits until nothing is on its way any longer, whatever came of it. */
  abandon(): Promise<void>
}

/**
 * Runs transactions on the lane VM (kernels/entry/lane_vm.wgsl), one lane each: waves as large as the device takes,
 * dispatched until every lane ended, with the host's answers in between. Lanes that pass their quota run again in a
 * larger one.
 */
export class VmRunner {
  readonly timings: VmCounters = { upload: 0, execute: 0, readback: 0, codes: 0, dispatches: 0, steps: 0 }
  /** Waves beyond the first of a run and quota, because of the device's limits. */
  chunks = 0
  /** Most bytes that one wave held on the device. */
  laneBytes = 0
  readonly #session: DeviceSession
  readonly #parts: VmRunnerParts
  readonly #codes: VmCodes
  readonly #budget: VmBudget
  /** Of the wave that is laid out: uploaded before the next one is. */
  readonly #memory = new WaveMemory()
  readonly #words = new BatchWords()
  /** Vectors of a wave that the device's memory may hold: half of what it had no room for. */
  #roomVectors = Infinity
  #machine: VmMachine | undefined
  #compiling: Promise<void> | undefined

  constructor(session: DeviceSession, parts: VmRunnerParts) {
    this.#session = session
    this.#parts = parts
    this.#codes = new VmCodes(
      session.device,
      session.resident.codes,
      codeLifter(parts.fork, parts.hasP256),
      parts.hotLanes,
    )
    this.#budget = { ...DEFAULT_BUDGET, ...parts.budget }
  }

  get isReady(): boolean {
    return this.#machine !== undefined
  }

  /** Compiles the kernels, once; rejects with ShaderCompileError or a fault of the device. */
  compile(): Promise<void> {
    if (this.#compiling === undefined) {
      this.#compiling = this.#compile()
      this.#compiling.catch(() => {
        this.#compiling = undefined
      })
    }
    return this.#compiling
  }

  /** Bytes of lifted code on the host. */
  get codeBytes(): number {
    return this.#codes.sizeBytes
  }

  /** Between batches: see VmCodes. */
  trim(move: CodeMove | undefined, mostBytes: number): void {
    this.#codes.trim(move, mostBytes)
  }

  /** Starts the counters of a batch. */
  begin(): void {
    Object.assign(this.timings, { upload: 0, execute: 0, readback: 0, codes: 0, dispatches: 0, steps: 0 })
    this.chunks = 0
    this.laneBytes = 0
    this.#words.begin(this.#session.resident.columnMemory)
  }

  /**
   * Puts a request on its way: the lanes of its first wave go to the device. `compile` has resolved. Rejects as the
   * State does.
   */
  async start(request: VmRequest): Promise<VmStarted> {
    const machine = this.#machine
    if (machine === undefined) throw new Error('the lane VM has not compiled')
    const startedMs = performance.now()
    const { lanes, block } = await this.#prepare(request)
    const order = laneOrder(request.batch, request.transactions, this.#calledCodes(request))
    this.timings.upload += performance.now() - startedMs
    const { kinds } = request
    const least = leastWaves(lanes)
    const fits = least.map((vectors) => vectors <= this.#mostVectors)
    const mostQuota = fits.lastIndexOf(true)
    if (mostQuota < 0) throw new RangeError(TOO_SMALL)
    const byQuota = positionsByQuota(order, mostQuota, kinds)
    const waves = new QuotaWaves(this.#waveParts(machine, lanes, block), least)
    const first = byQuota.findIndex((positions, n) => positions.length > 0 && fits[n])
    if (first >= 0) waves.begin(first, byQuota[first]!)
    return {
      finish: () => this.#finish(waves, { byQuota, fits, kinds }),
      abandon: () => waves.abandon(),
    }
  }

  /**
   * Every transaction is in one lane of one group, but for the lanes marked as superseded. Rejects with a fault of the
   * device, or as the State does.
   */
  async run(request: VmRequest): Promise<readonly VmGroup[]> {
    return (await this.start(request)).finish()
  }

  async #finish(waves: QuotaWaves, { byQuota, fits, kinds }: QuotaLanes): Promise<readonly VmGroup[]> {
    const groups: VmGroup[] = []
    let passed: readonly number[] = []
    for (const [n, started] of byQuota.entries()) {
      const positions = joined(started, passed)
      if (!fits[n]) {
        passed = [...positions]
        continue
      }
      const ran = await waves.run(n, positions)
      groups.push(...ran.map(({ group }) => group))
      passed = passedQuota(ran)
      settleQuota(ran, n + 1 < byQuota.length)
      if (kinds !== undefined) raiseQuotas(kinds, positions, passed)
    }
    return groups
  }

  /**
   * Runs the one transaction of the request and yields its machine before every opcode; then what its lane left. For
   * people: a step takes several trips to the device.
   */
  async *trace(request: VmRequest): AsyncGenerator<EvmStep, VmGroup> {
    const machine = this.#machine
    if (machine === undefined) throw new Error('the lane VM has not compiled')
    const { fork } = this.#parts
    const { device, resident } = this.#session
    const { transactions } = request
    if (transactions.length !== 1) throw new RangeError(`a trace is of one transaction, not of ${transactions.length}`)
    const traced = new TracedCodes(fork, codeLifter(fork))
    const codes = new VmCodes(device, resident.codes, traced)
    const { lanes, block } = await this.#prepare(request)
    const positions = Uint32Array.of(0)
    const quota = VM_QUOTAS[leastWaves(lanes).findLastIndex((vectors) => vectors <= this.#mostVectors)]
    if (quota === undefined) throw new RangeError(TOO_SMALL)
    const wave = layWave(lanes, positions, quota)
    const server = { ...machine.server, codes }
    const dispatches = new VmDispatches({ ...machine, server }, wave, block)
    const counters: VmCounters = { ...this.timings }
    try {
      yield* traceLane({ dispatches, wave, codes, traced, table: resident.codes }, this.#budget, counters)
      const reasons = new Map<number, string>()
      const group = await dispatches.collect(transactions.slice(), reasons, counters)
      settleQuota([{ group, positions, reasons }], false)
      return group
    } finally {
      dispatches.release()
      codes.destroy()
    }
  }

  destroy(): void {
    this.#codes.destroy()
  }

  async #compile(): Promise<void> {
    const session = this.#session
    const { device, pool, resident, blooms } = session
    const kernel = await device.kernel({
      label: 'lane VM',
      wgsl: KERNELS['lane_vm']!,
      entryPoint: 'lane_vm',
      bindings: 'execution',
    })
    await kernel.warmUp()
    const gather = await VmGather.compile(device, pool)
    const take = await VmTake.compile(device, pool)
    if (blooms.isOn) await blooms.logKernel()
    const server = { resident, precompiles: this.#parts.precompiles, codes: this.#codes }
    this.#machine = { session, kernel, gather, take, server, words: this.#words }
  }

  async #prepare(request: VmRequest): Promise<{ readonly lanes: VmLanes; readonly block: VmBlock }> {
    const { fork, chainId, hasP256 } = this.#parts
    const { batch, transactions, hints, kinds, env, coinbaseId } = request
    const listed = await loadListedItems(batch, transactions, this.#session.resident)
    if (kinds !== undefined) await this.#foresee(kinds)
    return {
      lanes: {
        source: request,
        transactions,
        listed,
        natives: MICRO(fork, hasP256),
        ...(hints && { hints }),
        ...(kinds && { kinds }),
      },
      block: { fork, words: environmentWords(env, chainId), coinbaseId },
    }
  }

  /** Makes resident, and puts in the store, what calls of these kinds have asked for. */
  async #foresee(kinds: readonly VmKind[]): Promise<void> {
    const { resident } = this.#session
    const ids = await loadKinds(new Set(kinds), resident)
    const { rows } = resident.accounts
    const codeIds = new Set<number>()
    for (const id of ids) codeIds.add(rows[id * ROW_LIMBS + ROW_FLAGS]! >>> ACCOUNT_CODE_SHIFT)
    for (const codeId of codeIds) {
      if (codeId === 0) continue
      this.#codes.note(codeId, kinds.length)
      this.#codes.require(codeId)
    }
  }

  /** Code ids of the called accounts, which are put in the store at once. */
  #calledCodes({ transactions, toIds }: VmRequest): Uint32Array {
    const startedMs = performance.now()
    const { accounts, codes } = this.#session.resident
    const codeIds = new Uint32Array(transactions.length)
    const lanes = new Uint32Array(codes.codes.length)
    for (let k = 0; k < codeIds.length; k++) {
      const codeId = accounts.rows[toIds[transactions[k]!]! * ROW_LIMBS + ROW_FLAGS]! >>> ACCOUNT_CODE_SHIFT
      codeIds[k] = codeId
      lanes[codeId]!++
    }
    for (let codeId = 1; codeId < lanes.length; codeId++) {
      if (lanes[codeId] === 0) continue
      this.#codes.note(codeId, lanes[codeId]!)
      this.#codes.require(codeId)
    }
    this.timings.codes += performance.now() - startedMs
    return codeIds
  }

  /** Instructions run. */
  get steps(): number {
    return this.timings.steps
  }

  get dispatches(): number {
    return this.timings.dispatches
  }

  /** Of a wave: what the device binds at once. */
  get #mostVectors(): number {
    return mostWaveBytes(this.#session.device.limits) / VECTOR_BYTES
  }

  #waveParts(machine: VmMachine, lanes: VmLanes, block: VmBlock): WaveParts {
    return {
      machine,
      lanes,
      block,
      budget: this.#budget,
      memory: this.#memory,
      counters: this.timings,
      mostVectors: () => Math.min(this.#mostVectors, this.#roomVectors),
      ran: (waves, bytes) => {
        this.chunks += waves
        this.laneBytes = Math.max(this.laneBytes, bytes)
      },
      makeRoom: (vectors) => {
        this.#roomVectors = Math.floor(vectors / 2)
        this.#session.makeRoom()
        this.#codes.renew()
      },
    }
  }
}

const codeLifter = (fork: Fork, hasP256?: boolean): CodeLifter => ({
  lift: (code) => liftCode(code, fork),
  liftFirst: (code) => liftCode(code, fork, 'fused'),
  micro: MICRO(fork, hasP256),
  delegates: isAtLeast(fork, 'prague'),
})

/** Positions in their order, by the quota that they start in. */
const positionsByQuota = (
  order: Uint32Array,
  mostQuota: number,
  kinds: readonly VmKind[] | undefined,
): readonly Uint32Array[] => {
  const starts = Array.from({ length: mostQuota + 1 }, (): Uint32Array => new Uint32Array(0))
  if (kinds === undefined || kinds.every(({ quota }) => quota === 0)) starts[0] = order
  else for (let n = 0; n <= mostQuota; n++) starts[n] = order.filter((k) => Math.min(mostQuota, kinds[k]!.quota) === n)
  return starts
}

const joined = (positions: Uint32Array, more: readonly number[]): Uint32Array => {
  if (more.length === 0) return positions
  const all = new Uint32Array(positions.length + more.length)
  all.set(positions)
  all.set(more, positions.length)
  return all
}

/** The lanes of a request by the quota that they start in, and whether the device holds a wave of it. */
interface QuotaLanes {
  readonly byQuota: readonly Uint32Array[]
  readonly fits: readonly boolean[]
  readonly kinds: readonly VmKind[] | undefined
}

/** Positions of the lanes that passed their quota. */
const passedQuota = (ran: readonly VmWaveResult[]): readonly number[] => {
  const passed: number[] = []
  for (const { group, positions } of ran)
    for (let lane = 0; lane < group.laneCount; lane++)
      if (vmExit(group, lane) === VM_EXITS.quota) passed.push(positions[lane]!)
  return passed
}

/** Kinds most of whose lanes passed the quota start in the next one from now on. */
const raiseQuotas = (kinds: readonly VmKind[], positions: Uint32Array, passed: readonly number[]): void => {
  if (passed.length === 0) return
  const lanes = new Map<VmKind, number>()
  for (const k of passed) lanes.set(kinds[k]!, 2 + (lanes.get(kinds[k]!) ?? 0))
  for (const k of positions) if (lanes.has(kinds[k]!)) lanes.set(kinds[k]!, lanes.get(kinds[k]!)! - 1)
  for (const [kind, most] of lanes) if (most > 0) kind.quota = Math.min(kind.quota + 1, VM_QUOTAS.length - 1)
}

/** Marks the lanes that passed their quota: they run again, or have left. */
const settleQuota = (ran: readonly VmWaveResult[], runAgain: boolean): void => {
  for (const { group, reasons } of ran) {
    for (let lane = 0; lane < group.laneCount; lane++) {
      if (vmExit(group, lane) !== VM_EXITS.quota) continue
      if (runAgain) group.transactions[lane] = -1
      else reasons.set(lane, `vm quota: ${VM_REGIONS[group.columns[vmColumn(group, LANE_REQUEST, lane) + 1]!]}`)
    }
  }
}
