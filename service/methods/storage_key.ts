import { z } from 'zod'

/** A storage key, and how the caller has written it. */
export interface StorageKey {
  readonly value: bigint
  readonly given: string
}

/** Keys may be shorter than a word, and of an odd number of digits. */
export const storageKey = z.string().transform((text, context): StorageKey => {
  const digits = text.startsWith('0x') ? text.slice(2) : text
  const fault = !/^[0-9a-fA-F]*$/.test(digits)
    ? `invalid hex in storage key: "${text.slice(0, 80)}"`
    : digits.length > 64
      ? `storage key too long (want at most 32 bytes): "${text.slice(0, 80)}"`
      : undefined
  if (fault === undefined) return { value: BigInt(`0x${digits === '' ? '0' : digits}`), given: text }
  context.addIssue({ code: 'custom', message: fault })
  return z.NEVER
})
