import type { ComputeDevice } from '../host/device/compute_device.ts'
import { createExecutor } from '../host/flows/executor.ts'
import type { ExecutorOptions } from '../host/flows/executor_interface.ts'
import { MemoryState } from '../host/state/memory_state.ts'
import { verifyBlock } from './verify.ts'
import { WORKLOADS } from './workloads/index.ts'

/** The ways in which a device executes, each alone: executor options that leave no other. */
export const FORMS = {
  kernel: { waves: 'always', laneVm: 'never', recordFrom: 4 },
  program: { waves: 'always', kernels: 'never', laneVm: 'never', recordFrom: 4 },
  laneVm: { paths: 'never', laneVm: 'always' },
} as const satisfies Readonly<Record<string, Partial<ExecutorOptions>>>

export type Form = keyof typeof FORMS

/** Of each block of `runForm`, how many transactions each tier executed. */
export type FormTiers = readonly Readonly<Record<string, number>>[]

/**
 * Executes `blocks` blocks of a workload on a device in one form and verifies each against serial execution. Returns
 * the tiers of each block. Throws VerificationError, and Error where the device had a fault.
 */
export const runForm = async (
  device: ComputeDevice,
  form: Form,
  { workload: name, size, blocks }: { readonly workload: string; readonly size: number; readonly blocks: number },
): Promise<FormTiers> => {
  const workload = WORKLOADS.find((one) => one.name === name)
  if (workload === undefined) throw new Error(`no workload '${name}'`)
  const scenario = await workload.build({ fork: 'osaka', size, seed: 1, blocks })
  const state = new MemoryState()
  state.commit(scenario.genesis)
  const { chainId } = scenario
  const options = { fork: 'osaka', chainId, state, device, compile: 'wait', workers: 0 } as const
  const executor = createExecutor({ ...options, ...FORMS[form] })
  const tiers: FormTiers[number][] = []
  try {
    for (let number = 0; number < blocks; number++) {
      const before = state.clone()
      const block = scenario.next()
      const result = await executor.execute({ env: block.env, transactions: block.transactions })
      if (result.faults.length > 0) throw new Error(`${form}: ${result.faults.join('; ')}`)
      const executed = { scenario, shares: workload.shares, block, receipts: result.receipts, before, after: state }
      await verifyBlock(executed, number + 1)
      tiers.push({ ...result.tiers })
    }
  } finally {
    executor.close()
  }
  return tiers
}
