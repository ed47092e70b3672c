import { readOpWitness } from '../conformance/op_witness.ts'
import { runOpWitness } from '../conformance/run_op_witness.ts'
import { adapterRequest } from '../host/device/adapter.ts'
import { openDevice } from '../host/device/device.ts'
import { deviceCosts } from '../host/flows/device_costs.ts'
import type { TierChoice } from './tier_choice.ts'

export interface WitnessFileOptions {
  /** As `openDevice` takes it; absent = the best that answers; `none` = no device. */
  readonly adapter: string | undefined
  readonly tiers: TierChoice
  readonly workers: number | undefined
}

/** Builds and executes the blocks of witnesses, and tells a line of each. Returns how many have not their hash. */
export const runWitnessFiles = async (
  files: readonly string[],
  { adapter, tiers, workers }: WitnessFileOptions,
  tell: (line: string) => void,
): Promise<number> => {
  const witnesses = files.map(readOpWitness)
  const asked = adapter === undefined || adapter === 'none' ? undefined : adapterRequest(adapter)
  const device = adapter === 'none' ? undefined : await openDevice(asked === undefined ? {} : { adapter: asked })
  let differ = 0
  try {
    const options = {
      ...tiers,
      ...(device === undefined ? {} : { device, costs: await deviceCosts(device) }),
      ...(workers === undefined ? {} : { workers }),
    }
    for (const witness of witnesses) {
      const startedMs = performance.now()
      const { built, difference } = await runOpWitness(witness, options)
      const { receipts, tiers: counts } = built.execution
      const where = Object.entries(counts).flatMap(([tier, count]) => (count === 0 ? [] : [`${tier} ${count}`]))
      const ms = (performance.now() - startedMs).toFixed(0)
      tell(`${witness.name}  ${receipts.count} transactions  ${where.join(', ')}  ${ms} ms  ${difference ?? 'exact'}\n`)
      if (difference !== undefined) differ++
    }
  } finally {
    device?.destroy()
  }
  tell(`${files.length - differ} of ${files.length} blocks have their hash\n`)
  return differ
}
