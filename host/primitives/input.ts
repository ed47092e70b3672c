/**
 * Something that a caller gave is not what it must be: one line with the field, what it must be, and the value. Nothing
 * was done. `field` is the name as the caller writes it (`env.timestamp`, `workers`), `index` the transaction, call or
 * account that it belongs to, where there are several.
 *
 * @example
 * import { createExecutor, InputError, MemoryState } from 'wgevm'
 *
 * try {
 *   createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState(), workers: -1 })
 * } catch (error) {
 *   console.log(error instanceof InputError && error.field) // workers
 * }
 */
export class InputError extends Error {
  override readonly name: string = 'InputError'
  readonly field: string
  readonly value: unknown
  readonly index: number | undefined

  constructor(message: string, field: string, value?: unknown, index?: number) {
    super(message)
    this.field = field
    this.value = value
    this.index = index
  }
}

/** Throws InputError: the field, what it must be, and the value; `index` is where in a list it is. */
export const refuse = (field: string, value: unknown, expected: string, index?: number): never => {
  throw new InputError(`${field} must be ${expected}, got ${shown(value)}`, field, value, index)
}

const MOST_SHOWN = 80

/** A value as it stands in a message: short, on one line. */
export const shown = (value: unknown): string => {
  if (typeof value === 'string') return `'${cut(value)}'`
  if (typeof value === 'bigint') return cut(value.toString())
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} of ${value.byteLength} bytes`
  if (typeof value === 'object' && value !== null) return 'an object'
  return cut(String(value))
}

const cut = (text: string): string => {
  const line = text.replace(/\s+/g, ' ')
  return line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)}...` : line
}

/** An unsigned integer of so many bits, as bigint. */
export const checkUnsigned = (value: unknown, bits: number, field: string): bigint => {
  if (typeof value !== 'bigint' || value < 0n || value >> BigInt(bits) !== 0n)
    return refuse(field, value, `a bigint from 0 to 2^${bits} - 1`)
  return value
}

/** An integer from `least` on, up to `most` where there is one, as number. */
export const checkCount = (value: unknown, least: number, field: string, most = Number.MAX_SAFE_INTEGER): number => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  return refuse(field, value, `an integer from ${least} ${most === Number.MAX_SAFE_INTEGER ? 'on' : `to ${most}`}`)
}

/** 0x-hex of exactly so many bytes, in any case. */
export const checkHex = (value: unknown, bytes: number, field: string): string => {
  if (typeof value !== 'string' || value.length !== 2 + 2 * bytes || !/^0x[0-9a-fA-F]*$/.test(value))
    return refuse(field, value, `0x and ${2 * bytes} hex digits`)
  return value
}

/** 0x-hex of any whole number of bytes up to `most`, in any case. */
export const checkBytes = (value: unknown, most: number, field: string): string => {
  const isHex = typeof value === 'string' && value.length % 2 === 0 && /^0x[0-9a-fA-F]*$/.test(value)
  if (!isHex || value.length > 2 + 2 * most)
    return refuse(
      field,
      value,
      `0x and an even number of hex digits${most === Infinity ? '' : `, at most ${2 * most}`}`,
    )
  return value
}

/** A 256-bit word as bigint, as 0x-hex of up to 64 digits, or as decimal digits. */
export const checkWord = (value: unknown, field: string): bigint => {
  if (typeof value === 'string' && /^(0x[0-9a-fA-F]{1,64}|[0-9]{1,78})$/.test(value)) {
    const word = BigInt(value)
    if (word >> 256n === 0n) return word
  }
  if (typeof value === 'bigint' && value >= 0n && value >> 256n === 0n) return value
  return refuse(field, value, 'a word: a bigint or hex from 0 to 2^256 - 1')
}

export const checkOneOf = (value: unknown, choices: readonly unknown[], field: string): void => {
  if (!choices.includes(value)) refuse(field, value, `one of ${choices.map(shown).join(', ')}`)
}

/** A plain object: not null, no array, no view of bytes. */
export const checkObject = (value: unknown, field: string, what = 'an object'): Readonly<Record<string, unknown>> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
    return refuse(field, value, what)
  return value as Readonly<Record<string, unknown>>
}

export const checkArray = (value: unknown, field: string, what = 'an array'): readonly unknown[] =>
  Array.isArray(value) ? value : refuse(field, value, what)

/** True or false, where there is one. */
export const checkFlag = (value: unknown, field: string): void => {
  if (value !== undefined && typeof value !== 'boolean') refuse(field, value, 'true or false')
}

/** An AbortSignal, where there is one. */
export const checkSignal = (value: unknown): void => {
  if (value !== undefined && !(value instanceof AbortSignal)) refuse('signal', value, 'an AbortSignal')
}

/** Names of an object's fields, written as a record so that the compiler misses none. */
export type Names<Fields> = Readonly<Record<keyof Fields, true>>

/**
 * Refuses names that are not known, and says which one is meant where one is near. `what`: `option`, `field of env`.
 */
export const checkNames = (object: object, known: Readonly<Record<string, true>>, what: string): void => {
  // Own names: packages add to prototypes, as vega-lite does to that of sets.
  for (const name of Object.keys(object)) {
    if (Object.hasOwn(known, name)) continue
    const near = nearest(name, Object.keys(known))
    const hint = near === undefined ? `known: ${Object.keys(known).join(', ')}` : `did you mean '${near}'?`
    throw new InputError(`there is no ${what} '${cut(name)}'; ${hint}`, name, (object as Record<string, unknown>)[name])
  }
}

/** Names that are said otherwise elsewhere: in JSON-RPC, and by other clients. */
const ALIASES: Readonly<Record<string, string>> = { gas: 'gasLimit', gasLimit: 'gas', input: 'data', miner: 'coinbase' }

const nearest = (name: string, known: readonly string[]): string | undefined => {
  const alias = ALIASES[name]
  if (alias !== undefined && known.includes(alias)) return alias
  const [best] = known
    .map((candidate) => ({ candidate, distance: distanceOf(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= 2 ? best.candidate : undefined
}

/** Letters to insert, delete or replace (Levenshtein). */
const distanceOf = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
