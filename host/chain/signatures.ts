import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { keccakMany } from '../primitives/keccak_many.ts'
import { integerBytes, rlpInteger, writeRlpHead } from '../primitives/rlp.ts'
import { HALF_ORDER } from '../primitives/secp256k1.ts'
import { TransactionInputError } from './encode_batch.ts'
import { messagesOf } from './packed.ts'
import { endAt, payloadAt } from './rlp_items.ts'
import { DYNAMIC, type FieldTable, ROW_ENTRIES, type Shape, shapeOf, typeAt } from './signed_fields.ts'
import { bigintOf, copyBytes, integerAt } from './signed_items.ts'

/** The parity of a row without a signature: of a deposit, which is not signed, and of a row that cannot be read. */
export const NO_SIGNATURE = 2

/**
 * What senders are recovered from. Row i:
 *
 * hash       u8[32 n]   keccak-256 of what was signed
 * rs         u8[64 n]   r and s, big-endian
 * parity     u8[n]      of the y of the signature's point: 0, 1, or NO_SIGNATURE
 * identity   u8[32 n]   keccak-256 of the whole transaction, from which all of these follow; where there is one
 *
 * Example: {@link decode}.
 */
export interface Signatures {
  readonly hash: Uint8Array
  readonly rs: Uint8Array
  readonly parity: Uint8Array
  readonly identity?: Uint8Array | undefined
}

const NONE = new Uint8Array(0)
const HALF_ORDER_BYTES = integerBytes(HALF_ORDER)

/** Columns of signatures, filled row by row. What was signed is hashed when it is asked for, all of it at once. */
export class SignatureColumns {
  readonly #table: FieldTable
  readonly #chainId: bigint
  readonly #chainIdBytes: Uint8Array
  /** v of a legacy transaction of the chain, by parity (EIP-155). */
  readonly #v: readonly [Uint8Array, Uint8Array]
  /** What EIP-155 adds to the signed list: chain id, 0, 0. */
  readonly #suffix: Uint8Array
  /** Whether an s in the upper half is good (before EIP-2). */
  readonly #allowsHighS: boolean
  /** Whether a legacy transaction may name a chain (EIP-155). */
  readonly #knowsChains: boolean
  readonly #rs: Uint8Array
  readonly #parity: Uint8Array
  #hash: Uint8Array | undefined
  #identity: Uint8Array | undefined

  constructor(table: FieldTable, count: number, chainId: bigint, fork: Fork | undefined) {
    this.#table = table
    this.#chainId = chainId
    this.#chainIdBytes = integerBytes(chainId)
    this.#v = [integerBytes(35n + 2n * chainId), integerBytes(36n + 2n * chainId)]
    this.#suffix = Uint8Array.of(...rlpInteger(chainId), 0x80, 0x80)
    this.#allowsHighS = fork !== undefined && !isAtLeast(fork, 'homestead')
    this.#knowsChains = fork === undefined || isAtLeast(fork, 'spuriousDragon')
    this.#rs = new Uint8Array(64 * count)
    this.#parity = new Uint8Array(count).fill(NO_SIGNATURE)
  }

  /** Checks v, r and s of row i, its chain and its parity, and enters them. Throws TransactionInputError. */
  read(type: number, shape: Shape, i: number): void {
    const { bytes, at } = this.#table
    const field = ROW_ENTRIES * i + shape.v
    const vHead = at[field]!
    const rHead = at[field + 1]!
    const sHead = at[field + 2]!
    const end = at[field + 3]!
    const v = integerAt(bytes, vHead, rHead, 32, 'v', i)
    const r = integerAt(bytes, rHead, sHead, 32, 'r', i)
    const s = integerAt(bytes, sHead, end, 32, 's', i)
    if (type !== 0) this.#checkChain(shape, i)
    const isOfChain = type === 0 && this.#isOfChain(v, rHead, i)
    const parity = isOfChain ? (isAt(this.#v[0], bytes, v, rHead) ? 0 : 1) : parityOf(type, bytes, v, rHead)
    if (parity === NO_SIGNATURE) this.#refuseV(type, bigintOf(bytes, v, rHead), i)
    if (!this.#allowsHighS && end - s === 32 && isAbove(bytes, s, HALF_ORDER_BYTES))
      throw new TransactionInputError(i, 's is in the upper half of the order')
    copyBytes(this.#rs, 64 * i + 32 - (sHead - r), bytes, r, sHead)
    copyBytes(this.#rs, 64 * (i + 1) - (end - s), bytes, s, end)
    this.#parity[i] = parity
  }

  /** Enters those of a plain transaction (signed_plain.ts), which are good. */
  readPlain(i: number): void {
    const { bytes, at } = this.#table
    const field = ROW_ENTRIES * i + DYNAMIC.v
    const r = payloadAt(bytes, at[field + 1]!)
    const sHead = at[field + 2]!
    const s = payloadAt(bytes, sHead)
    const end = at[field + 3]!
    copyBytes(this.#rs, 64 * i + 32 - (sHead - r), bytes, r, sHead)
    copyBytes(this.#rs, 64 * (i + 1) - (end - s), bytes, s, end)
    this.#parity[i] = bytes[at[field]!] === 1 ? 1 : 0
  }

  /** The columns. `hash` and `identity` are read while the bytes of the transactions are what they are now. */
  finish(): Signatures {
    const hashes = (): Uint8Array => {
      this.#hash ??= this.#hashes()
      return this.#hash
    }
    const identities = (): Uint8Array => {
      this.#identity ??= keccakMany(messagesOf(this.#table))
      return this.#identity
    }
    return {
      rs: this.#rs,
      parity: this.#parity,
      get hash() {
        return hashes()
      },
      get identity() {
        return identities()
      },
    }
  }

  /**
   * Hashes what every row with a signature has signed: the list without its signature, which starts with v, under a new
   * header. The fields before v lie in the transaction as they must be hashed, because the RLP is canonical.
   */
  #hashes(): Uint8Array {
    const { bytes, at } = this.#table
    const parity = this.#parity
    // No message is longer than its transaction and the suffix.
    const messages = new Uint8Array(bytes.length + parity.length * this.#suffix.length)
    const [offsets, lengths, rows] = [0, 1, 2].map(() => new Uint32Array(parity.length)) as [Column, Column, Column]
    let count = 0
    let next = 0
    for (let i = 0; i < parity.length; i++) {
      if (parity[i] === NO_SIGNATURE) continue
      const type = typeAt(this.#table, i)
      const fields = at[ROW_ENTRIES * i]!
      const v = at[ROW_ENTRIES * i + shapeOf(type)!.v]!
      const suffix = type === 0 && this.#namesChain(v) ? this.#suffix : NONE
      offsets[count] = next
      rows[count] = i
      if (type !== 0) messages[next++] = type
      next = writeRlpHead(messages, next, 0xc0, v - fields + suffix.length)
      copyBytes(messages, next, bytes, fields, v)
      next += v - fields
      for (let n = 0; n < suffix.length; n++) messages[next++] = suffix[n]!
      lengths[count] = next - offsets[count]!
      count++
    }
    const digests = keccakMany({ count, bytes: messages, offsets, lengths })
    if (count === parity.length) return digests
    const hash = new Uint8Array(32 * parity.length)
    for (let m = 0; m < count; m++) copyBytes(hash, 32 * rows[m]!, digests, 32 * m, 32 * (m + 1))
    return hash
  }

  /** Whether the v of a legacy transaction, which was read, names the chain. */
  #namesChain(vHead: number): boolean {
    const { bytes } = this.#table
    const start = payloadAt(bytes, vHead)
    const end = endAt(bytes, vHead)
    return this.#knowsChains && (isAt(this.#v[0], bytes, start, end) || isAt(this.#v[1], bytes, start, end))
  }

  #checkChain({ chainId }: Shape, i: number): void {
    const { bytes, at } = this.#table
    const end = at[ROW_ENTRIES * i + chainId + 1]!
    const start = integerAt(bytes, at[ROW_ENTRIES * i + chainId]!, end, 32, 'chain id', i)
    if (!isAt(this.#chainIdBytes, bytes, start, end)) this.#refuseChain(bigintOf(bytes, start, end), i)
  }

  /** Whether v is of the chain (EIP-155); false: it names none, as before that. Another chain is refused. */
  #isOfChain(v: number, end: number, i: number): boolean {
    if (!this.#knowsChains) return false
    const { bytes } = this.#table
    if (isAt(this.#v[0], bytes, v, end) || isAt(this.#v[1], bytes, v, end)) return true
    if (end - v === 0 || (end - v === 1 && bytes[v]! < 35)) return false
    return this.#refuseChain((bigintOf(bytes, v, end) - 35n) >> 1n, i)
  }

  #refuseV(type: number, got: bigint, i: number): never {
    const expected = type === 0 && !this.#knowsChains ? ', expected 27 or 28 before spuriousDragon' : ''
    throw new TransactionInputError(i, `v is ${got}${expected}`)
  }

  #refuseChain(got: bigint, i: number): never {
    throw new TransactionInputError(i, `chain id ${got}, expected ${this.#chainId}`)
  }
}

type Column = Uint32Array<ArrayBuffer>

/** Of a v that names no chain; NO_SIGNATURE where it is not one. */
const parityOf = (type: number, bytes: Uint8Array, v: number, end: number): number => {
  if (end - v > 1) return NO_SIGNATURE
  const value = v === end ? 0 : bytes[v]!
  const parity = type === 0 ? value - 27 : value
  return parity === 0 || parity === 1 ? parity : NO_SIGNATURE
}

/** Whether the bytes from `start` up to `end` are these. */
const isAt = (these: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean => {
  if (end - start !== these.length) return false
  for (let n = 0; n < these.length; n++) if (these[n] !== bytes[start + n]) return false
  return true
}

/** Whether the 32 bytes from `start` on are a larger number. */
const isAbove = (bytes: Uint8Array, start: number, than: Uint8Array): boolean => {
  for (let n = 0; n < 32; n++) if (bytes[start + n] !== than[n]) return bytes[start + n]! > than[n]!
  return false
}
