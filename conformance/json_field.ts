/**
 * Strict reading of JSON files: a value together with the file and the path at which it stands, so every refusal
 * names file, field and expectation in one line.
 */

/** A file that cannot be read or used: one line that names file, field and expectation. */
export class FixtureError extends Error {
  override readonly name = 'FixtureError'
  readonly file: string
  readonly field: string

  constructor(file: string, field: string, problem: string) {
    super(field === '' ? `${file}: ${problem}` : `${file}: ${field}: ${problem}`)
    this.file = file
    this.field = field
  }
}

/** A value of the file and where it stands. */
export interface At {
  readonly file: string
  readonly path: string
  readonly value: unknown
}

export type ObjectAt = At & { readonly value: Readonly<Record<string, unknown>> }

/** Throws FixtureError: what was expected here, and what stands here. */
export const refuse = ({ file, path, value }: At, expectation: string): never => {
  const shown = value === undefined ? 'nothing' : JSON.stringify(value)
  const short = shown.length > 60 ? `${shown.slice(0, 60)}...` : shown
  throw new FixtureError(file, path, `expected ${expectation}, got ${short}`)
}

/** The whole of a file's text. */
export const parseJson = (file: string, text: string, expectation: string): At => {
  try {
    return { file, path: '', value: JSON.parse(text) }
  } catch (thrown) {
    const reason = (thrown as Error).message.replaceAll(/\s+/g, ' ').slice(0, 120)
    throw new FixtureError(file, '', `expected ${expectation}: ${reason}`)
  }
}

/** A field, whose value is undefined where it is absent. */
export const field = (parent: ObjectAt, name: string): At => ({
  file: parent.file,
  path: parent.path === '' ? name : `${parent.path}.${name}`,
  value: Object.hasOwn(parent.value, name) ? parent.value[name] : undefined,
})

/** A field that may be absent or null. */
export const optional = (parent: ObjectAt, name: string): At | undefined => {
  const at = field(parent, name)
  return at.value === undefined || at.value === null ? undefined : at
}

export const objectOf = (at: At): ObjectAt => {
  const { value } = at
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(at, 'an object')
  return { ...at, value: value as Readonly<Record<string, unknown>> }
}

export const entriesOf = (at: ObjectAt): (readonly [string, At])[] =>
  Object.keys(at.value).map((name) => [name, field(at, name)] as const)

export const listOf = (at: At): readonly At[] => {
  if (!Array.isArray(at.value)) return refuse(at, 'an array')
  return at.value.map((value: unknown, i) => ({ file: at.file, path: `${at.path}[${i}]`, value }))
}

export const matching = (at: At, pattern: RegExp, expectation: string): string =>
  typeof at.value === 'string' && pattern.test(at.value) ? at.value : refuse(at, expectation)

export const textOf = (at: At): string => (typeof at.value === 'string' ? at.value : refuse(at, 'a string'))

export const indexOf = (at: At): number =>
  typeof at.value === 'number' && Number.isSafeInteger(at.value) && at.value >= 0
    ? at.value
    : refuse(at, 'a whole number')

export const hashOf = (at: At): string => matching(at, /^0x[0-9a-fA-F]{64}$/, '0x and 64 hex digits').toLowerCase()

export const addressOf = (at: At): string =>
  matching(at, /^0x[0-9a-fA-F]{40}$/, 'an address (0x and 40 hex digits)').toLowerCase()

export const bytesOf = (at: At): string =>
  matching(at, /^0x([0-9a-fA-F]{2})*$/, 'bytes (0x and an even number of hex digits)').toLowerCase()

/** 0x-hex of 1 to 64 digits, padded or not. */
export const wordOf = (at: At): bigint =>
  BigInt(matching(at, /^0x[0-9a-fA-F]{1,64}$/, 'a word (0x and 1 to 64 hex digits)'))
