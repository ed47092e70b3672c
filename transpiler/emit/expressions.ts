import { isStorePrice, OPERATIONS, STORE_PRICES } from '../ir/ops.ts'
import type { Piece, Value, ValueId } from '../ir/path_ir.ts'
import { ENVIRONMENT_WORDS, type EnvironmentWord } from '../layout/environment.ts'
import { HINT_COLUMNS } from '../path_kernel.ts'
import type { PathColumns } from './columns.ts'

const limbsOf = (value: bigint): string[] =>
  Array.from({ length: 8 }, (_, limb) => `${(value >> BigInt(32 * limb)) & 0xffffffffn}u`)

/** A constant word as WGSL. */
const wordLiteral = (value: bigint): string => {
  const limbs = limbsOf(value)
  const half = (from: number): string => {
    const four = limbs.slice(from, from + 4)
    return four.every((limb) => limb === four[0]) ? `vec4<u32>(${four[0]})` : `vec4<u32>(${four.join(', ')})`
  }
  return `U256(${half(0)}, ${half(4)})`
}

/** Expressions of all operations but hashes and look-ups, over the names v0, v1, ... of other values. */
export class Expressions {
  private readonly values: readonly Value[]
  private readonly columns: PathColumns
  /** Loads look at the hint columns first. */
  private readonly hinted: boolean

  constructor(values: readonly Value[], columns: PathColumns, hinted: boolean) {
    this.values = values
    this.columns = columns
    this.hinted = hinted
  }

  word(id: ValueId): string {
    const value = this.values[id]!
    if (value.op === 'const') return wordLiteral(value.attribute as bigint)
    if (value.type === 'bool') return `u256_from_bool(v${id})`
    return value.type === 'u32' ? `u256_from_u32(v${id})` : `v${id}`
  }

  u32(id: ValueId): string {
    const value = this.values[id]!
    return value.op === 'const' ? `${value.attribute}u` : `v${id}`
  }

  bool(id: ValueId): string {
    const value = this.values[id]!
    return value.op === 'const' ? String(value.attribute === 1n) : `v${id}`
  }

  /** The right-hand side of a value. */
  light(id: ValueId): string {
    const { op, args, attribute, type } = this.values[id]!
    const [a, b, c] = args as [ValueId, ValueId, ValueId]
    switch (op) {
      case 'caller':
      case 'gasprice':
      case 'value':
      case 'calldata':
        return `lane_in_word(${this.columns.inputColumn.get(id)}u, lane)`
      case 'environment':
        return `environment_word(${ENVIRONMENT_WORDS.indexOf(attribute as EnvironmentWord)}u)`
      case 'gas':
        return 'scalars.x'
      case 'entry':
        return 'scalars.y'
      case 'address':
        return `state_account_address(${this.u32(a)})`
      case 'balance':
        return `state_account_balance(${this.u32(a)})`
      case 'instance':
        return `state_constant(${this.u32(a)}, ${attribute}u)`
      case 'exists':
        return `state_account_exists(${this.u32(a)})`
      case 'hascode':
        return `state_account_skeleton(${this.u32(a)}) != 0u`
      case 'skeleton':
        return `state_account_skeleton(${this.u32(a)}) == environment_skeleton(${attribute}u)`
      case 'load':
        if (!this.hinted) return `state_slot_value(${this.u32(a)})`
        return `path_load(${this.u32(a)}, ${this.columns.inputColumns + HINT_COLUMNS * this.columns.slotOrdinal.get(a)!}u, lane)`
      case 'concat':
        return this.concat(args, attribute as readonly Piece[])
      case 'shl':
      case 'shr': {
        const amount = this.values[a]!
        if (amount.op !== 'const') break
        return `u256_shift_${op === 'shl' ? 'left' : 'right'}(${this.word(b)}, ${amount.attribute}u)`
      }
      case 'iszero':
        return this.values[a]!.type === 'bool' ? `!${this.bool(a)}` : `u256_is_zero(${this.word(a)})`
      case 'and':
      case 'or':
      case 'xor':
        if (type === 'bool') return `${this.bool(a)} ${{ and: '&', or: '|', xor: '!=' }[op]} ${this.bool(b)}`
        break
      case 'add32':
        return `${this.u32(a)} + ${this.u32(b)}`
      case 'sub32':
        return `${this.u32(a)} - ${this.u32(b)}`
      case 'mul32':
        return `${this.u32(a)} * ${this.u32(b)}`
      case 'ge32':
        return `${this.u32(a)} >= ${this.u32(b)}`
      case 'gt32':
        return `${this.u32(a)} > ${this.u32(b)}`
      case 'eq32':
        return `${this.u32(a)} == ${this.u32(b)}`
      case 'callgas':
        return `evm_call_gas(${this.word(a)}, ${this.u32(b)})`
    }
    const prices = STORE_PRICES.get(op)
    if (prices !== undefined) {
      const { dirty, reset, clearRefund } = prices
      const words = `${this.word(a)}, ${this.word(b)}, ${this.word(c)}`
      return `evm_store(${words}, ${dirty}u, ${reset}u, ${clearRefund}u).${isStorePrice(op) ? 'x' : 'y'}`
    }
    const wgsl = OPERATIONS.get(op)?.wgsl
    if (wgsl === undefined) throw new Error(`no WGSL for operation ${op}`)
    return `${wgsl}(${args.map((argument) => this.word(argument)).join(', ')})`
  }

  private concat(args: readonly ValueId[], pieces: readonly Piece[]): string {
    return pieces
      .map((piece) => {
        let text = this.word(args[piece.argument]!)
        // Left past the bytes in front, right past those after, left to its place.
        if (piece.from > 0) text = `u256_shift_left(${text}, ${8 * piece.from}u)`
        if (piece.count < 32) text = `u256_shift_right(${text}, ${8 * (32 - piece.count)}u)`
        const behind = 32 - piece.to - piece.count
        return behind > 0 ? `u256_shift_left(${text}, ${8 * behind}u)` : text
      })
      .reduce((left, right) => `u256_or(${left}, ${right})`)
  }
}
