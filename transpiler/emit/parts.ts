import { OPERATIONS, type Service } from '../ir/ops.ts'
import { type PathIr, usesOfEffect, type ValueId } from '../ir/path_ir.ts'
import { keccakBlocks, type ServiceCall, type Step } from './schedule.ts'

/**
 * A part of a path: consecutive steps that compile as one kernel. The parts of a path run one after another on the same
 * lanes; what a later part needs of an earlier one goes through scratch columns of the lane.
 */
export interface Part {
  readonly steps: readonly Step[]
  /** Values that it takes from scratch columns, and their first column. */
  readonly imports: ReadonlyMap<ValueId, number>
  /** Values that it leaves in scratch columns. */
  readonly exports: ReadonlyMap<ValueId, number>
  /** Values that it computes again rather than import. */
  readonly again: readonly ValueId[]
}

export interface PartPlan {
  readonly parts: readonly Part[]
  readonly scratchColumns: number
}

/** Estimated compile time of one site, milliseconds of one CPU core on lavapipe (docs/decisions/0002, 0006). */
const COMPILE_MS: Readonly<Record<Service, number>> = {
  keccak: 170,
  slot: 80,
  account: 70,
  mul: 130,
  divmod: 250,
  modular: 450,
  exp: 250,
}
const LIGHT_COMPILE_MS = 6

/**
 * Compile time grows faster than a kernel does: one Uniswap swap took 33 s of CPU time on lavapipe as one kernel with a
 * step loop and 57 s as straight code. Past this estimate a path goes on in another part.
 */
export const PART_COMPILE_MS = 1200

/** The estimate of a whole path, before its values are put in steps. */
export const pathCompileMs = (path: PathIr): number =>
  path.values.reduce((sum, { op, attribute }) => {
    const service = OPERATIONS.get(op)!.service
    if (service === undefined) return sum + (op === 'const' ? 0 : LIGHT_COMPILE_MS)
    return sum + COMPILE_MS[service] * (service === 'keccak' ? keccakBlocks(attribute as number) : 1)
  }, 0)

export const stepCompileMs = (step: Step): number =>
  step.calls.reduce((sum, call) => sum + COMPILE_MS[call.service], step.light.length * LIGHT_COMPILE_MS)

/** Cheap to have again in every part: inputs and what one bitwise operation with a constant makes of them. */
const LEAVES = new Set(['const', 'caller', 'gasprice', 'value', 'calldata', 'environment', 'gas', 'entry'])

const isCheap = (path: PathIr, id: ValueId): boolean => {
  const { op, args } = path.values[id]!
  if (LEAVES.has(op)) return true
  return (op === 'and' || op === 'instance') && args.every((argument) => LEAVES.has(path.values[argument]!.op))
}

/** A keccak of several blocks keeps its state in a register: no part ends inside one. */
const mayEndAfter = (path: PathIr, step: Step): boolean =>
  step.calls.every(
    (call) =>
      call.service !== 'keccak' || call.block === keccakBlocks(path.values[call.value]!.attribute as number) - 1,
  )

const splitSteps = (path: PathIr, steps: readonly Step[], budgetMs: number): Step[][] => {
  const parts: Step[][] = [[]]
  let spentMs = 0
  let open = true
  for (const step of steps) {
    const costMs = stepCompileMs(step)
    if (open && spentMs > 0 && spentMs + costMs > budgetMs) {
      parts.push([])
      spentMs = 0
    }
    parts.at(-1)!.push(step)
    spentMs += costMs
    open = mayEndAfter(path, step)
  }
  return parts
}

const isLastBlock = (path: PathIr, call: ServiceCall): boolean =>
  call.service !== 'keccak' || call.block === keccakBlocks(path.values[call.value]!.attribute as number) - 1

const definedIn = (path: PathIr, steps: readonly Step[]): Set<ValueId> =>
  new Set(
    steps.flatMap((step) => [
      ...step.light,
      ...step.calls.filter((call) => isLastBlock(path, call)).map((call) => call.value),
    ]),
  )

const usedIn = (path: PathIr, steps: readonly Step[]): Set<ValueId> => {
  const used = new Set<ValueId>()
  for (const step of steps) {
    for (const id of step.light) for (const argument of path.values[id]!.args) used.add(argument)
    for (const call of step.calls) for (const argument of path.values[call.value]!.args) used.add(argument)
    for (const guard of step.guards) for (const id of usesOfEffect(path.effects[guard]!)) used.add(id)
  }
  return used
}

/** Scratch columns of a value: a word takes two, a scalar one. */
const columnsOf = (path: PathIr, id: ValueId): number => (path.values[id]!.type === 'word' ? 2 : 1)

/**
 * Splits the steps of a path into parts of about `budgetMs` each and gives every value that crosses a border its
 * scratch columns, from `firstColumn` on; columns are used again once the last part that reads them is through.
 */
export const planParts = (
  path: PathIr,
  steps: readonly Step[],
  outcome: readonly ValueId[],
  firstColumn: number,
  budgetMs: number,
): PartPlan => {
  const split = splitSteps(path, steps, budgetMs)
  const last = split.length - 1
  const used = split.map((part, index) => {
    const ids = usedIn(path, part)
    if (index === last) for (const id of outcome) ids.add(id)
    return ids
  })
  const defined = split.map((part) => definedIn(path, part))
  const again = used.map((ids, index) => againIn(path, ids, defined[index]!))
  const imported = used.map((ids, index) =>
    [...ids].filter((id) => !defined[index]!.has(id) && !isCheap(path, id)).sort((a, b) => a - b),
  )
  const lastImport = new Map<ValueId, number>()
  imported.forEach((ids, index) => {
    for (const id of ids) lastImport.set(id, index)
  })
  const allocation = new ScratchColumns(firstColumn)
  const columnOf = new Map<ValueId, number>()
  const exported = defined.map((ids, index) => {
    const leaving = [...ids].filter((id) => (lastImport.get(id) ?? -1) > index).sort((a, b) => a - b)
    for (const [id, end] of lastImport) if (end === index) allocation.free(columnOf.get(id)!, columnsOf(path, id))
    for (const id of leaving) columnOf.set(id, allocation.take(columnsOf(path, id)))
    return leaving
  })
  const withColumns = (ids: readonly ValueId[]): Map<ValueId, number> =>
    new Map(ids.map((id) => [id, columnOf.get(id)!]))
  return {
    parts: split.map((part, index) => ({
      steps: part,
      imports: withColumns(imported[index]!),
      exports: withColumns(exported[index]!),
      again: again[index]!,
    })),
    scratchColumns: allocation.size,
  }
}

/** Cheap values that a part uses and does not define, with what they are made of, operands first. */
const againIn = (path: PathIr, used: ReadonlySet<ValueId>, defined: ReadonlySet<ValueId>): ValueId[] => {
  const ids = new Set<ValueId>()
  const add = (id: ValueId): void => {
    if (defined.has(id) || path.values[id]!.op === 'const') return
    for (const argument of path.values[id]!.args) add(argument)
    ids.add(id)
  }
  for (const id of used) if (isCheap(path, id)) add(id)
  return [...ids].sort((a, b) => a - b)
}

class ScratchColumns {
  private readonly first: number
  private readonly open = new Map<number, number[]>()
  size = 0

  constructor(first: number) {
    this.first = first
  }

  take(count: number): number {
    const column = this.open.get(count)?.pop()
    if (column !== undefined) return column
    this.size += count
    return this.first + this.size - count
  }

  free(column: number, count: number): void {
    this.open.set(count, [...(this.open.get(count) ?? []), column])
  }
}
