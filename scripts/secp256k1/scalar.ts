import {
  assertNormal,
  at,
  BITS,
  type Column,
  columnMembers,
  GROUP_ORDER,
  LIMBS,
  limbsOfNumber,
  MASK,
  members,
  moduleText,
  NORMAL,
  number,
  packed,
  packFunction,
  productBounds,
  range,
  schoolbook,
  struct,
  Text,
  wordConstant,
} from './text.ts'

/** 2^260 modulo n: 11 limbs. */
const ORDER_FOLD = limbsOfNumber(2n ** 260n % GROUP_ORDER, 11)

/**
 * Columns from 20 on become limbs, which come down times 2^260 mod n, until there are none; the carry out of the lower
 * ones comes down the same way.
 */
const scalarReduceFunction = (): string => {
  const text = new Text()
  /** Limbs of the columns, the carry included. */
  const whole = (name: string, columns: readonly Column[]): string[] => {
    const { limbs, carry } = text.carry(name, columns)
    const all = [...limbs]
    for (let rest = carry, k = 0; text.most(rest) > 0n; k++) {
      const upper = text.most(rest) >> 13n
      all.push(text.let(`${name}_top${k}`, `${rest} & ${MASK}u`, upper > 0n ? MASK : text.most(rest)))
      rest = text.let(`${name}_rest${k}`, `${rest} >> ${BITS}u`, upper)
    }
    return all
  }
  /** The lower columns with these limbs of 2^260 added. */
  const brought = (low: readonly Column[], limbs: readonly string[]): Column[] => {
    const products = schoolbook(limbs, ORDER_FOLD.map(number))
    const bounds = productBounds(
      limbs.map((limb) => text.most(limb)),
      ORDER_FOLD,
    )
    return range(Math.max(LIMBS, products.length)).map((k) => ({
      terms: [...(low[k]?.terms ?? []), ...(products[k] ?? [])],
      most: (low[k]?.most ?? 0n) + (bounds[k] ?? 0n),
    }))
  }
  const most = productBounds(NORMAL, NORMAL)
  let columns = columnMembers('x').map((name, k): Column => ({ terms: [name], most: at(most, k) }))
  for (let round = 0; columns.length > LIMBS; round++) {
    const high = whole(`h${round}_`, columns.slice(LIMBS))
    columns = brought(columns.slice(0, LIMBS), high).map(({ terms, most: bound }, k) => ({
      terms: [text.let(`x${round}_${k}`, terms.join(' + '), bound)],
      most: bound,
    }))
  }
  const low = whole('l', columns)
  const end = brought(
    low.slice(0, LIMBS).map((one) => ({ terms: [one], most: text.most(one) })),
    low.slice(LIMBS),
  )
  const { limbs, carry } = text.carry('e', end.slice(0, LIMBS - 1))
  const top = at(end, LIMBS - 1)
  const all = [...limbs, text.let('e19', [...top.terms, carry].join(' + '), top.most + text.most(carry))]
  assertNormal(text, all)
  return text.end('scalar_reduce(x: LimbColumns)', 'Limbs', all)
}

/** The lattice of the endomorphism (Guide to ECC, algorithm 3.74): a + b lambda = 0 (mod n) for both rows. */
const A1 = 0x3086d221a7d46bcde86c90e49284eb15n

const B1 = -0xe4437ed6010e88286f547fa90abfe4c3n

const A2 = 0x114ca50f7a8e2f3f657c1108d9d44cfd8n

const B2 = A1

const rounded = (value: bigint): bigint => ((value << 384n) + GROUP_ORDER / 2n) / GROUP_ORDER

/** round(k g / 2^384), 10 limbs: column sums with one half added. */
const highProduct = (text: Text, name: string, factor: bigint): string[] => {
  const g = limbsOfNumber(factor)
  const bounds = productBounds(NORMAL, g)
  const products = schoolbook(members('k'), g.map(number))
  const columns = products.map((terms, k): Column => {
    const half = k === 29 ? 64n : 0n
    return { terms: half > 0n ? [...terms, `${half}u`] : terms, most: at(bounds, k) + half }
  })
  const { limbs, carry } = text.carry(name, columns)
  const all = [...limbs, carry]
  return range(10).map((j) => {
    const [low, next] = [at(all, 29 + j), at(all, 30 + j)]
    return text.let(`${name}_${j}`, `((${low} >> 7u) | (${next} << 6u)) & ${MASK}u`, MASK)
  })
}

/** Signed sums of columns; true ones stay within i32. */
const signedCarry = (text: Text, name: string, columns: readonly string[]): string[] =>
  columns.map((terms, k) => {
    const carry = k === 0 ? '' : ` + bitcast<u32>(bitcast<i32>(${name}_sum${k - 1}) >> ${BITS}u)`
    text.lines.push(`  let ${name}_sum${k} = ${terms}${carry};`)
    text.lines.push(`  let ${name}${k} = ${name}_sum${k} & ${MASK}u;`)
    return `${name}${k}`
  })

/**
 * k = k1 + k2 lambda with both halves odd: the rounded lattice point is subtracted, then (a1, b1) is added where k1 is
 * even, and (a2, b2), whose a2 is even, where k2 still is. |k1|, |k2| < 2^129. The digits of an odd half are those of
 * (half + 2^132 - 1) / 2.
 */
const splitFunction = (): string => {
  const text = new Text()
  const c1 = highProduct(text, 'p', rounded(B2))
  const c2 = highProduct(text, 'q', rounded(-B1))
  const count = 11
  const constant = (value: bigint): string[] => limbsOfNumber(value, count).map(number)
  const product = (c: readonly string[], value: bigint): string[][] => schoolbook(c, constant(value).slice(0, 10))
  const less = (terms: readonly string[] | undefined): string => (terms ?? []).map((term) => ` - ${term}`).join('')
  const more = (terms: readonly string[] | undefined): string => (terms ?? []).map((term) => ` + ${term}`).join('')
  const first = [product(c1, A1), product(c2, A2)] as const
  const second = [product(c1, -B1), product(c2, B2)] as const
  const raw1 = range(count).map((j) => `k.l${j}${less(first[0][j])}${less(first[1][j])}`)
  const raw2 = range(count).map((j) => `0u${more(second[0][j])}${less(second[1][j])}`)
  text.lines.push(`  let even1 = ((${raw1[0]}) & 1u) ^ 1u;`)
  text.lines.push(`  let even2 = ((${raw2[0]}) & 1u) ^ 1u ^ even1;`)
  const bias = constant((1n << 132n) - 1n)
  const [a1, b1, a2, b2] = [constant(A1), constant(-B1), constant(A2), constant(B2)]
  const half = (
    name: string,
    raw: readonly string[],
    one: string,
    x: readonly string[],
    y: readonly string[],
  ): string[] =>
    signedCarry(
      text,
      name,
      raw.map((terms, j) => `${terms} + ${bias[j]} ${one} even1 * ${x[j]} + even2 * ${y[j]}`),
    )
  const words = [...packed(half('f', raw1, '+', a1, a2), 5, 32, 1), ...packed(half('s', raw2, '-', b1, b2), 5, 32, 1)]
  return text.end('scalar_split(k: Limbs)', 'ScalarHalves', words)
}

export const scalarText = (): string =>
  moduleText([
    'import package::secp256k1::limbs::{LimbColumns, Limbs};\nimport package::u256::u256::U256;',
    wordConstant('SCALAR_ORDER', GROUP_ORDER),
    '/// The digits of both halves of a scalar, eight to a word, the first in the low bits (transpiler/layout/recovery.ts).',
    struct(
      'ScalarHalves',
      range(10).map((i) => `w${i}`),
    ),
    '/// The columns of a product of normal numbers modulo n, as a normal number.',
    scalarReduceFunction(),
    '/// A normal number as a word, congruent modulo n.',
    packFunction('scalar_pack', GROUP_ORDER),
    '/// k below n as odd halves k1 + k2 lambda (Gallant, Lambert and Vanstone 2001), by their digits.',
    splitFunction(),
  ])
