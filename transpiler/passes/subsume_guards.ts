import { isStorePrice } from '../ir/ops.ts'
import type { PathIr, ValueId } from '../ir/path_ir.ts'

/** A u32 sum taken apart: per-lane terms, each with how often it occurs, and a constant. */
interface Sum {
  readonly terms: ReadonlyMap<ValueId, number>
  readonly constant: number
}

const sumOf = (path: PathIr, id: ValueId): Sum => {
  const terms = new Map<ValueId, number>()
  let constant = 0
  const addTerms = (part: ValueId): void => {
    const value = path.values[part]!
    if (value.op === 'const') constant += Number(value.attribute)
    else if (value.op === 'add32') value.args.forEach(addTerms)
    else terms.set(part, (terms.get(part) ?? 0) + 1)
  }
  addTerms(id)
  return { terms, constant }
}

const isSmall = (op: string): boolean => op === 'mul32' || isStorePrice(op)

/** Terms that are small whatever the lane: no sum of a path's can wrap 2^32 with them. */
const isBounded = (path: PathIr, sum: Sum): boolean =>
  [...sum.terms.keys()].every((id) => isSmall(path.values[id]!.op)) && sum.constant < 2 ** 31

const covers = (larger: Sum, smaller: Sum): boolean => {
  if (larger.constant < smaller.constant || larger.terms.size < smaller.terms.size) return false
  for (const [id, count] of smaller.terms) if ((larger.terms.get(id) ?? 0) < count) return false
  return true
}

/** `given >= sum`, as a guard's condition says it; undefined for any other condition, and where the sum may wrap. */
const gasDemand = (path: PathIr, condition: ValueId): { given: ValueId; sum: Sum } | undefined => {
  const { op, args } = path.values[condition]!
  if (op !== 'ge32') return undefined
  const sum = sumOf(path, args[1]!)
  return isBounded(path, sum) ? { given: args[0]!, sum } : undefined
}

/**
 * Drops gas guards that a stronger one implies: of several demands on the same gas, the one whose sum holds every term
 * of the other and no smaller constant stands for both.
 *
 * In: a verified path. Out: the same path with fewer guards; a lane passes all of them exactly when it passed before.
 * Sound only while sums cannot wrap, so only sums of SSTORE and EXP prices and constants take part; a callee's gas,
 * which a hostile lane can make any u32, keeps all its guards.
 */
export const subsumeGuards = (path: PathIr): PathIr => {
  const demands = path.effects.map((effect) =>
    effect.kind === 'guard' ? gasDemand(path, effect.condition) : undefined,
  )
  const implied = (index: number): boolean => {
    const weak = demands[index]
    if (weak === undefined) return false
    return demands.some((strong, other) => {
      if (strong === undefined || other === index || strong.given !== weak.given) return false
      if (!covers(strong.sum, weak.sum)) return false
      // Equal demands imply each other: the first stays.
      return !covers(weak.sum, strong.sum) || other < index
    })
  }
  return { ...path, effects: path.effects.filter((_, index) => !implied(index)) }
}
