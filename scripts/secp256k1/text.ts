/**
 * Text of unrolled WGSL over numbers of 20 limbs of 13 bits, least significant first.
 *
 * Every sum is bounded for the largest limbs that callers may pass (`Text.let` throws past 2^32), so a text that is
 * written cannot overflow. Limbs of a normal number are at most `NORMAL`; an operation on sums of normal numbers says
 * how many it takes.
 */
/**
 * Writes the unrolled WGSL of kernels/secp256k1: numbers modulo the field's prime p and the group's order n, as 20
 * limbs of 13 bits, least significant first.
 *
 * Every sum is bounded here for the largest limbs that its callers may pass (`Text.let` throws past 2^32), so a text
 * that is written cannot overflow. Limbs of a normal number are at most `NORMAL`; operations on sums of normal numbers
 * say how many they take.
 */
export const LIMBS = 20

export const BITS = 13

export const MASK = (1n << 13n) - 1n

const U32_END = 1n << 32n

export const FIELD_PRIME = 2n ** 256n - 2n ** 32n - 977n

export const GROUP_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

export const at = <T>(list: readonly T[], i: number): T => {
  const value = list[i]
  if (value === undefined) throw new RangeError(`no element ${i}`)
  return value
}

export type Bounds = readonly bigint[]

export const limbsOfNumber = (value: bigint, count = LIMBS): bigint[] =>
  range(count).map((i) => (value >> BigInt(BITS * i)) & MASK)

export const numberOfLimbs = (limbs: Bounds): bigint => limbs.reduceRight((value, limb) => (value << 13n) + limb, 0n)

export const scaled = (bounds: Bounds, by: bigint): Bounds => bounds.map((bound) => bound * by)

/** The largest limbs of a reduced number: one limb takes the last carry. */
export const NORMAL: Bounds = range(LIMBS).map((i) => (i === 5 ? MASK + 544n : i === LIMBS - 1 ? MASK + 1n : MASK))

/** The largest columns of the product of numbers with these limbs. */
export const productBounds = (a: Bounds, b: Bounds): bigint[] => {
  const columns = range(a.length + b.length - 1).map(() => 0n)
  a.forEach((x, i) => {
    b.forEach((y, j) => {
      columns[i + j] = at(columns, i + j) + x * y
    })
  })
  return columns
}

export const number = (value: bigint): string => (value < 0x10000n ? `${value}u` : `0x${value.toString(16)}u`)

/** A sum that may wrap on the way, and whose true value is at most `most`. */
export interface Column {
  readonly terms: readonly string[]
  readonly most: bigint
}

/** Statements of one function, with the largest value of each name. */
export class Text {
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

export const result = (type: string, values: readonly string[]): string[] => {
  const lines = [`  return ${type}(`]
  for (let i = 0; i < values.length; i += 5) lines.push(`    ${values.slice(i, i + 5).join(', ')},`)
  return [...lines, '  );']
}

export const members = (value: string, count = LIMBS): string[] => range(count).map((i) => `${value}.l${i}`)

export const columnMembers = (value: string): string[] => range(2 * LIMBS - 1).map((i) => `${value}.c${i}`)

export const struct = (name: string, fields: readonly string[]): string =>
  [`struct ${name} {`, ...fields.map((field) => `  ${field}: u32,`), '}'].join('\n')

/** The terms of each column of a product. */
export const schoolbook = (a: readonly string[], b: readonly string[]): string[][] => {
  const columns: string[][] = range(a.length + b.length - 1).map(() => [])
  a.forEach((x, i) => {
    b.forEach((y, j) => {
      at(columns, i + j).push(`${x} * ${y}`)
    })
  })
  return columns
}

/** Bits 32 j .. of the limbs, from `shift` on, `width` to a word. */
export const packed = (limbs: readonly string[], wordCount: number, width = 32, shift = 0): string[] =>
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

export const limbwise = (name: string, args: string, body: (i: number) => string): string =>
  new Text().end(`${name}(${args})`, 'Limbs', range(LIMBS).map(body))

export const assertNormal = (text: Text, limbs: readonly string[]): void =>
  limbs.forEach((limb, i) => {
    if (text.most(limb) > at(NORMAL, i)) throw new RangeError(`limb ${i} may be ${text.most(limb)}, not normal`)
  })

/**
 * A normal number as a word: what passes 2^256 comes down as 2^256 mod m, at most 16 times, and, if the sum passes
 * 2^256 again, once: it is then small, so no carry leaves the limbs of 2^256 mod m and the next.
 */
export const packFunction = (name: string, modulus: bigint): string => {
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

export const wordConstant = (name: string, value: bigint): string => {
  const words = range(8).map((j) => `0x${((value >> BigInt(32 * j)) & 0xffffffffn).toString(16)}u`)
  return `const ${name} = U256(\n  vec4<u32>(${words.slice(0, 4).join(', ')}),\n  vec4<u32>(${words.slice(4).join(', ')}),\n);`
}

export const limbsConstant = (name: string, value: bigint): string =>
  `const ${name} = Limbs(\n${result(
    '',
    limbsOfNumber(value).map((limb) => `${limb}u`),
  )
    .slice(1, -1)
    .map((line) => line.slice(2))
    .join('\n')}\n);`

/** A module of these parts. */
export const moduleText = (parts: readonly string[]): string =>
  `${['// Generated by scripts/secp256k1_wgsl.ts. Do not edit.', ...parts].join('\n\n')}\n`
