import { at, BITS, LIMBS, limbwise, MASK, members, moduleText, range, schoolbook, struct, Text } from './text.ts'

/** Karatsuba's identity once, 20 limbs by halves of 10: 300 products. Differences wrap; the columns are true. */
const productFunction = (): string => {
  const text = new Text()
  const half = LIMBS / 2
  const named = (name: string, terms: readonly string[]): string[] =>
    terms.map((term, k) => {
      text.lines.push(`  let ${name}${k} = ${term};`)
      return `${name}${k}`
    })
  const [a, b] = [members('a'), members('b')]
  const sumOfA = named(
    'a_sum',
    range(half).map((i) => `${a[i]} + ${a[i + half]}`),
  )
  const sumOfB = named(
    'b_sum',
    range(half).map((i) => `${b[i]} + ${b[i + half]}`),
  )
  const product = (name: string, x: readonly string[], y: readonly string[]): string[] =>
    named(
      name,
      schoolbook(x, y).map((terms) => terms.join(' + ')),
    )
  const low = product('low', a.slice(0, half), b.slice(0, half))
  const high = product('high', a.slice(half), b.slice(half))
  const both = product('both', sumOfA, sumOfB)
  const columns = range(2 * LIMBS - 1).map((k) => {
    const inner = k - half
    const middle = inner < 0 || inner > 2 * half - 2 ? [] : [`(${both[inner]} - ${low[inner]} - ${high[inner]})`]
    return [
      ...((low[k] ?? []).length === 0 ? [] : [low[k]!]),
      ...(k < LIMBS ? [] : [at(high, k - LIMBS)]),
      ...middle,
    ].join(' + ')
  })
  return text.end('limbs_product(a: Limbs, b: Limbs)', 'LimbColumns', columns)
}

/** Columns of t a, where t is a multiple of a and d = 2 a: 210 products. */
const squareFunction = (): string => {
  const columns = range(2 * LIMBS - 1).map((k) =>
    range(LIMBS)
      .filter((i) => i <= k - i && k - i < LIMBS)
      .map((i) => (2 * i === k ? `t.l${i} * a.l${i}` : `t.l${i} * d.l${k - i}`))
      .join(' + '),
  )
  return new Text().end('limbs_square(a: Limbs, d: Limbs, t: Limbs)', 'LimbColumns', columns)
}

const unpackFunction = (): string => {
  const word = (j: number): string => `x.${j < 4 ? 'lo' : 'hi'}.${'xyzw'[j % 4]}`
  const limbs = range(LIMBS).map((i) => {
    const [j, shift] = [Math.floor((BITS * i) / 32), (BITS * i) % 32]
    const low = shift === 0 ? word(j) : `(${word(j)} >> ${shift}u)`
    const whole = shift + BITS > 32 && j < 7 ? `(${low} | (${word(j + 1)} << ${32 - shift}u))` : low
    return `${whole} & ${MASK}u`
  })
  return new Text().end('limbs_unpack(x: U256)', 'Limbs', limbs)
}

export const limbsText = (): string =>
  moduleText([
    'import package::u256::u256::U256;',
    '/// A number as 20 limbs of 13 bits, least significant first; sums leave limbs above 13 bits. Members instead of an\n/// array keep it in registers.',
    struct(
      'Limbs',
      range(LIMBS).map((i) => `l${i}`),
    ),
    '/// The columns of a product: column k is the sum of a_i b_(k - i).',
    struct(
      'LimbColumns',
      range(2 * LIMBS - 1).map((i) => `c${i}`),
    ),
    `const LIMBS_ONE = Limbs(1u${', 0u'.repeat(LIMBS - 1)});`,
    `const LIMBS_ZERO = Limbs(${'0u, '.repeat(LIMBS - 1)}0u);`,
    '/// a b. By halves (Karatsuba and Ofman 1962): 300 products. Differences wrap; each column is below 2^32 where\n/// the largest limbs of a times those of b are (scripts/secp256k1_wgsl.ts).',
    productFunction(),
    '/// t a, where d = 2 a and t is a multiple of a: 210 products.',
    squareFunction(),
    limbwise('limbs_add', 'a: Limbs, b: Limbs', (i) => `a.l${i} + b.l${i}`),
    limbwise('limbs_select', 'f: Limbs, t: Limbs, cond: bool', (i) => `select(f.l${i}, t.l${i}, cond)`),
    '/// The columns of a number.',
    new Text().end(
      'limbs_columns(a: Limbs)',
      'LimbColumns',
      range(2 * LIMBS - 1).map((k) => (k < LIMBS ? `a.l${k}` : '0u')),
    ),
    '/// The limbs of a word.',
    unpackFunction(),
  ])
