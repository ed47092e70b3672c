import { OPERATIONS, type Service } from '../ir/ops.ts'
import type { PathIr, ValueId } from '../ir/path_ir.ts'
import { KECCAK_RATE_BYTES } from '../layout/word.ts'

/** One run of a service: `block` counts the 136-byte blocks of a keccak, 0 for everything else. */
export interface ServiceCall {
  readonly service: Service
  readonly value: ValueId
  readonly block: number
}

/** `light` values in order, then at most one call of each service. Results are there from the next step on. */
export interface Step {
  readonly light: ValueId[]
  readonly guards: number[]
  readonly calls: ServiceCall[]
}

export const keccakBlocks = (bytes: number): number => Math.floor(bytes / KECCAK_RATE_BYTES) + 1

/**
 * Puts every value of a path in a step, so each kind of heavy operation has one site per step.
 *
 * Heavy operations go to the first step where their operands are known and their service is free; a long keccak takes
 * consecutive steps. Light values go to the step of their first user, which keeps few values alive between steps.
 * Guards and `outputs` (values that are written out) go where they are known; what only the host reads (a logged input,
 * a constant of the instance) is in no step.
 */
export const schedule = (path: PathIr, outputs: readonly ValueId[]): readonly Step[] => {
  const { values } = path
  const ready = new Int32Array(values.length)
  const busy = new Map<Service, Set<number>>()
  const callsAt: ServiceCall[][] = []
  const isHeavy = (id: ValueId): Service | undefined => OPERATIONS.get(values[id]!.op)!.service
  values.forEach((value, id) => {
    const known = value.args.reduce((step, argument) => Math.max(step, ready[argument]!), 0)
    const service = isHeavy(id)
    if (service === undefined) {
      ready[id] = known
      return
    }
    const taken = busy.get(service) ?? new Set<number>()
    busy.set(service, taken)
    const blocks = service === 'keccak' ? keccakBlocks(value.attribute as number) : 1
    let start = known
    while (Array.from({ length: blocks }, (_, i) => taken.has(start + i)).some(Boolean)) start++
    for (let block = 0; block < blocks; block++) {
      taken.add(start + block)
      const calls = callsAt[start + block] ?? []
      callsAt[start + block] = calls
      calls.push({ service, value: id, block })
    }
    ready[id] = start + blocks
  })
  const last = Math.max(callsAt.length, 0)
  const steps: Step[] = Array.from({ length: last + 1 }, (_, step) => ({
    light: [],
    guards: [],
    calls: callsAt[step] ?? [],
  }))
  const guardStep = new Map<number, number>()
  path.effects.forEach((effect, index) => {
    if (effect.kind === 'guard') guardStep.set(index, ready[effect.condition]!)
  })
  scheduleLightValues(path, steps, ready, guardStep, isHeavy, outputs)
  for (const [index, step] of guardStep) steps[step]!.guards.push(index)
  return steps
}

/** The step of a light value: that of its first user, and no earlier than its operands are known. */
const scheduleLightValues = (
  path: PathIr,
  steps: readonly Step[],
  ready: Int32Array,
  guardStep: ReadonlyMap<number, number>,
  isHeavy: (id: ValueId) => Service | undefined,
  outputs: readonly ValueId[],
): void => {
  const last = steps.length - 1
  const firstUse = new Int32Array(path.values.length).fill(last + 1)
  const use = (id: ValueId, step: number): void => {
    firstUse[id] = Math.min(firstUse[id]!, step)
  }
  path.effects.forEach((effect, index) => {
    if (effect.kind === 'guard') use(effect.condition, guardStep.get(index)!)
  })
  for (const id of outputs) use(id, ready[id]!)
  for (const id of [path.end.gas, path.end.refund]) use(id, last)
  steps.forEach((step, index) => {
    for (const call of step.calls) for (const argument of path.values[call.value]!.args) use(argument, index)
  })
  for (let id = path.values.length - 1; id >= 0; id--) {
    if (isHeavy(id) !== undefined || firstUse[id] === last + 1) continue
    const step = Math.max(Math.min(firstUse[id]!, last), ready[id]!)
    for (const argument of path.values[id]!.args) use(argument, step)
    steps[step]!.light.push(id)
  }
  for (const step of steps) step.light.sort((a, b) => a - b)
}
