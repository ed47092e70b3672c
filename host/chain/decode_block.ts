import { RLP } from 'micro-eth-signer/core/rlp.js'
import { bytesToHex } from '../primitives/hex.ts'
import type { BlockHeader } from './header.ts'
import { headerFields } from './header_fields.ts'
import { checkItem, endAt, isListAt, payloadAt, RlpError } from './rlp_items.ts'
import type { Withdrawal } from './withdrawals.ts'

/**
 * Bytes that are not a block: the message is one line, with the field and what it should be.
 *
 * @example
 * import { BlockInputError, decodeBlock } from 'wgevm'
 *
 * try {
 *   decodeBlock(new Uint8Array(0))
 * } catch (error) {
 *   console.log(error instanceof BlockInputError) // true
 * }
 */
export class BlockInputError extends Error {
  override readonly name = 'BlockInputError'
}

/**
 * A block as its RLP has it; the transactions as they come over the wire.
 *
 * Example: {@link decodeBlock}.
 */
export interface DecodedBlock {
  readonly header: BlockHeader
  readonly transactions: readonly Uint8Array[]
  readonly uncles: readonly BlockHeader[]
  readonly withdrawals?: readonly Withdrawal[]
}

/** A decoded RLP item: bytes as views of the input, lists as arrays. */
type Item = Uint8Array | Item[]

/**
 * Decodes the RLP of a block (YP 4.3; EIP-2718, EIP-4895). Strict: canonical RLP and integers, fields of their lengths.
 * Throws BlockInputError.
 *
 * @example
 * import { decodeBlock, EMPTY_TRIE_ROOT, encodeHeader, genesisHeader } from 'wgevm'
 *
 * const header = encodeHeader(genesisHeader('london', { stateRoot: EMPTY_TRIE_ROOT }))
 * const size = header.length + 2 // no transactions, no uncles
 * const block = decodeBlock(Uint8Array.of(0xf9, size >> 8, size & 0xff, ...header, 0xc0, 0xc0))
 * console.log(block.header.number, block.transactions.length) // 0n 0
 */
export const decodeBlock = (rlp: Uint8Array): DecodedBlock => {
  checkRlp(rlp)
  const parts = itemsAt(rlp, 0, 'block')
  if (parts.length < 3 || parts.length > 4)
    throw new BlockInputError(
      `block: ${parts.length} parts, expected header, transactions, uncles and maybe withdrawals`,
    )
  const [header, transactions, uncles, withdrawals] = parts
  const decoded = (at: number): Item => decode(rlp.subarray(at, endAt(rlp, at)))
  return {
    header: headerOf(decoded(header!), 'header'),
    transactions: itemsAt(rlp, transactions!, 'transactions').map((at, n) => transactionAt(rlp, at, n)),
    uncles: listOf(decoded(uncles!), 'uncles').map((item, n) => headerOf(item, `uncles[${n}]`)),
    ...(withdrawals === undefined
      ? {}
      : {
          withdrawals: listOf(decoded(withdrawals), 'withdrawals').map((item, n) =>
            withdrawalOf(item, `withdrawals[${n}]`),
          ),
        }),
  }
}

const checkRlp = (rlp: Uint8Array): void => {
  try {
    if (!(rlp instanceof Uint8Array)) throw new RlpError('expected Uint8Array')
    if (checkItem(rlp, 0, rlp.length, 0) !== rlp.length) throw new RlpError('unread bytes left')
  } catch (cause) {
    if (!(cause instanceof RlpError)) throw cause
    throw new BlockInputError(`block: malformed RLP: ${cause.message}`)
  }
}

/** Where the items of a list begin. */
const itemsAt = (rlp: Uint8Array, list: number, name: string): readonly number[] => {
  if (!isListAt(rlp, list)) throw new BlockInputError(`${name}: bytes, expected a list`)
  const end = endAt(rlp, list)
  const items: number[] = []
  for (let at = payloadAt(rlp, list); at < end; at = endAt(rlp, at)) items.push(at)
  return items
}

/** As it comes over the wire: a legacy transaction is a list in a block, every other one a byte string (EIP-2718). */
const transactionAt = (rlp: Uint8Array, at: number, n: number): Uint8Array => {
  const end = endAt(rlp, at)
  if (isListAt(rlp, at)) return rlp.subarray(at, end)
  const start = payloadAt(rlp, at)
  if (end > start && isListAt(rlp, start))
    throw new BlockInputError(`transactions[${n}]: a legacy transaction as bytes, expected a list`)
  return rlp.subarray(start, end)
}

/** Decodes the RLP of a header alone, as strictly. Throws BlockInputError. */
export const decodeHeader = (rlp: Uint8Array): BlockHeader => headerOf(decode(rlp), 'header')

const decode = (rlp: Uint8Array): Item => {
  try {
    return RLP.decode(rlp) as Item
  } catch (cause) {
    throw new BlockInputError(`block: malformed RLP: ${(cause as Error).message.replace('RLP.decode: ', '')}`)
  }
}

const listOf = (item: Item, name: string): Item[] => {
  if (!Array.isArray(item)) throw new BlockInputError(`${name}: bytes, expected a list`)
  return item
}

const bytesOf = (item: Item | undefined, name: string, length?: number): Uint8Array => {
  if (item === undefined || Array.isArray(item)) throw new BlockInputError(`${name}: expected bytes`)
  if (length !== undefined && item.length !== length)
    throw new BlockInputError(`${name}: ${item.length} bytes, expected ${length}`)
  return item
}

const integerOf = (item: Item | undefined, name: string): bigint => {
  const bytes = bytesOf(item, name)
  if (bytes[0] === 0) throw new BlockInputError(`${name}: leading zeros, expected none`)
  if (bytes.length > 32) throw new BlockInputError(`${name}: ${bytes.length} bytes, expected at most 32`)
  return bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes))
}

const BYTE_STRINGS = new Set<string>(['extraData'])
/** Fields that every header has. */
const LEAST_FIELDS = Object.values(headerFields).filter(({ since }) => since === undefined).length - 1

const headerOf = (item: Item, name: string): BlockHeader => {
  const items = listOf(item, name)
  const fields = Object.entries(headerFields)
  if (items.length < LEAST_FIELDS || items.length > fields.length)
    throw new BlockInputError(`${name}: ${items.length} fields, expected ${LEAST_FIELDS} to ${fields.length}`)
  const entries = items.map((value, n) => {
    const [field, { bytes }] = fields[n]!
    const path = `${name}.${field}`
    if (bytes !== undefined) return [field, bytesToHex(bytesOf(value, path, bytes))] as const
    return [field, BYTE_STRINGS.has(field) ? bytesToHex(bytesOf(value, path)) : integerOf(value, path)] as const
  })
  return Object.fromEntries(entries) as unknown as BlockHeader
}

const withdrawalOf = (item: Item, name: string): Withdrawal => {
  const items = listOf(item, name)
  if (items.length !== 4) throw new BlockInputError(`${name}: ${items.length} fields, expected 4`)
  return {
    index: integerOf(items[0], `${name}.index`),
    validatorIndex: integerOf(items[1], `${name}.validatorIndex`),
    address: bytesToHex(bytesOf(items[2], `${name}.address`, 20)),
    amount: integerOf(items[3], `${name}.amount`),
  }
}
