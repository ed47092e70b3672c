import { explainBatch } from '../batch/explain.ts'
import { ExplainLog } from '../batch/explain_log.ts'
import { createOpenBatch, type OpenBatch, pooledBytes, type SimulatedTerms } from '../batch/open_batch.ts'
import { loadParties, routeTransactions } from '../batch/route.ts'
import type { TierCounters } from '../batch/tier.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import { rulesOfCalls } from '../chain/call_batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { CHARGE_BYTES } from '../chain/op/charge_pass.ts'
import type { SignedTransactions } from '../chain/packed.ts'
import { transactionRules } from '../chain/rules.ts'
import { RulesPass } from '../chain/rules_pass.ts'
import { MODULE_BYTES } from '../primitives/column_request.ts'
import type { Receipts } from '../receipts/receipts.ts'
import { ChangeRecorder } from '../settle/change_recorder.ts'
import { type ListedVersions, loadListed } from '../settle/listed_versions.ts'
import { LEAST_FOR_COLUMNS, Sweep } from '../settle/sweep.ts'
import type { StateWrites } from '../state/state.ts'
import { collectWrites } from '../state/writes/collect.ts'
import { mergeWrites } from '../state/writes/merge.ts'
import { BatchRun } from './batch_run.ts'
import type { BlockSteps } from './block_steps.ts'
import type { CallTerms } from './call_queue.ts'
import { type ExecutionResult, InvalidTransactionError, type StageTimings } from './execution_result.ts'
import { chargeBatch, executeDeposits, leadingDeposits } from './op_deposits.ts'
import { executedReasons, receiptsOf, rejectedOf, tierCounts } from './result.ts'
import type { Wiring } from './wiring.ts'

/** What is asked of one batch. */
export interface BatchRequest {
  readonly env: BlockEnvironment
  readonly batch: TransactionBatch
  readonly changes: boolean
  readonly explain: boolean
  /** What a block does around its transactions. */
  readonly steps?: BlockSteps | undefined
  /** The transactions over the wire, where they are known. */
  readonly signed?: SignedTransactions | undefined
  /** Where they are calls of a simulated block. */
  readonly simulated?: SimulatedTerms | undefined
}

/** What the stages of one batch hand on. */
interface OpenExecution {
  readonly wiring: Wiring
  readonly request: BatchRequest
  readonly terms: CallTerms
  readonly recorder: ChangeRecorder | undefined
  readonly timings: StageTimings
  readonly lap: () => number
  /** Bytes that the device had been given before. */
  readonly uploadedBefore: number
  /** What stands before the transactions that tiers take wrote: the block's steps, and deposits. */
  readonly earlier: StateWrites | undefined
  readonly listed: ListedVersions | undefined
  readonly openBatch: OpenBatch
  readonly sweep: Sweep
}

/** A batch that has run. */
export interface RunExecution extends OpenExecution {
  readonly run: BatchRun
  readonly counters: TierCounters
  readonly compileMs: number
}

/** Executes a batch in order and commits it: routed, run by the tiers, committed, and read as receipts. */
export const executeBatch = async (
  wiring: Wiring,
  request: BatchRequest,
  terms: CallTerms,
  committed: (ran: RunExecution & { readonly writes: StateWrites }) => void,
): Promise<ExecutionResult> => {
  wiring.device.clock?.begin()
  wiring.sessions.begin(hashesTopics(wiring, request), wiring.settling.isPossible)
  const open = await routeBatch(wiring, request, terms)
  const ran = await runBatch(open)
  const rejected = rejectedOf(ran.openBatch)
  if ((request.steps ?? wiring.policy).invalid === 'throw' && rejected.length > 0)
    throw new InvalidTransactionError(rejected[0]!.index, rejected[0]!.code)
  const { writes, receipts: early } = await commitBatch(ran)
  committed({ ...ran, writes })
  const receipts = await readReceipts(ran, early)
  return resultOf(ran, rejected, writes, receipts)
}

/**
 * Whether the device hashes topics: for a block, whose blooms are read in any case, and wherever it does not compute on
 * the host's cores. Else the host does, for topics that it has not met, when blooms are read
 * (docs/decisions/0058-what-a-payment-costs.md).
 */
const hashesTopics = ({ device, policy }: Wiring, { steps }: BatchRequest): boolean =>
  steps !== undefined || policy.waves === 'always' || device.current?.software === false

/** Loads what the batch names, and decides which tiers its transactions are for. */
const routeBatch = async (wiring: Wiring, request: BatchRequest, terms: CallTerms): Promise<OpenExecution> => {
  const { policy, resident, running, reasons, sessions } = wiring
  const { batch, changes, steps } = request
  const timings = { route: 0, upload: 0, execute: 0, readback: 0, validate: 0, commit: 0, receipts: 0, roots: 0 }
  const lap = stopwatch()
  const uploadedBefore = uploadedTo(wiring)
  const recorder = changes ? new ChangeRecorder(resident, running, batch.count) : undefined
  const list = steps?.accessList
  const listed = list === undefined ? undefined : await loadListed(list, resident, batch.count)
  const earlier = steps === undefined ? undefined : await stepsBefore(wiring, steps, recorder)
  const { openBatch, sweep, writes } = await openOf(wiring, request, recorder)
  await loadParties(openBatch, resident)
  const noTier = policy.paths ? sessions.refusal : undefined
  routeTransactions(policy.fork, openBatch, reasons, noTier, policy.hasP256)
  timings.route = lap()
  const both = earlier === undefined || writes === undefined ? (earlier ?? writes) : mergeWrites(earlier, writes)
  return { wiring, request, terms, recorder, timings, lap, uploadedBefore, earlier: both, listed, openBatch, sweep }
}

const uploadedTo = ({ device }: Wiring): number => device.current?.uploadedBytes ?? 0

/** The batch with its rules. On a chain of the OP stack its first deposits are executed; `writes` are theirs. */
const openOf = async (
  wiring: Wiring,
  { env, batch, explain, signed, simulated }: BatchRequest,
  recorder: ChangeRecorder | undefined,
): Promise<{ readonly openBatch: OpenBatch; readonly sweep: Sweep; readonly writes: StateWrites | undefined }> => {
  const { policy, resident, running, reasons } = wiring
  const { fork, chain } = policy
  const explained = explain ? new ExplainLog() : undefined
  const columnsFrom = policy.waves === 'always' ? 1 : undefined
  const open = (openBatch: OpenBatch): { readonly openBatch: OpenBatch; readonly sweep: Sweep } => {
    const sweep = new Sweep(fork, openBatch, resident, reasons, columnsFrom)
    sweep.recorder = recorder
    return { openBatch, sweep }
  }
  const pass = rulesPassOf(batch, wiring)
  const rules =
    simulated === undefined
      ? transactionRules(batch, fork, env, pass)
      : rulesOfCalls(batch, fork, env, simulated.validation, pass)
  const plain = createOpenBatch(batch, env, rules, explained, pass, simulated)
  if (chain === undefined) return { ...open(plain), writes: undefined }
  const deposits = leadingDeposits(batch)
  const before = open(plain)
  await executeDeposits(plain, deposits, wiring, before.sweep)
  const writes = deposits === 0 ? undefined : settledWrites(wiring)
  const charges = await chargeBatch(rules, { batch, env, signed }, chain.fork, running, pass)
  const charged = open({ ...plain, rules: charges })
  charged.sweep.followDeposits(before.sweep)
  return { ...charged, writes }
}

/** Undefined where the batch is too small to be taken in columns, or there is no memory for that. */
const rulesPassOf = (batch: TransactionBatch, { policy, resident }: Wiring): RulesPass | undefined => {
  if (batch.count < (policy.waves === 'always' ? 1 : LEAST_FOR_COLUMNS)) return undefined
  if (resident.columns(MODULE_BYTES) === undefined) return undefined
  const bytes = pooledBytes(batch.count) + (policy.chain === undefined ? 0 : CHARGE_BYTES * batch.count)
  const columns = resident.batchColumns(bytes)
  return columns === undefined ? undefined : new RulesPass(batch, columns)
}

/**
 * Runs what stands before the transactions as a batch of its own in the tables only: its writes are base values then.
 */
const stepsBefore = async (
  { running, cpu, resident, sessions }: Wiring,
  steps: BlockSteps,
  recorder: ChangeRecorder | undefined,
): Promise<StateWrites> => {
  await steps.before({ running, cpu, sink: { codeChanged: false, renew() {} }, recorder })
  return settledWrites({ resident, sessions })
}

/** Makes base values of what the tables hold, and returns what was written. */
export const settledWrites = ({ resident, sessions }: Pick<Wiring, 'resident' | 'sessions'>): StateWrites => {
  const writes = collectWrites(resident)
  sessions.current?.tables.noteWrites()
  resident.settle()
  return writes
}

/** Has the tiers execute the batch, and the sweep enter it. */
const runBatch = async (open: OpenExecution): Promise<RunExecution> => {
  const { wiring, terms, openBatch, sweep, listed, timings, lap } = open
  const { policy, resident, running, sessions, measured } = wiring
  const waitedBeforeMs = measured.waitedMs
  const run = new BatchRun(openBatch, {
    tiers: wiring.tiers,
    sweep,
    running,
    range: policy.range,
    stop: terms.stop,
    slots: resident.slots,
    settling: wiring.settling,
    retriesAlways: policy.waves === 'always',
    listed,
  })
  await run.run()
  if (run.hasFailed) sessions.close()
  const counters = sumOf(run)
  const compileMs = measured.waitedMs - waitedBeforeMs
  timings.execute = counters.executeMs
  timings.readback = counters.readbackMs
  timings.validate = run.sweepMs + run.rounds.resolveMs
  const restMs = lap() - compileMs - timings.execute - timings.readback - timings.validate
  timings.upload = run.hasRanges ? Math.max(0, restMs) : 0
  return { ...open, run, counters, compileMs }
}

/** The counters of all tiers. */
const sumOf = ({ runs }: BatchRun): TierCounters => {
  const of = (name: keyof TierCounters): number => runs.reduce((sum, { counters }) => sum + counters[name], 0)
  return {
    executeMs: of('executeMs'),
    readbackMs: of('readbackMs'),
    chunks: of('chunks'),
    laneBytes: of('laneBytes'),
    held: of('held'),
    broken: of('broken'),
  }
}

/** Commits what the batch wrote, and what its block does around it, all or nothing. */
const commitBatch = async ({
  wiring,
  request: { steps },
  terms,
  recorder,
  timings,
  lap,
  earlier,
  openBatch,
  sweep,
}: RunExecution): Promise<{ readonly writes: StateWrites; readonly receipts: Receipts | undefined }> => {
  const { resident, running, cpu, sessions, state, memory } = wiring
  let receipts: Receipts | undefined
  let writes: StateWrites
  if (steps === undefined) {
    writes = collectWrites(resident)
    if (earlier !== undefined) writes = mergeWrites(earlier, writes)
  } else {
    const { blobGasUsed } = sweep
    const ground = { running, cpu, sink: sweep, recorder, blobGasUsed, charges: openBatch.rules.charges }
    receipts = await receiptsOf(openBatch, memory.topics)
    await steps.after(ground, receipts)
    timings.roots = steps.rootsMs
    timings.receipts = lap() - steps.rootsMs
    writes = mergeWrites(earlier!, collectWrites(resident))
    timings.commit = lap()
    await steps.check(ground, receipts, writes)
    timings.roots += lap()
  }
  terms.stop.check()
  await state.commit(writes)
  sessions.current?.tables.noteWrites()
  resident.commit()
  memory.note(openBatch)
  timings.commit += lap()
  return { writes, receipts }
}

const readReceipts = async ({ wiring, openBatch, timings, lap }: RunExecution, early: Receipts | undefined) => {
  const receipts = early ?? (await receiptsOf(openBatch, wiring.memory.topics))
  timings.receipts += lap()
  return receipts
}

const resultOf = (
  { wiring, request, terms, recorder, timings, uploadedBefore, openBatch, run, counters, compileMs }: RunExecution,
  rejected: ExecutionResult['rejected'],
  writes: StateWrites,
  receipts: Receipts,
): ExecutionResult => {
  const { reasons, sessions, senders, hasher, device, settling } = wiring
  const { count } = request.batch
  const session = sessions.used
  const deviceTimes = device.clock?.times
  if (deviceTimes?.totalMs !== undefined) timings.device = deviceTimes.totalMs
  const deviceBytes = session === undefined ? 0 : counters.laneBytes + session.tables.sizeBytes
  return {
    receipts,
    rejected,
    writes,
    ...(recorder === undefined ? {} : { changes: recorder.all() }),
    tiers: tierCounts(openBatch),
    rounds: 1 + run.rounds.rounds,
    exits: reasons.count(executedReasons(openBatch)),
    timings,
    ...(deviceTimes === undefined ? {} : { deviceTimes }),
    chunks: counters.chunks,
    deviceBytesPerTransaction: count === 0 ? 0 : deviceBytes / count,
    uploadedBytes: uploadedTo(wiring) - uploadedBefore,
    compileMs,
    ahead: { held: counters.held, broken: counters.broken },
    settled: { transactions: run.settledOnDevice, submissions: settling.close(openBatch) },
    ...(request.explain ? { explain: explainBatch(openBatch, reasons) } : {}),
    faults: [
      ...new Set([
        ...terms.faults,
        ...senders.takeFaults(),
        ...hasher.takeFaults(),
        ...run.faults,
        ...(session?.faults ?? []),
      ]),
    ],
  }
}

/** Wall milliseconds since it was last asked. */
const stopwatch = (): (() => number) => {
  let startedMs = performance.now()
  return () => {
    const now = performance.now()
    const elapsed = now - startedMs
    startedMs = now
    return elapsed
  }
}
