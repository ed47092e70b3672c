import { type Fork, isAtLeast } from '../spec/forks.ts'
import { type StoreGas, storeCost, storeGasAt } from '../spec/gas.ts'
import { OPCODES } from '../spec/opcodes.ts'

/**
 * What a value of path IR is: a truth value, an unsigned number of 32 bits, or a word of 256 bits.
 *
 * Example: {@link parsePath}.
 */
export type ValueType = 'bool' | 'u32' | 'word'

/** Operations with one site per kernel; `emit` gives each a service in the step loop. */
export type Service = 'keccak' | 'slot' | 'account' | 'mul' | 'divmod' | 'modular' | 'exp'

export interface Operation {
  readonly name: string
  /** Operand types; a `word` operand also takes a bool or a u32 (zero-extended). 'variadic' = any number of words. */
  readonly operands: readonly ValueType[] | 'variadic'
  /** 'bitwise': bool when all operands are bool, else word. */
  readonly result: ValueType | 'bitwise'
  readonly service?: Service
  /** Constant evaluation, operands top of stack first. */
  readonly eval?: (operands: readonly bigint[]) => bigint
  /** Function of the WGSL prelude, for operations that are one call. */
  readonly wgsl?: string
}

const U32 = 0xffffffffn
const wrap32 = (value: bigint): bigint => value & U32
const truth = (value: boolean): bigint => (value ? 1n : 0n)

const byteLength = (value: bigint): bigint => (value === 0n ? 0n : BigInt(Math.ceil(value.toString(2).length / 8)))

/** First fork of each set of SSTORE prices, the newest first. */
const STORE_FORKS = ['london', 'berlin', 'istanbul', 'constantinople', 'frontier'] as const
type StoreFork = (typeof STORE_FORKS)[number]

const storeForkOf = (fork: Fork): StoreFork =>
  fork === 'petersburg' ? 'frontier' : STORE_FORKS.find((first) => isAtLeast(fork, first))!

/**
 * The newest rules have the plain name. Prices are equal from Berlin on (EIP-2929), refunds from London on (EIP-3529).
 */
const storeName = (what: 'gas' | 'refund', fork: StoreFork): string =>
  fork === 'london' || (what === 'gas' && fork === 'berlin') ? `sstore${what}` : `sstore${what}${fork}`

/**
 * The operations that give the price of an SSTORE, its cold part apart, and its change of the refund counter modulo
 * 2^32.
 */
export const storeOperations = (fork: Fork): { readonly gas: string; readonly refund: string } => {
  const first = storeForkOf(fork)
  return { gas: storeName('gas', first), refund: storeName('refund', first) }
}

/** The prices behind each of those operations. */
export const STORE_PRICES: ReadonlyMap<string, StoreGas> = new Map(
  STORE_FORKS.flatMap((fork) => {
    const prices = storeGasAt(fork)
    return [
      [storeName('gas', fork), prices],
      [storeName('refund', fork), prices],
    ] as const
  }),
)

/**
 * Operands original, current and next. Where no original plays a part (`net` is false), the current value stands for
 * it.
 */
const STORES: readonly Operation[] = [...STORE_PRICES].map(([name, prices]) => ({
  name,
  operands: ['word', 'word', 'word'],
  result: 'u32',
  eval: ([original, current, next]) => {
    const { gas, refund } = storeCost(prices, original!, current!, next!)
    return wrap32(BigInt(isStorePrice(name) ? gas : refund))
  },
}))

export const isStorePrice = (op: string): boolean => op.startsWith('sstoregas')

const LEAVES: readonly Operation[] = [
  { name: 'const', operands: [], result: 'word' },
  { name: 'caller', operands: [], result: 'word' },
  { name: 'gasprice', operands: [], result: 'word' },
  { name: 'value', operands: [], result: 'word' },
  { name: 'calldata', operands: [], result: 'word' },
  { name: 'environment', operands: [], result: 'word' },
  { name: 'gas', operands: [], result: 'u32' },
  { name: 'entry', operands: [], result: 'u32' },
]

const STATE: readonly Operation[] = [
  { name: 'account', operands: ['word'], result: 'u32', service: 'account' },
  { name: 'slot', operands: ['u32', 'word'], result: 'u32', service: 'slot' },
  { name: 'load', operands: ['u32'], result: 'word' },
  { name: 'address', operands: ['u32'], result: 'word' },
  { name: 'balance', operands: ['u32'], result: 'word' },
  { name: 'instance', operands: ['u32'], result: 'word' },
  { name: 'exists', operands: ['u32'], result: 'bool' },
  { name: 'hascode', operands: ['u32'], result: 'bool' },
  { name: 'skeleton', operands: ['u32'], result: 'bool' },
]

const BYTES: readonly Operation[] = [
  { name: 'keccak', operands: 'variadic', result: 'word', service: 'keccak' },
  { name: 'concat', operands: 'variadic', result: 'word' },
]

const SCALARS: readonly Operation[] = [
  { name: 'add32', operands: ['u32', 'u32'], result: 'u32', eval: ([a, b]) => wrap32(a! + b!) },
  { name: 'sub32', operands: ['u32', 'u32'], result: 'u32', eval: ([a, b]) => wrap32(a! - b!) },
  { name: 'mul32', operands: ['u32', 'u32'], result: 'u32', eval: ([a, b]) => wrap32(a! * b!) },
  { name: 'ge32', operands: ['u32', 'u32'], result: 'bool', eval: ([a, b]) => truth(a! >= b!) },
  { name: 'gt32', operands: ['u32', 'u32'], result: 'bool', eval: ([a, b]) => truth(a! > b!) },
  { name: 'eq32', operands: ['u32', 'u32'], result: 'bool', eval: ([a, b]) => truth(a === b) },
  { name: 'bytelength', operands: ['word'], result: 'u32', eval: ([a]) => byteLength(a!), wgsl: 'u256_byte_length' },
  { name: 'callgas', operands: ['word', 'u32'], result: 'u32' },
]

const COMPARISONS = new Set(['lt', 'gt', 'slt', 'sgt', 'eq', 'iszero'])
const BITWISE = new Set(['and', 'or', 'xor'])
const SERVICES: Readonly<Record<string, Service>> = {
  mul: 'mul',
  div: 'divmod',
  sdiv: 'divmod',
  mod: 'divmod',
  smod: 'divmod',
  addmod: 'modular',
  mulmod: 'modular',
  exp: 'exp',
}

/** Every pure row of the opcode table is an operation of the same name in lower case. */
const evmOperations = (): Operation[] =>
  OPCODES.flatMap((row) => {
    if (row.eval === undefined || row.wgsl === undefined) return []
    const name = row.mnemonic.toLowerCase()
    const service = SERVICES[name]
    return [
      {
        name,
        operands: Array.from({ length: row.pops }, () => 'word' as const),
        result: COMPARISONS.has(name) ? 'bool' : BITWISE.has(name) ? 'bitwise' : 'word',
        eval: row.eval,
        wgsl: row.wgsl,
        ...(service === undefined ? {} : { service }),
      } satisfies Operation,
    ]
  })

export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  [...LEAVES, ...STATE, ...BYTES, ...SCALARS, ...STORES, ...evmOperations()].map((operation) => [
    operation.name,
    operation,
  ]),
)
