/**
 * Writes the unrolled WGSL of kernels/secp256k1: numbers modulo the field's prime p and the group's order n, as 20
 * limbs of 13 bits, least significant first.
 *
 * Every sum is bounded here for the largest limbs that its callers may pass (`Text.let` throws past 2^32), so a text
 * that is written cannot overflow. Limbs of a normal number are at most `NORMAL`; operations on sums of normal numbers
 * say how many they take.
 */
const LIMBS = 20
const BITS = 13
const MASK = (1n << 13n) - 1n
const U32_END = 1n << 32n

export const FIELD_PRIME = 2n ** 256n - 2n ** 32n - 977n
export const GROUP_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const at = <T>(list: readonly T[], i: number): T => {
  const value = list[i]
  if (value === undefined) throw new RangeError(`no element ${i}`)
  return value
}

type Bounds = readonly bigint[]

export const limbsOfNumber = (value: bigint, count = LIMBS): bigint[] =>
  range(count).map((i) => (value >> BigInt(BITS * i)) & MASK)
export const numberOfLimbs = (limbs: Bounds): bigint => limbs.reduceRight((value, limb) => (value << 13n) + limb, 0n)
const scaled = (bounds: Bounds, by: bigint): Bounds => bounds.map((bound) => bound * by)

/** The largest limbs of a reduced number: one limb takes the last carry. */
export const NORMAL: Bounds = range(LIMBS).map((i) => (i === 5 ? MASK + 544n : i === LIMBS - 1 ? MASK + 1n : MASK))

/** The largest columns of the product of numbers with these limbs. */
const productBounds = (a: Bounds, b: Bounds): bigint[] => {
  const columns = range(a.length + b.length - 1).map(() => 0n)
  a.forEach((x, i) => {
    b.forEach((y, j) => {
      columns[i + j] = at(columns, i + j) + x * y
    })
  })
  return columns
}

const number = (value: bigint): string => (value < 0x10000n ? `${value}u` : `0x${value.toString(16)}u`)

/** A sum that may wrap on the way, and whose true value is at most `most`. */
interface Column {
  readonly terms: readonly string[]
  readonly most: bigint
}

/** Statements of one function, with the largest value of each name. */
class Text {
  readonly lines: string[] = []
  readonly #most = new Map<string, bigint>()

  let(name: string, expression: string, most: bigint): string {
    if (most >= U32_END) throw new RangeError(`${name} may be ${most}, past 2^32`)
    this.lines.push(`  let ${name} = ${expression};`)
    this.#most.set(name, most)
    return name
  }

  most(name: string): bigint {
    const most = this.#most.get(name)
    if (most === undefined) throw new RangeError(`${name} has no bound`)
    return most
  }

  /** Columns to limbs of 13 bits and what is carried out of the last one. */
  carry(name: string, columns: readonly Column[]): { readonly limbs: string[]; readonly carry: string } {
    let carry: string | undefined
    const limbs = columns.map(({ terms, most }, k) => {
      const total = carry === undefined ? most : most + this.most(carry)
      const sum = this.let(`${name}_sum${k}`, [...terms, ...(carry === undefined ? [] : [carry])].join(' + '), total)
      carry = this.let(`${name}_carry${k}`, `${sum} >> ${BITS}u`, total >> 13n)
      return this.let(`${name}${k}`, `${sum} & ${MASK}u`, total < MASK ? total : MASK)
    })
    if (carry === undefined) throw new RangeError('no columns')
    return { limbs, carry }
  }

  /** The function, which returns a value of `type` with these members. */
  end(head: string, type: string, values: readonly string[]): string {
    return [`fn ${head} -> ${type} {`, ...this.lines, ...result(type, values), '}'].join('\n')
  }
}

const result = (type: string, values: readonly string[]): string[] => {
  const lines = [`  return ${type}(`]
  for (let i = 0; i < values.length; i += 5) lines.push(`    ${values.slice(i, i + 5).join(', ')},`)
  return [...lines, '  );']
}

const members = (value: string, count = LIMBS): string[] => range(count).map((i) => `${value}.l${i}`)
const columnMembers = (value: string): string[] => range(2 * LIMBS - 1).map((i) => `${value}.c${i}`)

const struct = (name: string, fields: readonly string[]): string =>
  [`struct ${name} {`, ...fields.map((field) => `  ${field}: u32,`), '}'].join('\n')

/** The terms of each column of a product. */
const schoolbook = (a: readonly string[], b: readonly string[]): string[][] => {
  const columns: string[][] = range(a.length + b.length - 1).map(() => [])
  a.forEach((x, i) => {
    b.forEach((y, j) => {
      at(columns, i + j).push(`${x} * ${y}`)
    })
  })
  return columns
}

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

/** Bits 32 j .. of the limbs, from `shift` on, `width` to a word. */
const packed = (limbs: readonly string[], wordCount: number, width = 32, shift = 0): string[] =>
  range(wordCount).map((j) => {
    const first = width * j + shift
    const terms = limbs.flatMap((limb, i) => {
      const from = BITS * i - first
      if (from <= -BITS || from >= width) return []
      return from === 0 ? [limb] : [from > 0 ? `(${limb} << ${from}u)` : `(${limb} >> ${-from}u)`]
    })
    const word = terms.join(' | ') || '0u'
    return width === 32 ? word : `(${word}) & ${number((1n << BigInt(width)) - 1n)}`
  })

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

const limbsText = (): string =>
  `${[
    HEADER,
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
    '/// The limbs of a word.',
    unpackFunction(),
  ].join('\n\n')}\n`

const HEADER = '// Generated by scripts/secp256k1_wgsl.ts. Do not edit.'

const limbwise = (name: string, args: string, body: (i: number) => string): string =>
  new Text().end(`${name}(${args})`, 'Limbs', range(LIMBS).map(body))

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

const assertNormal = (text: Text, limbs: readonly string[]): void =>
  limbs.forEach((limb, i) => {
    if (text.most(limb) > at(NORMAL, i)) throw new RangeError(`limb ${i} may be ${text.most(limb)}, not normal`)
  })

/**
 * A normal number as a word: what passes 2^256 comes down as 2^256 mod m, at most 16 times, and, if the sum passes
 * 2^256 again, once: it is then small, so no carry leaves the limbs of 2^256 mod m and the next.
 */
const packFunction = (name: string, modulus: bigint): string => {
  const text = new Text()
  const fold = limbsOfNumber(2n ** 256n % modulus).filter(
    (limb, i, all) => limb > 0n || all.slice(i).some((l) => l > 0n),
  )
  const pass = (tag: string, limbs: readonly Column[]): string[] => {
    const top = at(limbs, LIMBS - 1)
    const over = text.let(`${tag}_over`, `${top.terms[0]} >> 9u`, top.most >> 9n)
    const kept = limbs.map((limb, k): Column => {
      const one = fold[k] ?? 0n
      if (k === LIMBS - 1) return { terms: [`(${limb.terms[0]} & 511u)`], most: 511n }
      if (one === 0n) return limb
      return { terms: [at(limb.terms, 0), `${over} * ${number(one)}`], most: limb.most + text.most(over) * one }
    })
    if (tag === 'a') {
      const { limbs: carried, carry } = text.carry('a', kept.slice(0, -1))
      const last = at(kept, LIMBS - 1)
      return [...carried, text.let(`a${LIMBS - 1}`, `${last.terms[0]} + ${carry}`, last.most + text.most(carry))]
    }
    const { limbs: carried, carry } = text.carry('b', kept.slice(0, fold.length))
    const next = at(kept, fold.length)
    const after = text.let(`b${fold.length}`, `${next.terms[0]} + ${carry}`, next.most + text.most(carry))
    return [...carried, after, ...kept.slice(fold.length + 1).map(({ terms }) => at(terms, 0))]
  }
  const first = pass(
    'a',
    members('x').map((one, k): Column => ({ terms: [one], most: at(NORMAL, k) })),
  )
  const limbs = pass(
    'b',
    first.map((one): Column => ({ terms: [one], most: text.most(one) })),
  )
  const words = packed(limbs, 8)
  text.lines.push(
    `  return U256(`,
    `    vec4<u32>(${words.slice(0, 4).join(', ')}),`,
    `    vec4<u32>(${words.slice(4).join(', ')}),`,
    '  );',
  )
  return [`fn ${name}(x: Limbs) -> U256 {`, ...text.lines, '}'].join('\n')
}

const wordConstant = (name: string, value: bigint): string => {
  const words = range(8).map((j) => `0x${((value >> BigInt(32 * j)) & 0xffffffffn).toString(16)}u`)
  return `const ${name} = U256(\n  vec4<u32>(${words.slice(0, 4).join(', ')}),\n  vec4<u32>(${words.slice(4).join(', ')}),\n);`
}

const limbsConstant = (name: string, value: bigint): string =>
  `const ${name} = Limbs(\n${result(
    '',
    limbsOfNumber(value).map((limb) => `${limb}u`),
  )
    .slice(1, -1)
    .map((line) => line.slice(2))
    .join('\n')}\n);`

/** A cube root of one modulo p: (beta x, y) = lambda (x, y). */
const BETA = 0x7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501een

const fieldText = (): string => {
  const above = multipleAbove(FIELD_PRIME, NORMAL)
  const above3 = multipleAbove(FIELD_PRIME, scaled(NORMAL, 3n))
  const minus = (name: string, list: readonly bigint[]): string =>
    new Text().end(
      `${name}(x: LimbColumns, b: Limbs)`,
      'LimbColumns',
      columnMembers('x').map((c, k) => (k < LIMBS ? `${c} + (${number(at(list, k))} - b.l${k})` : c)),
    )
  return `${[
    HEADER,
    'import package::secp256k1::limbs::{LimbColumns, Limbs, limbs_add, limbs_product, limbs_square};\nimport package::u256::add::u256_sub;\nimport package::u256::compare::u256_lt;\nimport package::u256::u256::{U256, u256_select};',
    wordConstant('FIELD_PRIME', FIELD_PRIME),
    limbsConstant('FIELD_BETA', BETA),
    `/// The columns modulo p, as normal limbs: 13 bits, the sixth up to ${NORMAL[5]}. Takes columns up to three times those of a\n/// product of normal numbers, plus field_below_3.`,
    fieldReduceFunction(),
    '/// Columns of x - b for b up to one normal number, above zero by a multiple of p.',
    minus('field_minus', above),
    '/// The same for b up to three normal numbers.',
    minus('field_minus_3', above3),
    '/// a - b for a normal b: limbs up to those of a and two normal numbers.',
    limbwise('field_sub', 'a: Limbs, b: Limbs', (i) => `a.l${i} + (${number(at(above, i))} - b.l${i})`),
    '/// A normal number as a word below 2^256, congruent modulo p.',
    packFunction('field_pack', FIELD_PRIME),
    FIELD_HAND,
  ].join('\n\n')}\n`
}

const FIELD_HAND = `/// a b; the limbs of a in normal numbers times those of b are three at most.
fn field_mul(a: Limbs, b: Limbs) -> Limbs {
  return field_reduce(limbs_product(a, b));
}

/// a b - c for a normal c.
fn field_mul_sub(a: Limbs, b: Limbs, c: Limbs) -> Limbs {
  return field_reduce(field_minus(limbs_product(a, b), c));
}

/// a^2 for a normal a.
fn field_sqr(a: Limbs) -> Limbs {
  return field_reduce(limbs_square(a, limbs_add(a, a), a));
}

/// 2 a^2.
fn field_sqr_2(a: Limbs) -> Limbs {
  let d = limbs_add(a, a);
  return field_reduce(limbs_square(a, d, d));
}

/// 3 a^2.
fn field_sqr_3(a: Limbs) -> Limbs {
  let d = limbs_add(a, a);
  return field_reduce(limbs_square(a, d, limbs_add(d, a)));
}

/// a^2 - b for b up to three normal numbers.
fn field_sqr_sub_3(a: Limbs, b: Limbs) -> Limbs {
  return field_reduce(field_minus_3(limbs_square(a, limbs_add(a, a), a), b));
}

/// The least word of a normal number modulo p.
fn field_canonical(x: Limbs) -> U256 {
  let word = field_pack(x);
  return u256_select(u256_sub(word, FIELD_PRIME), word, u256_lt(word, FIELD_PRIME));
}`

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
      const most = text.most(rest)
      all.push(text.let(`${name}_top${k}`, `${rest} & ${MASK}u`, most < MASK ? most : MASK))
      rest = text.let(`${name}_rest${k}`, `${rest} >> ${BITS}u`, most >> 13n)
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

const scalarText = (): string =>
  `${[
    HEADER,
    'import package::secp256k1::limbs::{LimbColumns, Limbs, limbs_product, limbs_add, limbs_square};\nimport package::u256::add::u256_sub;\nimport package::u256::compare::u256_lt;\nimport package::u256::u256::{U256, u256_select};',
    wordConstant('SCALAR_ORDER', GROUP_ORDER),
    '/// The digits of both halves of a scalar, eight to a word, the first in the low bits (transpiler/layout/recovery.ts).',
    struct(
      'ScalarHalves',
      range(10).map((i) => `w${i}`),
    ),
    '/// The columns modulo n, as normal limbs.',
    scalarReduceFunction(),
    '/// A normal number as a word below 2^256, congruent modulo n.',
    packFunction('scalar_pack', GROUP_ORDER),
    '/// k below n as odd halves k1 + k2 lambda (Gallant, Lambert and Vanstone 2001), by their digits.',
    splitFunction(),
    SCALAR_HAND,
  ].join('\n\n')}\n`

const SCALAR_HAND = `/// a b for normal numbers.
fn scalar_mul(a: Limbs, b: Limbs) -> Limbs {
  return scalar_reduce(limbs_product(a, b));
}

/// a^2 for a normal a.
fn scalar_sqr(a: Limbs) -> Limbs {
  return scalar_reduce(limbs_square(a, limbs_add(a, a), a));
}

/// The least word of a normal number modulo n.
fn scalar_canonical(x: Limbs) -> U256 {
  let word = scalar_pack(x);
  return u256_select(u256_sub(word, SCALAR_ORDER), word, u256_lt(word, SCALAR_ORDER));
}`

/** Path from the root of the repository, and text. */
export const SECP256K1_FILES: readonly { readonly path: string; readonly text: () => string }[] = [
  { path: 'kernels/secp256k1/limbs.generated.wgsl', text: limbsText },
  { path: 'kernels/secp256k1/field.generated.wgsl', text: fieldText },
  { path: 'kernels/secp256k1/scalar.generated.wgsl', text: scalarText },
]
