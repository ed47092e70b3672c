import { codeSkeleton } from '../../transpiler/index.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import {
  createOpenBatch,
  type OpenBatch,
  OUTCOME_EXECUTED,
  OUTCOME_NONE,
  OUTCOME_REJECTED,
  TIER_LAST,
} from '../batch/open_batch.ts'
import type { ExitReasons } from '../batch/reason.ts'
import { loadParties, routeTransactions } from '../batch/route.ts'
import type { Tier } from '../batch/tier.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import { callRules, encodeCalls } from '../chain/call_batch.ts'
import { checkBatch } from '../chain/check_batch.ts'
import { EMPTY_CODE_HASH } from '../primitives/keccak.ts'
import { addressToHex, quantityFromBigInt, wordToBigInt } from '../primitives/word.ts'
import { DeviceSessions } from '../session/device_sessions.ts'
import { CallJudge } from '../settle/independent.ts'
import { LayeredSnapshot } from '../state/layered_snapshot.ts'
import { OverlayState, type ParsedOverride, parseOverrides } from '../state/overlay_state.ts'
import { RunningState } from '../state/running_state.ts'
import type { AccountView, StateSnapshot } from '../state/snapshot.ts'
import { HOST_LIMBS, HOST_NONCE } from '../state/tables/account_table.ts'
import { ResidentState } from '../state/tables/resident_tables.ts'
import { CpuExecutions } from '../tiers/cpu/executions.ts'
import { CallPipeline, sliceBatch } from './call_pipeline.ts'
import type { CallTerms, Stop } from './call_queue.ts'
import type { SimulateRequest } from './simulate_request.ts'
import { type AccessListEntry, accessEntries, Simulation } from './simulation.ts'
import type { Ground, Wiring } from './wiring.ts'

const MOST_RANGES = 8

/** Runs work when no other call of the executor runs: all of them share its one EVM. */
type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>

/** Executes thousands of calls or bundles against one state and commits nothing. @internal */
export class Simulator {
  readonly #wiring: Wiring
  readonly #generation: () => number
  readonly #inTurn: InTurn

  /** `generation`: another number after every commit. */
  constructor(wiring: Wiring, generation: () => number, inTurn: InTurn) {
    this.#wiring = wiring
    this.#generation = generation
    this.#inTurn = inTurn
  }

  async run(request: SimulateRequest, calls: ReadCalls, terms: CallTerms): Promise<Simulation> {
    if (calls.overrides === undefined)
      return this.#simulate(request, calls, this.#wiring, this.#wiring.tiers.slice(0, -1), terms)
    const ground = this.#overlaid(calls.overrides)
    const tiers = this.#wiring.overlay(ground)
    try {
      return await this.#simulate(request, calls, ground, tiers, terms)
    } finally {
      for (const tier of tiers) tier.close()
      ground.sessions.close()
    }
  }

  /** Tables with overrides, and a session for them. */
  #overlaid(overrides: ReadonlyMap<string, ParsedOverride>): Ground {
    const { policy, resident, device, reasons, measured, precompiles } = this.#wiring
    const overlay = new ResidentState(new OverlayState(resident.state, overrides), codeSkeleton, resident.codes)
    const sessions = new DeviceSessions(() => device.current, overlay, policy.waves === 'always')
    return { policy, resident: overlay, running: new RunningState(overlay), sessions, reasons, measured, precompiles }
  }

  async #simulate(
    request: SimulateRequest,
    { batch, bundles }: ReadCalls,
    ground: Ground,
    tiers: readonly Tier[],
    { stop, faults: before }: CallTerms,
  ): Promise<Simulation> {
    const { policy, resident, sessions, reasons, measured } = ground
    const { fork, range } = policy
    const generation = this.#generation
    const { clock } = this.#wiring.device
    clock?.begin()
    sessions.begin(false)
    const { at: env, checkBalance = true } = request
    const waitedBeforeMs = measured.waitedMs
    const timings = { route: 0, device: 0, judge: 0, cpu: 0 }
    const pipeline = new CallPipeline(tiers, sessions, timings, stop)
    const ranges = bundles === undefined ? Math.max(1, Math.min(MOST_RANGES, Math.floor(batch.count / range))) : 1
    const size = Math.max(1, Math.ceil(batch.count / ranges))
    const count = Math.max(1, Math.ceil(batch.count / size))
    const segments = await pipeline.run(count, async (k) => {
      const first = k * size
      const part = count === 1 ? batch : sliceBatch(batch, first, Math.min(batch.count, first + size))
      const openBatch = createOpenBatch(part, env, callRules(part, fork, env))
      await loadParties(openBatch, resident)
      const refusal = policy.paths ? sessions.refusal : undefined
      routeTransactions(fork, openBatch, reasons, pipeline.failure ?? refusal)
      copyNonces(openBatch, resident)
      if (bundles !== undefined) sendBundlesToCpu(openBatch, bundles, reasons)
      const options = { checkBalance, left: bundles?.bundled }
      return { first, openBatch, judge: new CallJudge(fork, openBatch, resident, reasons, options) }
    })
    const compileMs = measured.waitedMs - waitedBeforeMs
    timings.device = Math.max(0, timings.device - compileMs)
    const startedMs = performance.now()
    const state = new RunningState(resident)
    for (const { openBatch } of segments) await this.#cpuCalls(openBatch, state, bundles, checkBalance, stop)
    timings.cpu = performance.now() - startedMs
    if (ground === this.#wiring) for (const { openBatch } of segments) this.#wiring.memory.note(openBatch)
    const made = generation()
    const accessLists = (openBatch: OpenBatch, index: number): Promise<readonly AccessListEntry[]> =>
      this.#inTurn(() => {
        if (generation() !== made) throw new Error('the state has moved on since these calls: simulate them again')
        return this.#accessList(openBatch, state, bundles, checkBalance, index)
      })
    const faults = [...before, ...pipeline.faults]
    const deviceTimes = clock?.times
    const parts = { size, bundleStart: bundles?.start, timings, compileMs, deviceTimes, faults, accessLists }
    const openBatches = segments.map(({ openBatch }) => openBatch)
    return new Simulation(batch.count, openBatches, reasons.view(), parts)
  }

  async #cpuCalls(
    openBatch: OpenBatch,
    state: StateSnapshot,
    bundles: Bundles | undefined,
    checkBalance: boolean,
    stop: Stop,
  ): Promise<void> {
    const { batch, outcome } = openBatch
    const executions = new CpuExecutions()
    const bundled = bundles?.bundled
    for (let i = 0; i < batch.count; i++) {
      if (outcome[i] !== OUTCOME_NONE || bundled?.[i] === 1) continue
      stop.check()
      await this.#execute(openBatch, executions, i, state, checkBalance)
    }
    if (bundles === undefined) return
    const { start, overrides } = bundles
    for (let b = 0; b + 1 < start.length; b++) {
      if (bundled?.[start[b]!] !== 1) continue
      const layer = await layerOf(state, overrides[b])
      for (let i = start[b]!; i < start[b + 1]!; i++) {
        stop.check()
        await this.#execute(openBatch, executions, i, layer, checkBalance)
      }
    }
  }

  /** Executes call i on the CPU tier; a layered state takes its writes. */
  async #execute(
    openBatch: OpenBatch,
    executions: CpuExecutions,
    i: number,
    state: StateSnapshot,
    checkBalance: boolean,
  ): Promise<void> {
    const { batch, env, rules, outcome, gasUsed, rejections } = openBatch
    const snapshot = checkBalance ? state : await withFunds(state, openBatch, i)
    await setNonce(batch, i, snapshot)
    const result = await this.#wiring.cpu.execute({ env, batch, index: i, rules, snapshot, anySender: true })
    if ('rejected' in result) {
      outcome[i] = OUTCOME_REJECTED
      rejections[i] = result.rejected
      return
    }
    outcome[i] = OUTCOME_EXECUTED
    gasUsed[i] = Number(result.gasUsed)
    executions.add(openBatch, i, result)
    if (state instanceof LayeredSnapshot) await state.apply(result, env.coinbase)
  }

  async #accessList(
    openBatch: OpenBatch,
    state: StateSnapshot,
    bundles: Bundles | undefined,
    checkBalance: boolean,
    index: number,
  ): Promise<readonly AccessListEntry[]> {
    const { batch, env, rules } = openBatch
    const { cpu } = this.#wiring
    const ground = await layerBefore(index, state, bundles, async (i, layer) => {
      const snapshot = checkBalance ? layer : await withFunds(layer, openBatch, i)
      await setNonce(batch, i, snapshot)
      const result = await cpu.execute({ env, batch, index: i, rules, snapshot, anySender: true })
      if (!('rejected' in result)) await layer.apply(result, env.coinbase)
    })
    const snapshot = checkBalance ? ground : await withFunds(ground, openBatch, index)
    await setNonce(batch, index, snapshot)
    const { journal, precompiles } = await cpu.prepare()
    journal.startReportingAccessList()
    const touched = journal.accessList
    const result = await cpu.execute({ env, batch, index, rules, snapshot, anySender: true })
    if (touched === undefined || 'rejected' in result) return []
    const excluded = new Set([...precompiles.keys()].map((bare) => `0x${bare}`))
    excluded.add(addressToHex(batch.from, 5 * index))
    const callee = result.contractAddress ?? addressToHex(batch.to, 5 * index)
    return accessEntries(touched, excluded, callee)
  }
}

/**
 * The calls of bundles, flat.
 *
 * start      u32[bundles + 1]
 * bundled    u8[calls]   1 = the CPU tier executes it after the calls before it
 *
 * @internal
 */
export interface Bundles {
  readonly start: Uint32Array
  readonly bundled: Uint8Array
  readonly overrides: readonly (ReadonlyMap<string, ParsedOverride> | undefined)[]
}

/** A request whose calls and overrides are read. @internal */
export interface ReadCalls {
  readonly batch: TransactionBatch
  readonly bundles: Bundles | undefined
  readonly overrides: ReadonlyMap<string, ParsedOverride> | undefined
}

/**
 * Of a request that was checked. Throws InputError, TransactionInputError or OverrideError for what cannot be
 * read. @internal
 */
export const readCalls = (request: SimulateRequest): ReadCalls => {
  const { overrides } = request
  return {
    batch: withoutNonces(batchOf(request)),
    bundles: bundlesOf(request),
    overrides: overrides && parseOverrides(overrides),
  }
}

const batchOf = ({ calls, bundles, at }: SimulateRequest): TransactionBatch => {
  if (calls !== undefined) return Array.isArray(calls) ? encodeCalls(calls, at) : checkBatch(calls, 'calls')
  return encodeCalls(
    (bundles ?? []).flatMap((bundle) => bundle.calls),
    at,
  )
}

/** A bundle of one call without overrides is an independent call. */
const bundlesOf = ({ bundles }: SimulateRequest): Bundles | undefined => {
  if (bundles === undefined) return undefined
  const start = new Uint32Array(bundles.length + 1)
  bundles.forEach(({ calls }, b) => {
    start[b + 1] = start[b]! + calls.length
  })
  const bundled = new Uint8Array(start[bundles.length]!)
  const overrides = bundles.map((bundle) => bundle.overrides && parseOverrides(bundle.overrides))
  bundles.forEach(({ calls }, b) => {
    if (calls.length > 1 || overrides[b] !== undefined) bundled.fill(1, start[b]!, start[b + 1]!)
  })
  return { start, bundled, overrides }
}

/** The same batch with nonces of its own, all zero. */
const withoutNonces = (batch: TransactionBatch): TransactionBatch => ({
  ...batch,
  nonce: new Uint32Array(2 * batch.count),
})

/** Every call has the nonce that its caller has. */
const copyNonces = ({ batch, fromIds }: OpenBatch, { accounts }: ResidentState): void => {
  const { hosts } = accounts
  for (let i = 0; i < batch.count; i++) {
    const at = fromIds[i]! * HOST_LIMBS + HOST_NONCE
    batch.nonce[2 * i] = hosts[at]!
    batch.nonce[2 * i + 1] = hosts[at + 1]!
  }
}

const setNonce = async (batch: TransactionBatch, i: number, state: StateSnapshot): Promise<void> => {
  const caller = await state.account(addressToHex(batch.from, 5 * i))
  quantityFromBigInt(batch.nonce, 2 * i, caller?.nonce ?? 0n)
}

/** Without a called code the lane VM does not take them. */
const sendBundlesToCpu = (openBatch: OpenBatch, { bundled }: Bundles, reasons: ExitReasons): void => {
  const code = reasons.code('bundle')
  for (let i = 0; i < bundled.length; i++) {
    if (bundled[i] === 0) continue
    openBatch.tier[i] = TIER_LAST
    openBatch.toCodes[i] = 0
    openBatch.reasons[i] = code
  }
}

const layerOf = async (
  state: StateSnapshot,
  overrides: ReadonlyMap<string, ParsedOverride> | undefined,
): Promise<LayeredSnapshot> => {
  const layer = new LayeredSnapshot(state)
  if (overrides !== undefined) await layer.override(overrides)
  return layer
}

/** The state that call `index` finds: after the calls of its bundle, which `run` executes. */
const layerBefore = async (
  index: number,
  state: StateSnapshot,
  bundles: Bundles | undefined,
  run: (i: number, layer: LayeredSnapshot) => Promise<void>,
): Promise<StateSnapshot> => {
  if (bundles?.bundled[index] !== 1) return state
  let b = 0
  while (bundles.start[b + 1]! <= index) b++
  const layer = await layerOf(state, bundles.overrides[b])
  for (let i = bundles.start[b]!; i < index; i++) await run(i, layer)
  return layer
}

/** The state with a caller that can pay for call i. */
const withFunds = async (state: StateSnapshot, { batch, rules }: OpenBatch, i: number): Promise<StateSnapshot> => {
  const caller = addressToHex(batch.from, 5 * i)
  const found = await state.account(caller)
  const cost = wordToBigInt(rules.cost, LIMBS_PER_WORD * i)
  if (cost <= (found?.balance ?? 0n)) return state
  const funded: AccountView = { nonce: 0n, codeHash: EMPTY_CODE_HASH, ...found, balance: cost }
  if (state instanceof LayeredSnapshot) {
    state.setAccount(caller, funded)
    return state
  }
  const layer = new LayeredSnapshot(state)
  layer.setAccount(caller, funded)
  return layer
}
