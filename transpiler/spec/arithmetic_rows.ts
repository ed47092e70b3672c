import { type Opcode, opcode } from './opcode.ts'

/**
 * The pure rows: arithmetic, comparison and bits (0x01 to 0x1e). Each `eval` is the YP appendix H formula over bigint.
 */

const WORD = 1n << 256n
const MAX = WORD - 1n
const MIN_SIGNED = 1n << 255n

const wrap = (x: bigint): bigint => BigInt.asUintN(256, x)
const signed = (x: bigint): bigint => BigInt.asIntN(256, x)
const truth = (b: boolean): bigint => (b ? 1n : 0n)

const unary = (f: (a: bigint) => bigint) => (operands: readonly bigint[]) => f(operands[0]!)
const binary = (f: (a: bigint, b: bigint) => bigint) => (operands: readonly bigint[]) => f(operands[0]!, operands[1]!)
const ternary = (f: (a: bigint, b: bigint, c: bigint) => bigint) => (operands: readonly bigint[]) =>
  f(operands[0]!, operands[1]!, operands[2]!)

const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = wrap(result * square)
    square = wrap(square * square)
  }
  return result
}

const signExtend = (byteIndex: bigint, x: bigint): bigint =>
  byteIndex >= 31n ? x : wrap(BigInt.asIntN(Number(byteIndex) * 8 + 8, x))

const leadingZeros = (x: bigint): bigint => (x === 0n ? 256n : 256n - BigInt(x.toString(2).length))

const comparison = { wgslResult: 'bool' } as const
const shift = { since: 'constantinople' } as const
const shiftValues = [
  [0n, MAX],
  [1n, MIN_SIGNED],
  [31n, MAX],
  [32n, MIN_SIGNED + 1n],
  [64n, MAX],
  [128n, MAX],
  [255n, MAX],
  [255n, MIN_SIGNED - 1n],
  [256n, MAX],
  [257n, MIN_SIGNED],
  [1n << 32n, MAX],
  [(1n << 32n) + 1n, MAX],
  [1n << 128n, MIN_SIGNED],
  [MAX, MAX],
] as const

export const ARITHMETIC_ROWS: readonly Opcode[] = [
  opcode(0x01, 'ADD', 2, 1, 3, 'a + b mod 2^256 (YP H)', {
    eval: binary((a, b) => wrap(a + b)),
    wgsl: 'u256_add',
    testValues: [
      [MAX, 1n],
      [MAX, MAX],
      [0xffffffffn, 1n],
      [(1n << 128n) - 1n, 1n],
      [MIN_SIGNED, MIN_SIGNED],
    ],
  }),
  opcode(0x02, 'MUL', 2, 1, 5, 'a * b mod 2^256 (YP H)', {
    eval: binary((a, b) => wrap(a * b)),
    wgsl: 'u256_mul',
    testValues: [
      [MAX, MAX],
      [1n << 128n, 1n << 128n],
      [(1n << 128n) - 1n, (1n << 128n) - 1n],
      [0xffffffffn, 0xffffffffn],
      [MIN_SIGNED, 3n],
    ],
  }),
  opcode(0x03, 'SUB', 2, 1, 3, 'a - b mod 2^256 (YP H)', {
    eval: binary((a, b) => wrap(a - b)),
    wgsl: 'u256_sub',
    testValues: [
      [0n, 1n],
      [0n, MAX],
      [1n << 128n, 1n],
      [1n << 32n, 1n],
      [MAX, MAX],
    ],
  }),
  opcode(0x04, 'DIV', 2, 1, 5, 'floor(a / b); 0 where b = 0 (YP H)', {
    eval: binary((a, b) => (b === 0n ? 0n : a / b)),
    wgsl: 'u256_div',
    testValues: [
      [1n, 0n],
      [MAX, 1n],
      [MAX, MAX],
      [MAX - 1n, MAX],
      [MAX, (1n << 128n) + 1n],
      [MIN_SIGNED, (1n << 127n) + 1n],
      [(1n << 255n) - 1n, (1n << 240n) - 1n],
    ],
  }),
  opcode(0x05, 'SDIV', 2, 1, 5, 'signed a / b, towards zero; 0 where b = 0; -2^255 / -1 = -2^255 (YP H)', {
    eval: binary((a, b) => (b === 0n ? 0n : wrap(signed(a) / signed(b)))),
    wgsl: 'u256_sdiv',
    testValues: [
      [MIN_SIGNED, MAX],
      [MIN_SIGNED, 1n],
      [MAX, 0n],
      [MAX - 6n, 2n],
      [7n, MAX - 1n],
      [MIN_SIGNED, MIN_SIGNED],
    ],
  }),
  opcode(0x06, 'MOD', 2, 1, 5, 'a mod b; 0 where b = 0 (YP H)', {
    eval: binary((a, b) => (b === 0n ? 0n : a % b)),
    wgsl: 'u256_mod',
    testValues: [
      [1n, 0n],
      [MAX, 1n],
      [MAX - 1n, MAX],
      [MAX, (1n << 128n) + 1n],
      [MIN_SIGNED, (1n << 127n) + 1n],
    ],
  }),
  opcode(0x07, 'SMOD', 2, 1, 5, 'signed a mod b with the sign of a; 0 where b = 0 (YP H)', {
    eval: binary((a, b) => (b === 0n ? 0n : wrap(signed(a) % signed(b)))),
    wgsl: 'u256_smod',
    testValues: [
      [MAX - 6n, 3n],
      [7n, MAX - 2n],
      [MAX - 6n, MAX - 2n],
      [MIN_SIGNED, MAX],
      [MIN_SIGNED, 3n],
      [MAX, 0n],
    ],
  }),
  opcode(0x08, 'ADDMOD', 3, 1, 8, '(a + b) mod n over the unbounded sum; 0 where n = 0 (YP H)', {
    eval: ternary((a, b, n) => (n === 0n ? 0n : (a + b) % n)),
    wgsl: 'u256_addmod',
    testValues: [
      [MAX, MAX, MAX],
      [MAX, MAX, 0n],
      [MAX, 1n, 2n],
      [MAX, MAX, MAX - 1n],
      [MAX, 2n, MIN_SIGNED + 1n],
      [1n, 1n, 1n],
    ],
  }),
  opcode(0x09, 'MULMOD', 3, 1, 8, '(a * b) mod n over the unbounded product; 0 where n = 0 (YP H)', {
    eval: ternary((a, b, n) => (n === 0n ? 0n : (a * b) % n)),
    wgsl: 'u256_mulmod',
    testValues: [
      [MAX, MAX, MAX],
      [MAX, MAX, 0n],
      [MAX, MAX, MAX - 1n],
      [MAX, MAX, 3n],
      [1n << 255n, 2n, MAX],
      [MAX - 1n, MAX - 2n, (1n << 128n) + 1n],
    ],
  }),
  opcode(0x0a, 'EXP', 2, 1, 10, 'a ^ b mod 2^256; 0 ^ 0 = 1 (YP H; gas per exponent byte EIP-160)', {
    dynamicGas: ['expByte'],
    eval: binary(power),
    wgsl: 'u256_exp',
    testValues: [
      [0n, 0n],
      [0n, 1n],
      [2n, 255n],
      [2n, 256n],
      [3n, MAX],
      [MAX, MAX],
      [10n, 77n],
      [10n, 78n],
    ],
  }),
  opcode(
    0x0b,
    'SIGNEXTEND',
    2,
    1,
    5,
    'x with the sign of its byte i (from the lowest) spread upwards; x where i >= 31 (YP H)',
    {
      eval: binary(signExtend),
      wgsl: 'u256_signextend',
      testValues: [
        [0n, 0x7fn],
        [0n, 0x80n],
        [0n, 0x17fn],
        [3n, 0x80000000n],
        [15n, 1n << 127n],
        [30n, 1n << 247n],
        [30n, MAX],
        [31n, MAX],
        [32n, 0x80n],
        [1n << 32n, 0x80n],
        [MAX, 0x80n],
      ],
    },
  ),
  opcode(0x10, 'LT', 2, 1, 3, 'a < b (YP H)', { ...comparison, eval: binary((a, b) => truth(a < b)), wgsl: 'u256_lt' }),
  opcode(0x11, 'GT', 2, 1, 3, 'a > b (YP H)', { ...comparison, eval: binary((a, b) => truth(a > b)), wgsl: 'u256_gt' }),
  opcode(0x12, 'SLT', 2, 1, 3, 'a < b, signed (YP H)', {
    ...comparison,
    eval: binary((a, b) => truth(signed(a) < signed(b))),
    wgsl: 'u256_slt',
    testValues: [
      [MIN_SIGNED, MIN_SIGNED - 1n],
      [MIN_SIGNED - 1n, MIN_SIGNED],
      [MAX, 0n],
      [0n, MAX],
      [MAX, MAX],
    ],
  }),
  opcode(0x13, 'SGT', 2, 1, 3, 'a > b, signed (YP H)', {
    ...comparison,
    eval: binary((a, b) => truth(signed(a) > signed(b))),
    wgsl: 'u256_sgt',
    testValues: [
      [MIN_SIGNED, MIN_SIGNED - 1n],
      [MIN_SIGNED - 1n, MIN_SIGNED],
      [MAX, 0n],
      [0n, MAX],
      [MAX, MAX],
    ],
  }),
  opcode(0x14, 'EQ', 2, 1, 3, 'a = b (YP H)', {
    ...comparison,
    eval: binary((a, b) => truth(a === b)),
    wgsl: 'u256_eq',
  }),
  opcode(0x15, 'ISZERO', 1, 1, 3, 'a = 0 (YP H)', {
    ...comparison,
    eval: unary((a) => truth(a === 0n)),
    wgsl: 'u256_is_zero',
  }),
  opcode(0x16, 'AND', 2, 1, 3, 'a and b, bit by bit (YP H)', { eval: binary((a, b) => a & b), wgsl: 'u256_and' }),
  opcode(0x17, 'OR', 2, 1, 3, 'a or b, bit by bit (YP H)', { eval: binary((a, b) => a | b), wgsl: 'u256_or' }),
  opcode(0x18, 'XOR', 2, 1, 3, 'a xor b, bit by bit (YP H)', { eval: binary((a, b) => a ^ b), wgsl: 'u256_xor' }),
  opcode(0x19, 'NOT', 1, 1, 3, 'not a, bit by bit (YP H)', { eval: unary((a) => a ^ MAX), wgsl: 'u256_not' }),
  opcode(0x1a, 'BYTE', 2, 1, 3, 'byte i of x, from the highest; 0 where i >= 32 (YP H)', {
    eval: binary((i, x) => (i >= 32n ? 0n : (x >> (248n - 8n * i)) & 0xffn)),
    wgsl: 'u256_byte',
    testValues: [
      [0n, 0xffn << 248n],
      [31n, MAX - 0xfen],
      [15n, 0xabn << 128n],
      [32n, MAX],
      [(1n << 32n) + 1n, MAX],
      [MAX, MAX],
    ],
  }),
  opcode(0x1b, 'SHL', 2, 1, 3, 'x << s; 0 where s >= 256 (EIP-145)', {
    ...shift,
    eval: binary((s, x) => (s >= 256n ? 0n : wrap(x << s))),
    wgsl: 'u256_shl',
    testValues: shiftValues,
  }),
  opcode(0x1c, 'SHR', 2, 1, 3, 'x >> s; 0 where s >= 256 (EIP-145)', {
    ...shift,
    eval: binary((s, x) => (s >= 256n ? 0n : x >> s)),
    wgsl: 'u256_shr',
    testValues: shiftValues,
  }),
  opcode(0x1d, 'SAR', 2, 1, 3, 'signed x >> s; all sign bits where s >= 256 (EIP-145)', {
    ...shift,
    eval: binary((s, x) => wrap(signed(x) >> (s >= 256n ? 256n : s))),
    wgsl: 'u256_sar',
    testValues: shiftValues,
  }),
  opcode(0x1e, 'CLZ', 1, 1, 5, 'leading zero bits of x; 256 where x = 0 (EIP-7939)', {
    since: 'osaka',
    eval: unary(leadingZeros),
    wgsl: 'u256_clz',
    testValues: [[0n], [1n], [MAX], [MIN_SIGNED], [MIN_SIGNED - 1n], [1n << 224n], [(1n << 224n) - 1n], [1n << 31n]],
  }),
]
