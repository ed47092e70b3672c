import { STORE_PRICES } from '../ir/ops.ts'
import {
  type DeltaConditionName,
  type Effect,
  type PathIr,
  type StoreEffect,
  usesOfEffect,
  usesOfEnd,
  type Value,
  type ValueId,
} from '../ir/path_ir.ts'
import { memoOf } from '../layout/memo.ts'
import { provablyDistinct } from '../record/distinct.ts'

const isMemo = (path: PathIr, slot: Value): boolean => {
  const owner = path.values[slot.args[0]!]!
  return owner.op === 'const' && memoOf(owner.attribute as bigint) !== undefined
}

/** The slots of a path, and which ids its guards tell apart. */
class Slots {
  readonly ids: readonly ValueId[]
  private readonly path: PathIr
  private readonly apart = new Set<string>()
  private readonly source = {
    value: (id: ValueId) => this.path.values[id]!,
    constantOf: (id: ValueId) =>
      this.path.values[id]!.op === 'const' ? (this.path.values[id]!.attribute as bigint) : undefined,
  }

  constructor(path: PathIr) {
    this.path = path
    // A memo's slot is no account's: it is none of the others whatever the keys.
    this.ids = path.values.flatMap((value, id) => (value.op === 'slot' && !isMemo(path, value) ? [id] : []))
    for (const effect of path.effects) {
      if (effect.kind !== 'guard' || path.values[effect.condition]!.op !== 'iszero') continue
      const equal = path.values[path.values[effect.condition]!.args[0]!]!
      if (equal.op !== 'eq32') continue
      const [a, b] = equal.args as [ValueId, ValueId]
      this.apart.add(`${a} ${b}`).add(`${b} ${a}`)
    }
  }

  /**
   * True where two slots differ in every lane that has an outcome: a guard says so of the slots or of their accounts,
   * or their keys or addresses do. Two look-ups can be one slot: a guard before the one that pins a key still has
   * the key as it was.
   */
  areDistinct(one: ValueId, other: ValueId): boolean {
    const { path, source, apart } = this
    if (apart.has(`${one} ${other}`)) return true
    const [account, key] = path.values[one]!.args as [ValueId, ValueId]
    const [otherAccount, otherKey] = path.values[other]!.args as [ValueId, ValueId]
    if (account === otherAccount) return provablyDistinct(source, key, otherKey)
    if (apart.has(`${account} ${otherAccount}`)) return true
    const [left, right] = [path.values[account]!, path.values[otherAccount]!]
    return left.op === 'account' && right.op === 'account' && provablyDistinct(source, left.args[0]!, right.args[0]!)
  }
}

/** Who uses each value: other values by id, effects by index; `end` for gas, refund and output. */
interface Users {
  readonly values: ReadonlyMap<ValueId, readonly ValueId[]>
  readonly effects: ReadonlyMap<ValueId, readonly number[]>
  readonly end: ReadonlySet<ValueId>
}

const usersOf = (path: PathIr): Users => {
  const values = new Map<ValueId, ValueId[]>()
  const effects = new Map<ValueId, number[]>()
  path.values.forEach((value, id) => {
    for (const argument of new Set(value.args)) values.set(argument, [...(values.get(argument) ?? []), id])
  })
  path.effects.forEach((effect, index) => {
    for (const id of new Set(usesOfEffect(effect))) effects.set(id, [...(effects.get(id) ?? []), index])
  })
  return { values, effects, end: new Set(usesOfEnd(path.end)) }
}

/** The amount and sign where `next` is `loaded + amount` or `loaded - amount`. */
const amountOf = (path: PathIr, loaded: ValueId, next: ValueId): { amount: ValueId; sign: 1 | -1 } | undefined => {
  const { op, args } = path.values[next]!
  const [a, b] = args
  if (a === undefined || b === undefined || a === b) return undefined
  if (op === 'add' && a === loaded) return { amount: b, sign: 1 }
  if (op === 'add' && b === loaded) return { amount: a, sign: 1 }
  return op === 'sub' && a === loaded ? { amount: b, sign: -1 } : undefined
}

/** True when `comparison` only ever makes guards that it is false. */
const onlyGuardsAgainst = (path: PathIr, users: Users, comparison: ValueId): boolean => {
  if (users.end.has(comparison) || users.effects.has(comparison)) return false
  return (users.values.get(comparison) ?? []).every((negation) => {
    if (path.values[negation]!.op !== 'iszero' || users.values.has(negation) || users.end.has(negation)) return false
    return (users.effects.get(negation) ?? []).every((index) => path.effects[index]!.kind === 'guard')
  })
}

/**
 * Finds stores that only move a slot by an amount, so transactions on one slot need not wait for each other.
 *
 * In: a verified path whose loads all read the state before the transaction. Out: the same path; a store of `load + x`
 * or `load - x` becomes a delta of x where the loaded value v and the stored value w are used for nothing but
 *   - each other,
 *   - the price and refund of this SSTORE: they depend on v = 0, w = 0 and x = 0 alone       -> sameZeroness
 *   - a guard against v < x, or against v < w for w = v - x                                   -> noUnderflow
 *   - a guard against w < v or w < x for w = v + x                                            -> noOverflow
 * and no other look-up of the path may be of the same slot.
 * For any current value c that meets the conditions the lane's outcome is the same and the slot becomes c + x or c - x.
 * Not changed: guards stay, so a lane whose committed value fails one still exits.
 */
export const findDeltas = (path: PathIr): PathIr => {
  const users = usersOf(path)
  const slots = new Slots(path)
  const effects = path.effects.map((effect): Effect => {
    if (effect.kind !== 'store') return effect
    const loaded = path.values.findIndex((value) => value.op === 'load' && value.args[0] === effect.slot)
    return loaded < 0 ? effect : (deltaOf(path, users, slots, effect, loaded) ?? effect)
  })
  return { ...path, effects }
}

const deltaOf = (
  path: PathIr,
  users: Users,
  slots: Slots,
  store: StoreEffect,
  loaded: ValueId,
): StoreEffect | undefined => {
  const next = store.value
  const change = amountOf(path, loaded, next)
  if (change === undefined) return undefined
  if (!slots.ids.every((other) => other === store.slot || slots.areDistinct(store.slot, other))) return undefined
  const { amount, sign } = change
  if (users.end.has(loaded) || users.end.has(next) || users.effects.has(loaded)) return undefined
  if ((users.effects.get(next) ?? []).some((index) => path.effects[index] !== store)) return undefined
  const conditions = new Set<DeltaConditionName>()
  for (const user of [...(users.values.get(loaded) ?? []), ...(users.values.get(next) ?? [])]) {
    if (user === next) continue
    const { op, args } = path.values[user]!
    if (STORE_PRICES.has(op)) {
      if (args[0] !== loaded || args[1] !== loaded || args[2] !== next) return undefined
      conditions.add('sameZeroness')
      continue
    }
    if (op !== 'lt' || !onlyGuardsAgainst(path, users, user)) return undefined
    const underflow = sign < 0 && args[0] === loaded && (args[1] === amount || args[1] === next)
    const overflow = sign > 0 && args[0] === next && (args[1] === loaded || args[1] === amount)
    if (!underflow && !overflow) return undefined
    conditions.add(underflow ? 'noUnderflow' : 'noOverflow')
  }
  return { ...store, value: amount, delta: { sign, conditions: [...conditions].sort() } }
}
