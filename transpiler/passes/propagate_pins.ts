import { bitLength } from '../ir/bits.ts'
import { Builder } from '../ir/builder.ts'
import { type Effect, mapEffect, mapEnd, type PathIr, type ValueId } from '../ir/path_ir.ts'

const WORD = 1n << 256n

/**
 * Rebuilds values of a path in a new builder, under facts known so far: a value that is known to be a constant is
 * replaced by it wherever it is used from then on, and everything above it folds again.
 */
class Rebuild {
  readonly builder = new Builder()
  private readonly path: PathIr
  private readonly facts = new Map<ValueId, bigint>()
  /** Bounds that guards establish: the value is below 2^width. */
  private readonly widths = new Map<ValueId, number>()
  private memo = new Map<ValueId, ValueId>()
  /**
   * Look-ups stay as they were first rebuilt: one whose key becomes a constant later is still the same, and the
   * footprint of a path is told from their number (transpile.ts).
   */
  private readonly lookups = new Map<ValueId, ValueId>()

  constructor(path: PathIr) {
    this.path = path
  }

  /** The new id of an old value. */
  of(root: ValueId): ValueId {
    const known = this.memo.get(root)
    if (known !== undefined) return known
    for (const id of this.reachable(root)) {
      const { op, args, attribute } = this.path.values[id]!
      const made =
        op === 'const'
          ? this.builder.constant(attribute as bigint)
          : this.builder.make(
              op,
              args.map((argument) => this.memo.get(argument)!),
              attribute,
            )
      const fact = this.facts.get(made)
      this.memo.set(id, fact === undefined ? made : this.builder.constant(fact))
      if (op === 'account' || op === 'slot') this.lookups.set(id, made)
    }
    return this.memo.get(root)!
  }

  /** Old values below `root` without a new id yet, operands first. */
  private reachable(root: ValueId): ValueId[] {
    const found = new Set<ValueId>([root])
    const open = [root]
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      for (const argument of this.path.values[id]!.args) {
        if (found.has(argument) || this.memo.has(argument)) continue
        found.add(argument)
        open.push(argument)
      }
    }
    return [...found].sort((a, b) => a - b)
  }

  /**
   * Takes it as known that the bool `condition` (a new id) is true. Where that makes a value below it a constant,
   * returns the deepest such value and the constant: before what is known so far, both say the same.
   */
  assume(condition: ValueId): { readonly id: ValueId; readonly constant: bigint } | undefined {
    const known = this.facts.size
    const pinned = this.learn(condition, 1n)
    // A guard that pins nothing but itself leaves every other value as it is: a long path has hundreds of them.
    if (this.facts.size - known > 1) this.memo = new Map(this.lookups)
    return pinned.id === condition ? undefined : pinned
  }

  /** `id` = `constant`; through negations and sums with constants down to what they are made of. */
  private learn(id: ValueId, constant: bigint): { readonly id: ValueId; readonly constant: bigint } {
    const here = { id, constant }
    const { op, args } = this.builder.value(id)
    // What names a memo must stay a hash of its input (emit/columns.ts), whatever is known of the hash.
    if (op === 'const' || this.isHash(id) || (op === 'add' && this.isHash(args[0]!))) return here
    this.facts.set(id, constant)
    const [a, b] = args as [ValueId, ValueId]
    const [left, right] = args.map((argument) => this.builder.constantOf(argument))
    switch (op) {
      case 'iszero':
        return constant === 1n || this.builder.value(a).type === 'bool' ? this.learn(a, 1n - constant) : here
      case 'eq':
        return constant === 1n && right !== undefined ? this.learn(a, right) : here
      case 'add':
        return right === undefined ? here : this.learn(a, (constant - right + WORD) % WORD)
      case 'sub':
        if (right !== undefined) return this.learn(a, (constant + right) % WORD)
        return left === undefined ? here : this.learn(b, (left - constant + WORD) % WORD)
      case 'shl':
        return left !== undefined && this.width(b) + Number(left) <= 256 ? this.learn(b, constant >> left) : here
      case 'or':
        if (constant !== 0n) return here
        this.learn(a, 0n)
        this.learn(b, 0n)
        return here
      case 'lt':
        if (constant === 0n && left !== undefined) this.widths.set(b, bitLength(left))
        if (constant === 1n && right !== undefined) this.widths.set(a, bitLength(right))
        return here
      default:
        return here
    }
  }

  private isHash(id: ValueId): boolean {
    return this.builder.value(id).op === 'keccak'
  }

  private width(id: ValueId): number {
    return Math.min(this.widths.get(id) ?? 256, this.builder.value(id).bits)
  }
}

/** Inputs of the transaction: a guard on one holds or not whatever the path does, so it may stand in front. */
const INPUTS = new Set(['calldata', 'caller', 'value', 'gasprice'])

/**
 * Uses what each guard establishes: after a guard that a value is a constant (an ABI offset, a length, a call target,
 * a branch already taken) the value is that constant. Guards that pin an input of the transaction move to the front.
 *
 * In: a verified path. Out: a verified path; guards that the earlier ones imply are gone. A guard's condition may rely
 * on the guards before it alone, so no two guards justify each other; stores, logs and the end may rely on all,
 * since a lane that fails any guard has no outcome. Not preserved: values of lanes that exit.
 */
export const propagatePins = (path: PathIr): PathIr => hoistPins(hoistPins(path))

const hoistPins = (path: PathIr): PathIr => {
  const rebuild = new Rebuild(path)
  const { builder } = rebuild
  const front: Effect[] = []
  const guards: Effect[] = []
  for (const effect of path.effects) {
    if (effect.kind !== 'guard') continue
    const condition = rebuild.of(effect.condition)
    if (builder.constantOf(condition) === 1n) continue
    const pinned = rebuild.assume(condition)
    if (pinned !== undefined && INPUTS.has(builder.value(pinned.id).op)) {
      const equal = builder.make('eq', [pinned.id, builder.constant(pinned.constant)])
      front.push({ ...effect, condition: equal })
    } else {
      guards.push({ ...effect, condition })
    }
  }
  const outcome = path.effects.filter((effect) => effect.kind !== 'guard')
  const map = (id: ValueId): ValueId => rebuild.of(id)
  return {
    ...path,
    effects: [...front, ...guards, ...outcome.map((effect) => mapEffect(effect, map))],
    end: mapEnd(path.end, map),
    values: builder.values,
  }
}
