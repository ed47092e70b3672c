import { z } from 'zod'
import type { PackedTransactions } from '../../host/index.ts'
import { PackedHex } from '../../host/primitives/packed_hex.ts'

/**
 * What JSON-RPC parameters are read to (execution-apis src/schemas/base-types.yaml): quantities to bigint, data to
 * bytes, hashes and addresses to 0x-hex in lower case, as the library has them.
 */
const QUANTITY = /^0x(0|[1-9a-fA-F][0-9a-fA-F]*)$/
const MOST_QUANTITY_DIGITS = 64

/** A quantity of at most so many bits: hex digits without leading zeros. */
export const quantity = (bits = 256) =>
  z
    .string()
    .refine((text) => text.length <= 2 + MOST_QUANTITY_DIGITS && QUANTITY.test(text), {
      abort: true,
      error: ({ input }) => quantityFault(String(input)),
    })
    .transform(BigInt)
    .refine((value) => value >> BigInt(bits) === 0n, { error: `hex number has more than ${bits} bits` })

const quantityFault = (text: string): string => {
  if (!text.startsWith('0x')) return 'hex string without 0x prefix'
  if (text.length === 2) return 'empty hex string'
  if (text.length > 2 + MOST_QUANTITY_DIGITS) return 'hex number has more than 256 bits'
  return /^0x0/.test(text) ? 'hex number with leading zero digits' : 'invalid hex string'
}

/** Bytes of 0x-hex; undefined where it is none. */
const bytesOfHex = (text: string): Uint8Array | undefined => {
  if (!text.startsWith('0x') || text.length % 2 !== 0) return undefined
  const bytes = new Uint8Array(text.length / 2 - 1)
  // What is no hex digit ends it.
  const written = Buffer.from(bytes.buffer).write(text.slice(2), 'hex')
  return written === bytes.length ? bytes : undefined
}

/** Byte strings of at most so many bytes. */
export const data = (most = Infinity) =>
  z.string().transform((text, context) => {
    const bytes = bytesOfHex(text)
    if (bytes !== undefined && bytes.length <= most) return bytes
    const message =
      bytes === undefined ? 'expected 0x and an even number of hex digits' : `expected at most ${most} bytes`
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })

/**
 * An array of byte strings, read into one buffer: of a large block it is most of what comes, and an object for each
 * transaction costs more than its digits.
 */
export const packedData = z.unknown().transform((value, context): PackedTransactions => {
  const refuse = (message: string, path: number[] = []) => {
    context.addIssue({ code: 'custom', message, path })
    return z.NEVER
  }
  // Read as it came (request_body.ts).
  if (value instanceof PackedHex) return { bytes: value.bytes, offsets: value.offsets }
  if (!Array.isArray(value)) return refuse('expected an array of byte strings')
  const offsets = new Uint32Array(value.length + 1)
  for (let i = 0; i < value.length; i++) {
    const text: unknown = value[i]
    if (typeof text !== 'string' || !text.startsWith('0x') || text.length % 2 !== 0)
      return refuse('expected 0x and an even number of hex digits', [i])
    offsets[i + 1] = offsets[i]! + text.length / 2 - 1
  }
  const bytes = Buffer.allocUnsafeSlow(offsets[value.length]!)
  for (let i = 0; i < value.length; i++) {
    const length = offsets[i + 1]! - offsets[i]!
    // What is no hex digit ends it.
    if (bytes.write((value[i] as string).slice(2), offsets[i]!, length, 'hex') !== length)
      return refuse('expected 0x and an even number of hex digits', [i])
  }
  return { bytes, offsets }
})

const fixedHex = (bytes: number) => {
  const pattern = new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`)
  return z
    .string()
    .refine((text) => pattern.test(text), { error: `expected 0x and ${2 * bytes} hex digits` })
    .transform((text) => text.toLowerCase())
}

export const hash = fixedHex(32)
export const address = fixedHex(20)
/** A byte string of exactly so many bytes, as 0x-hex in lower case. */
export const hexOf = fixedHex

const BLOCK_TAGS = ['latest', 'earliest', 'pending', 'safe', 'finalized'] as const

export type BlockTag = (typeof BLOCK_TAGS)[number]

/** A block as a caller names it: by a tag, a number or a hash. */
export type BlockName =
  | { readonly tag: BlockTag }
  | { readonly number: bigint }
  | { readonly hash: string; readonly requireCanonical: boolean }

const blockTag = z.enum(BLOCK_TAGS).transform((tag): BlockName => ({ tag }))
const blockHeight = quantity(64).transform((number): BlockName => ({ number }))
const isTag = (value: unknown): boolean => typeof value === 'string' && /^[a-z]+$/.test(value)

/** A number or a tag. */
export const blockNumberOrTag = z.unknown().transform((value, context): BlockName => {
  const parsed = (isTag(value) ? blockTag : blockHeight).safeParse(value)
  if (parsed.success) return parsed.data
  for (const { message } of parsed.error.issues) context.addIssue({ code: 'custom', message })
  return z.NEVER
})

const blockObject = z.strictObject({
  blockHash: hash.optional(),
  blockNumber: blockNumberOrTag.optional(),
  requireCanonical: z.boolean().optional(),
})

/** A number, a tag, a hash, or an object with one of them (EIP-1898). */
export const blockName = z.unknown().transform((value, context): BlockName => {
  const fault = (message: string): never => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (typeof value === 'string' && /^0x[0-9a-fA-F]{64}$/.test(value))
    return { hash: value.toLowerCase(), requireCanonical: false }
  if (typeof value !== 'object' || value === null) {
    const parsed = blockNumberOrTag.safeParse(value)
    return parsed.success ? parsed.data : fault(parsed.error.issues[0]!.message)
  }
  const parsed = blockObject.safeParse(value)
  if (!parsed.success) return fault(parsed.error.issues[0]!.message)
  const { blockHash, blockNumber, requireCanonical = false } = parsed.data
  if ((blockHash === undefined) === (blockNumber === undefined))
    return fault('expected one of blockHash and blockNumber')
  return blockHash === undefined ? blockNumber! : { hash: blockHash, requireCanonical }
})

/** The block that a call means where it names none. */
export const LATEST: BlockName = { tag: 'latest' }

export const toQuantity = (value: bigint | number): string => `0x${value.toString(16)}`

export const toData = (bytes: Uint8Array): string =>
  `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`
