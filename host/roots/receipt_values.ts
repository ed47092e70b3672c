import { BLOOM_BYTES } from '../chain/bloom.ts'
import { NO_LENGTH } from '../chain/lane_rows.ts'
import type { EncodedReceipts } from '../chain/receipt_list.ts'
import { rlpHeadBytes, rlpHex, rlpInteger, writeRlpHead } from '../primitives/rlp.ts'
import { encodeLogs } from '../receipts/encode_logs.ts'
import { type Receipts, STATUS_REJECTED, STATUS_SUCCESS } from '../receipts/receipts.ts'

/**
 * What a receipts trie holds beyond the receipts of the batch, by transaction index.
 *
 * @example
 * import type { ReceiptExtras } from 'wgevm'
 *
 * const extras: ReceiptExtras = { deposits: new Map([[0, { nonce: 3n, version: 1n }]]) }
 * console.log(extras.deposits?.get(0)?.nonce) // 3n
 */
export interface ReceiptExtras {
  /** State root after each transaction (0x-hex), before Byzantium. */
  readonly postStates?: readonly string[]
  /** OP-stack deposits. */
  readonly deposits?: ReadonlyMap<number, { readonly nonce: bigint; readonly version?: bigint }>
}

/** What a receipt has that columns do not: encoded fields. */
interface RareFields {
  /** In place of the status. */
  readonly postState: Uint8Array
  /** In place of `cumulativeGasUsed`: it passes what doubles can tell apart. */
  readonly gas: Uint8Array
  /** Of executions that have logs as objects only. */
  readonly logs: Uint8Array | undefined
  /** After the logs. */
  readonly deposit: Uint8Array
}

const NONE = new Uint8Array(0)
/** A bloom and its head. */
const BLOOM_FIELD_BYTES = 3 + BLOOM_BYTES

/** Receipts that are written together: their bytes stay in the second level of cache. */
const BLOCK = 512

/**
 * The receipts of the included transactions as the receipts trie holds them (YP 4.3.1, EIP-2718): RLP, after the type
 * byte where there is one. Two passes: here their lengths, then `write`.
 *
 * transactions   u32[count]   the included ones, in order
 * lengths        u32[count]   bytes of their receipts
 * payloads       u32[count]   bytes of their fields
 * logs           u32[]        bytes of the logs by transaction, without the head of the list
 */
export class ReceiptValues {
  readonly lengths: Uint32Array
  readonly #receipts: Receipts
  readonly #transactions: Uint32Array
  readonly #payloads: Uint32Array
  readonly #logs: Uint32Array
  /** By transaction. */
  readonly #rare = new Map<number, RareFields>()

  constructor(receipts: Receipts, extras: ReceiptExtras) {
    this.#receipts = receipts
    const { count, status, type, cumulativeGasUsed } = receipts
    const logs = receipts.logsLengths()
    const transactions = new Uint32Array(count)
    const payloads = new Uint32Array(count)
    const lengths = new Uint32Array(count)
    const mayHaveExtras = extras.postStates !== undefined || extras.deposits !== undefined
    let k = 0
    for (let i = 0; i < count; i++) {
      if (status[i] === STATUS_REJECTED) continue
      transactions[k] = i
      const gas = cumulativeGasUsed[i]!
      let fields = 1 + integerLength(gas)
      if (logs[i] === NO_LENGTH || gas > Number.MAX_SAFE_INTEGER || (mayHaveExtras && hasExtras(extras, i))) {
        const rare = rareFields(receipts, extras, i, logs[i] === NO_LENGTH)
        this.#rare.set(i, rare)
        logs[i] = rare.logs?.length ?? logs[i]!
        fields = (rare.postState.length || 1) + (rare.gas.length || integerLength(gas)) + rare.deposit.length
      }
      const payload = fields + BLOOM_FIELD_BYTES + rlpHeadBytes(logs[i]!) + logs[i]!
      payloads[k] = payload
      lengths[k] = (type[i] === 0 ? 0 : 1) + rlpHeadBytes(payload) + payload
      k++
    }
    this.#transactions = transactions.subarray(0, k)
    this.#payloads = payloads
    this.#logs = logs
    this.lengths = lengths.subarray(0, k)
  }

  /** Of the included transactions. */
  get count(): number {
    return this.lengths.length
  }

  /** Writes receipt k to `to` from starts[k] on. */
  write(to: Uint8Array, starts: Uint32Array): void {
    this.#inBlocks((_first, _end, writeTo) => writeTo(to, starts))
  }

  /** Gives the receipts side by side, some at a time, in order. The bytes are good until it returns. */
  visit(take: (receipts: EncodedReceipts) => void): void {
    const starts = new Uint32Array(this.count)
    let bytes = new Uint8Array(0)
    this.#inBlocks((first, end, writeTo) => {
      const lengths = this.lengths.subarray(first, end)
      let length = 0
      for (let k = first; k < end; k++) {
        starts[k] = length
        length += lengths[k - first]!
      }
      if (length > bytes.length) bytes = new Uint8Array(2 * length)
      writeTo(bytes, starts)
      take({ bytes: bytes.subarray(0, length), lengths })
    })
  }

  /** Calls `write` for receipts [first, end) after another, with what writes these. */
  #inBlocks(write: (first: number, end: number, writeTo: (to: Uint8Array, starts: Uint32Array) => void) => void): void {
    const receipts = this.#receipts
    const transactions = this.#transactions
    const places = { blooms: new Uint32Array(receipts.count), logs: new Uint32Array(receipts.count) }
    let from = 0
    for (let first = 0; first < this.count; first += BLOCK) {
      const end = Math.min(this.count, first + BLOCK)
      const next = end === this.count ? receipts.count : transactions[end]!
      write(first, end, (to, starts) => {
        this.#writeFields(first, end, to, starts, places)
        receipts.writeRange(from, next, to, places.logs, places.blooms)
      })
      from = next
    }
  }

  /** All of receipts [first, end) but bloom and logs, where these are no objects. */
  #writeFields(first: number, end: number, to: Uint8Array, starts: Uint32Array, places: Places): void {
    const { type, status, cumulativeGasUsed } = this.#receipts
    const transactions = this.#transactions
    const payloads = this.#payloads
    const logs = this.#logs
    const rareOnes = this.#rare.size === 0 ? undefined : this.#rare
    for (let k = first; k < end; k++) {
      const i = transactions[k]!
      const rare = rareOnes?.get(i)
      let at = starts[k]!
      if (type[i] !== 0) to[at++] = type[i]!
      at = writeRlpHead(to, at, 0xc0, payloads[k]!)
      if (rare !== undefined && rare.postState.length > 0) at = append(to, at, rare.postState)
      else to[at++] = status[i] === STATUS_SUCCESS ? 1 : 0x80
      if (rare !== undefined && rare.gas.length > 0) at = append(to, at, rare.gas)
      else at = writeInteger(to, at, cumulativeGasUsed[i]!)
      at = writeRlpHead(to, at, 0x80, BLOOM_BYTES)
      places.blooms[i] = at
      to.fill(0, at, at + BLOOM_BYTES)
      at = writeRlpHead(to, at + BLOOM_BYTES, 0xc0, logs[i]!)
      places.logs[i] = at
      if (rare === undefined) continue
      if (rare.logs !== undefined) append(to, at, rare.logs)
      append(to, at + logs[i]!, rare.deposit)
    }
  }
}

/** Where blooms and logs begin, by transaction. */
interface Places {
  readonly blooms: Uint32Array
  readonly logs: Uint32Array
}

const hasExtras = ({ postStates, deposits }: ReceiptExtras, i: number): boolean =>
  postStates?.[i] !== undefined || deposits?.has(i) === true

const rareFields = (receipts: Receipts, extras: ReceiptExtras, i: number, hasLogs: boolean): RareFields => {
  const postState = extras.postStates?.[i]
  const deposit = extras.deposits?.get(i)
  const isWide = receipts.cumulativeGasUsed[i]! > Number.MAX_SAFE_INTEGER
  return {
    postState: postState === undefined ? NONE : rlpHex(postState),
    gas: isWide ? rlpInteger(receipts.cumulativeGasUsedOf(i)) : NONE,
    logs: hasLogs ? encodeLogs(receipts.logs(i)) : undefined,
    deposit: joined(
      [deposit?.nonce, deposit?.version].flatMap((field) => (field === undefined ? [] : rlpInteger(field))),
    ),
  }
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) at = append(bytes, at, part)
  return bytes
}

const append = (to: Uint8Array, at: number, bytes: Uint8Array): number => {
  to.set(bytes, at)
  return at + bytes.length
}

/** Bytes of the RLP of a whole number below 2^53. */
const integerLength = (value: number): number => {
  if (value < 0x80) return 1
  if (value < 0x1_0000_0000) return value < 0x1_0000 ? (value < 0x100 ? 2 : 3) : value < 0x100_0000 ? 4 : 5
  return value < 2 ** 48 ? (value < 2 ** 40 ? 6 : 7) : 8
}

const writeInteger = (to: Uint8Array, at: number, value: number): number => {
  const bytes = integerLength(value) - 1
  if (bytes === 0) {
    to[at] = value === 0 ? 0x80 : value
    return at + 1
  }
  to[at] = 0x80 + bytes
  // Shifts take 32 bits.
  const high = Math.floor(value / 2 ** 32)
  for (let n = bytes, shift = 0; n > 0; n--, shift += 8) to[at + n] = (shift < 32 ? value : high) >>> (shift & 31)
  return at + 1 + bytes
}
