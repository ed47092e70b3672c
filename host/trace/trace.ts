import { codeSkeleton } from '../../transpiler/index.ts'
import { VM_EXITS } from '../../transpiler/layout/lane_vm.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { EvmStep } from '../batch/evm_step.ts'
import { createOpenBatch } from '../batch/open_batch.ts'
import { ExitReasons } from '../batch/reason.ts'
import { loadParties, routeTransactions } from '../batch/route.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { rejectionText } from '../chain/rejection.ts'
import { transactionRules } from '../chain/rules.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { Precompiles } from '../precompiles/precompiles.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { DeviceSession } from '../session/device_session.ts'
import type { MemoryState } from '../state/memory_state.ts'
import { ResidentState } from '../state/tables/resident_tables.ts'
import { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'
import { isVmCall } from '../tiers/lane_vm/calls.ts'
import { type VmGroup, vmExit, vmGasLeft, vmOutput } from '../tiers/lane_vm/group.ts'
import { VmRunner } from '../tiers/lane_vm/runner.ts'

/** The first transaction of a batch, on a state. */
export interface TraceSubject {
  readonly fork: Fork
  readonly chainId: bigint
  readonly env: BlockEnvironment
  readonly state: MemoryState
  readonly batch: TransactionBatch
  /** `always`: the steps of the CPU's trace come with the memory before them. */
  readonly memory?: 'always' | undefined
}

/** output: 0x-hex; gasUsed: of the call, without intrinsic gas and refund, as the last line of EIP-3155 has it. */
export interface TransactionTrace {
  readonly steps: readonly EvmStep[]
  readonly status: 'succeeded' | 'reverted' | 'halted'
  readonly output: string
  readonly gasUsed: bigint
  /** Why the lane VM could not go on after the last step; status, output and gas then say nothing. */
  readonly left?: string
}

/** A transaction that has no steps there: may not be included, or is none for the lane VM. */
export interface NoTrace {
  readonly reason: string
}

/** By @ethereumjs/evm with its stock loop. */
export const traceOnCpu = async ({
  fork,
  chainId,
  env,
  state,
  batch,
  memory,
}: TraceSubject): Promise<TransactionTrace | NoTrace> => {
  const steps: EvmStep[] = []
  const tier = new CpuTier({ fork, chainId, onStep: (step) => steps.push(step), stepMemory: memory })
  const rules = transactionRules(batch, fork, env)
  const outcome = await tier.execute({ env, batch, index: 0, rules, snapshot: state })
  if ('rejected' in outcome) return { reason: `rejected: ${rejectionText(outcome.rejected)}` }
  const { status, exception, output, executionGas } = outcome
  const failed = exception === 'revert' ? 'reverted' : 'halted'
  return {
    steps,
    status: status === 1 ? 'succeeded' : failed,
    output: bytesToHex(output),
    gasUsed: executionGas ?? 0n,
  }
}

/** By the lane VM, whether or not the transaction may be included. */
export const traceOnLaneVm = async (
  device: ComputeDevice,
  { fork, chainId, env, state, batch }: TraceSubject,
): Promise<TransactionTrace | NoTrace> => {
  if (!isAtLeast(fork, 'berlin')) return { reason: 'fork before berlin' }
  const resident = new ResidentState(state, codeSkeleton)
  const rules = transactionRules(batch, fork, env)
  const openBatch = createOpenBatch(batch, env, rules)
  const reasons = new ExitReasons()
  await loadParties(openBatch, resident)
  routeTransactions(fork, openBatch, reasons)
  if (!isVmCall(openBatch, 0)) return { reason: reasons.text(openBatch.reasons[0]!) || 'no code is called' }
  const { executionGas, fromIds, toIds, coinbaseId } = openBatch
  const session = new DeviceSession(device, resident)
  session.begin(false)
  const precompiles = new Precompiles(fork, chainId)
  const runner = new VmRunner(session, { fork, chainId, precompiles })
  try {
    await runner.compile()
    const transactions = Int32Array.of(0)
    const trace = runner.trace({ batch, env, rules, executionGas, fromIds, toIds, coinbaseId, transactions })
    const steps: EvmStep[] = []
    for (;;) {
      const { done, value } = await trace.next()
      if (done) return laneTrace(steps, value, executionGas[0]!)
      steps.push(value)
    }
  } finally {
    runner.destroy()
    session.close()
  }
}

const STATUSES = new Map<number, TransactionTrace['status']>([
  [VM_EXITS.succeeded, 'succeeded'],
  [VM_EXITS.reverted, 'reverted'],
])

const laneTrace = (steps: readonly EvmStep[], group: VmGroup, executionGas: number): TransactionTrace => {
  const left = group.reasons.get(0)
  const status = STATUSES.get(vmExit(group, 0)) ?? 'halted'
  const gasUsed = BigInt(executionGas - vmGasLeft(group, 0))
  if (left !== undefined) return { steps, status, output: '0x', gasUsed, left }
  return { steps, status, output: bytesToHex(vmOutput(group, 0)), gasUsed }
}
