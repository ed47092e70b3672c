import type { PathKey } from '../path_kernel.ts'
import type { ValueType } from './ops.ts'

/**
 * Position of a value in `PathIr.values`; every operand stands before its user.
 *
 * Example: {@link parsePath}.
 */
export type ValueId = number

/**
 * What an operation carries besides its operands: a constant, an index, a name, or the pieces of a `concat`.
 *
 * Example: {@link parsePath}.
 */
export type Attribute = bigint | number | string | readonly Piece[]

/**
 * `count` bytes of operand `argument`, from byte `from` (0 = most significant), put at byte `to` of the result.
 * Pieces of a concat are disjoint and ascending by `to`; bytes that no piece covers are zero.
 *
 * Example: {@link parsePath}.
 */
export interface Piece {
  readonly argument: number
  readonly from: number
  readonly count: number
  readonly to: number
}

/**
 * One operation of path IR with its operands. Values are pure: state is read as it was before the transaction.
 *
 * Example: {@link parsePath}.
 */
export interface Value {
  readonly op: string
  readonly args: readonly ValueId[]
  readonly attribute?: Attribute
  readonly type: ValueType
  /** Proven: the value is below 2^bits. */
  readonly bits: number
}

/**
 * The path holds only where `condition` (a bool) is true.
 *
 * Example: {@link parsePath}.
 */
export interface GuardEffect {
  readonly kind: 'guard'
  readonly condition: ValueId
  readonly meaning: string
  readonly pc: number
  readonly depth: number
}

/**
 * The last value written to a slot. `delta`: `value` is an amount to add (+1) or subtract (-1), see find_deltas.ts.
 *
 * Example: {@link parsePath}.
 */
export interface StoreEffect {
  readonly kind: 'store'
  readonly slot: ValueId
  readonly value: ValueId
  readonly delta?: { readonly sign: 1 | -1; readonly conditions: readonly DeltaConditionName[] }
}
/**
 * The conditions of `DeltaCondition`, in path IR.
 *
 * Example: {@link parsePath}.
 */
export type DeltaConditionName = 'noUnderflow' | 'noOverflow' | 'sameZeroness'

/**
 * A log of the outcome: the account that emits it, its topics, and data of `bytes` bytes in whole words.
 *
 * Example: {@link parsePath}.
 */
export interface LogEffect {
  readonly kind: 'log'
  readonly emitter: ValueId
  readonly topics: readonly ValueId[]
  readonly bytes: number
  readonly data: readonly ValueId[]
}

/**
 * `amount` wei, not zero, goes from one account to another (ids). Transfers apply in order, after the value of the
 * transaction, and hold where the balance covers them. `back`: an earlier one is moved back, because its frame was
 * dropped.
 *
 * Example: {@link parsePath}.
 */
export interface TransferEffect {
  readonly kind: 'transfer'
  readonly from: ValueId
  readonly to: ValueId
  readonly amount: ValueId
  readonly back?: true
}

/**
 * What a path does beside computing values: guards, stores, transfers of wei, logs, in the order of the execution.
 *
 * Example: {@link parsePath}.
 */
export type Effect = GuardEffect | StoreEffect | TransferEffect | LogEffect

/**
 * How the transaction ends. `gas` is the execution gas used, `refund` the refund counter (u32 values).
 *
 * Example: {@link parsePath}.
 */
export interface PathEnd {
  readonly status: 'success' | 'revert' | 'halt'
  readonly gas: ValueId
  readonly refund: ValueId
  readonly bytes: number
  readonly output: readonly ValueId[]
}

/**
 * A path as the recorder makes it and the passes change it: values in order, effects in order, and the end.
 *
 * Example: {@link parsePath}.
 */
export interface PathIr {
  readonly key: PathKey
  readonly values: readonly Value[]
  readonly effects: readonly Effect[]
  readonly end: PathEnd
  /** Code skeletons by the index that `skeleton` values carry; [0] is the entry contract's. */
  readonly skeletons: readonly string[]
}

/** The ids of the values that an effect uses. */
export const usesOfEffect = (effect: Effect): readonly ValueId[] => {
  switch (effect.kind) {
    case 'guard':
      return [effect.condition]
    case 'store':
      return [effect.slot, effect.value]
    case 'transfer':
      return [effect.from, effect.to, effect.amount]
    case 'log':
      return [effect.emitter, ...effect.topics, ...effect.data]
  }
}

/** The ids of the values that the end of a path uses. */
export const usesOfEnd = (end: PathEnd): readonly ValueId[] => [end.gas, end.refund, ...end.output]

/** The effect with every value id replaced by what `map` makes of it. */
export const mapEffect = (effect: Effect, map: (id: ValueId) => ValueId): Effect => {
  switch (effect.kind) {
    case 'guard':
      return { ...effect, condition: map(effect.condition) }
    case 'store':
      return { ...effect, slot: map(effect.slot), value: map(effect.value) }
    case 'transfer':
      return { ...effect, from: map(effect.from), to: map(effect.to), amount: map(effect.amount) }
    case 'log':
      return { ...effect, emitter: map(effect.emitter), topics: effect.topics.map(map), data: effect.data.map(map) }
  }
}

/** The end of a path with every value id replaced by what `map` makes of it. */
export const mapEnd = (end: PathEnd, map: (id: ValueId) => ValueId): PathEnd => ({
  ...end,
  gas: map(end.gas),
  refund: map(end.refund),
  output: end.output.map(map),
})
