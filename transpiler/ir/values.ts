import type { Attribute, Value, ValueId } from './path_ir.ts'

/** SSA values that are made on demand: what folding asks of the Builder that calls it. */
export interface Values {
  constant(value: bigint): ValueId
  make(op: string, args: readonly ValueId[], attribute?: Attribute): ValueId
  value(id: ValueId): Value
  /** The constant that `id` is, or undefined. */
  constantOf(id: ValueId): bigint | undefined
}
