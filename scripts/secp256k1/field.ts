import {
  assertNormal,
  at,
  BITS,
  type Bounds,
  type Column,
  columnMembers,
  FIELD_PRIME,
  LIMBS,
  limbsConstant,
  limbsOfNumber,
  limbwise,
  MASK,
  moduleText,
  NORMAL,
  number,
  numberOfLimbs,
  packFunction,
  productBounds,
  range,
  scaled,
  Text,
  wordConstant,
} from './text.ts'

/** Limbs of a multiple of the prime, each at least the bound and at most 2^13 - 1 above it. */
const multipleAbove = (prime: bigint, bounds: Bounds): bigint[] => {
  const least = numberOfLimbs(bounds)
  const rest = limbsOfNumber((least / prime + 1n) * prime - least)
  return bounds.map((bound, i) => bound + at(rest, i))
}

/** What `field_reduce` takes: three times a product of normal numbers, and a multiple of p above three of them. */
const REDUCIBLE: Bounds = productBounds(scaled(NORMAL, 3n), NORMAL).map(
  (most, k) => most + (k < LIMBS ? at(multipleAbove(FIELD_PRIME, scaled(NORMAL, 3n)), k) : 0n),
)

const FOLD = 15632n

const FOLD_SHIFT = 10n

/**
 * Columns from 20 on become limbs h; 2^260 = 15632 + 2^10 2^26 (mod p) brings them down. What then passes 2^260 comes
 * down once more, as the three limbs t.
 */
const fieldReduceFunction = (): string => {
  const text = new Text()
  const columns = columnMembers('x').map((name, k): Column => ({ terms: [name], most: at(REDUCIBLE, k) }))
  const high = text.carry('h', columns.slice(LIMBS))
  const h = [...high.limbs, text.let('h19', `${high.carry} & ${MASK}u`, MASK)]
  const h20 = text.let('h20', `${high.carry} >> ${BITS}u`, text.most(high.carry) >> 13n)
  const brought = (k: number, from: readonly string[]): Column => {
    const [one, two] = [from[k], k < 2 ? undefined : from[k - 2]]
    return {
      terms: [
        ...(one === undefined ? [] : [`${one} * ${FOLD}u`]),
        ...(two === undefined ? [] : [`(${two} << ${FOLD_SHIFT}u)`]),
      ],
      most: (one === undefined ? 0n : text.most(one) * FOLD) + (two === undefined ? 0n : text.most(two) << FOLD_SHIFT),
    }
  }
  const plus = (a: Column, b: Column): Column => ({ terms: [...a.terms, ...b.terms], most: a.most + b.most })
  const low = text.carry(
    'l',
    range(LIMBS).map((k) => plus(at(columns, k), brought(k, h))),
  )
  const above = [...h, h20]
  const over = text.carry('o', [
    plus({ terms: [low.carry], most: text.most(low.carry) }, brought(LIMBS, above)),
    brought(LIMBS + 1, above),
  ])
  const last = brought(LIMBS + 2, above)
  const t = [...over.limbs, text.let('o2', [over.carry, ...last.terms].join(' + '), text.most(over.carry) + last.most)]
  const end = text.carry(
    'e',
    range(5).map((k) => plus({ terms: [at(low.limbs, k)], most: MASK }, brought(k, t))),
  )
  const l5 = text.let('e5', `${low.limbs[5]} + ${end.carry}`, MASK + text.most(end.carry))
  const limbs = [...end.limbs, l5, ...low.limbs.slice(6)]
  assertNormal(text, limbs)
  return text.end('field_reduce(x: LimbColumns)', 'Limbs', limbs)
}

/** A cube root of one modulo p: (beta x, y) = lambda (x, y). */
const BETA = 0x7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501een

export const fieldText = (): string => {
  const above = multipleAbove(FIELD_PRIME, NORMAL)
  const above3 = multipleAbove(FIELD_PRIME, scaled(NORMAL, 3n))
  const minus = (name: string, list: readonly bigint[]): string =>
    new Text().end(
      `${name}(x: LimbColumns, b: Limbs)`,
      'LimbColumns',
      columnMembers('x').map((c, k) => (k < LIMBS ? `${c} + (${number(at(list, k))} - b.l${k})` : c)),
    )
  return moduleText([
    'import package::secp256k1::limbs::{LimbColumns, Limbs};\nimport package::u256::u256::U256;',
    wordConstant('FIELD_PRIME', FIELD_PRIME),
    limbsConstant('FIELD_BETA', BETA),
    `/// The columns modulo p, as a normal number: limbs of 13 bits, the sixth up to ${at(NORMAL, 5)}, the last up to ${at(NORMAL, LIMBS - 1)}. Takes
/// columns up to three times those of a product of normal numbers, after field_minus or field_minus_3.`,
    fieldReduceFunction(),
    '/// Columns of x - b for a normal b, above zero by a multiple of p.',
    minus('field_minus', above),
    '/// The same for b up to three normal numbers.',
    minus('field_minus_3', above3),
    '/// a - b for a normal b: limbs up to those of a and two normal numbers.',
    limbwise('field_sub', 'a: Limbs, b: Limbs', (i) => `a.l${i} + (${number(at(above, i))} - b.l${i})`),
    '/// A normal number as a word, congruent modulo p.',
    packFunction('field_pack', FIELD_PRIME),
  ])
}
