import { type At, matching, type ObjectAt, optional, refuse } from '../../conformance/json_field.ts'

/** Values as go-ethereum's tools read them: numbers as 0x-hex, decimal text or JSON number, hex with or without 0x. */

/** A whole number below 2^bits. */
export const numberOf = (at: At, bits = 256): bigint => {
  const { value } = at
  const isNumber = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
  const isText = typeof value === 'string' && /^(0[xX][0-9a-fA-F]{1,80}|[0-9]{1,80}|)$/.test(value)
  if (!isNumber && !isText) return refuse(at, 'a whole number, as 0x-hex, decimal text or JSON number')
  const number = BigInt(value as number | string)
  return number >> BigInt(bits) === 0n ? number : refuse(at, `a number below 2^${bits}`)
}

export const optionalNumber = (parent: ObjectAt, name: string, bits = 256): bigint | undefined => {
  const at = optional(parent, name)
  return at === undefined ? undefined : numberOf(at, bits)
}

/** An address with or without 0x, in lower case with it. */
export const toolAddress = (at: At): string =>
  `0x${matching(at, /^(0x)?[0-9a-fA-F]{40}$/, 'an address (40 hex digits)')
    .replace(/^0x/, '')
    .toLowerCase()}`

/** 0x-hex of up to 64 digits as one word. */
export const toolWord = (at: At): bigint =>
  BigInt(`0x0${matching(at, /^(0x)?[0-9a-fA-F]{0,64}$/, 'a word (up to 64 hex digits)').replace(/^0x/, '')}`)

/** A number as go-ethereum writes it. */
export const hexNumber = (value: bigint | number): string => `0x${value.toString(16)}`
