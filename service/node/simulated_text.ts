import type { BlockHeader, SimulatedColumns, Withdrawal } from '../../host/index.ts'
import { toQuantity } from '../json_rpc/codec.ts'
import { jsonOfCallError, jsonOfHeader, jsonOfTransaction, jsonOfWithdrawal } from '../methods/encode.ts'
import type { SimulatedCallView } from './state_calls.ts'
import { TextWriter, writeHex } from './text_writer.ts'
import type { TransactionView } from './views.ts'

/**
 * A simulated block as the text that `jsonOfSimulated` gives, from columns: thousands of calls come without an object
 * each. What the calls came to is written before the block has its hash.
 */
const textOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

const CALL = textOf('{"returnData":"0x')
const NEXT_CALL = textOf(',{"returnData":"0x')
const LOGS = textOf('","logs":[')
const GAS_USED = textOf('],"gasUsed":"')
const MOST_GAS = textOf('","maxUsedGas":"')
const SUCCESS = textOf('","status":"0x1"}')
const FAILURE = textOf('","status":"0x0","error":')
const LOG = textOf('{"address":"0x')
const NEXT_LOG = textOf(',{"address":"0x')
const TOPICS = textOf('","topics":[')
const TOPIC = textOf('"0x')
const NEXT_TOPIC = textOf('","0x')
const QUOTE = textOf('"')
const DATA = textOf('],"data":"0x')
const INDEX = textOf('","transactionIndex":"')
const BLOCK_HASH = textOf(`","blockHash":"0x${'0'.repeat(64)}`)
const REMOVED = textOf('","removed":false}')
const CLOSE = textOf('}')
const END = textOf(']}')

const HASH_BYTES = 32
const HASH_DIGITS = 64
const ADDRESS_BYTES = 20
/** Text of a call without its logs and what it returns, and of a log without its data: likely most. */
const CALL_CHARACTERS = 128
const LOG_CHARACTERS = 800

/** What is known of a block before it has its hash. */
export interface TextTerms {
  readonly number: bigint
  readonly timestamp: bigint
  /** Hashes of its transactions, 32 bytes each. */
  readonly hashes: Uint8Array
  /** What is told of a call that failed. */
  errorOf(exception: string | undefined, output: Uint8Array): NonNullable<SimulatedCallView['error']>
}

/** The text of the calls of a simulated block, with a gap where each log names the block. */
export class CallsText {
  readonly #columns: SimulatedColumns
  readonly #terms: TextTerms
  readonly #text: TextWriter
  readonly #gaps: number[] = []
  readonly #afterData: Uint8Array
  readonly #afterHash: Uint8Array
  #logIndex = 0

  constructor(columns: SimulatedColumns, terms: TextTerms) {
    this.#columns = columns
    this.#terms = terms
    const { receipts } = columns
    const logs = receipts.packedLogs()
    this.#text = new TextWriter(
      CALL_CHARACTERS * receipts.count + (logs.bytes.length === 0 ? 0 : LOG_CHARACTERS * receipts.count),
    )
    const { number, timestamp } = terms
    this.#afterData = textOf(`","blockNumber":"${toQuantity(number)}","transactionHash":"0x`)
    this.#afterHash = textOf(`","blockTimestamp":"${toQuantity(timestamp)}","logIndex":"`)
    for (let i = 0; i < receipts.count; i++) this.#writeCall(i, logs.bytes, logs.offsets[i]!, logs.offsets[i + 1]!)
    this.#text.put(END)
  }

  /** The text through the end of the block, once that has this hash. */
  at(hash: string): Uint8Array {
    const { bytes } = this.#text
    const digits = textOf(hash.slice(2))
    for (const gap of this.#gaps) bytes.set(digits, gap)
    return bytes
  }

  #writeCall(i: number, logs: Uint8Array, from: number, end: number): void {
    const { receipts, mostGasUsed } = this.#columns
    const text = this.#text
    const output = receipts.output(i)
    const isSuccess = receipts.status[i] === 1
    text.put(i === 0 ? CALL : NEXT_CALL)
    if (isSuccess) text.hex(output, 0, output.length)
    text.put(LOGS)
    for (let at = from; at < end; ) at = this.#writeLog(i, logs, at, at === from)
    text.put(GAS_USED)
    text.quantity(receipts.gasUsed[i]!)
    text.put(MOST_GAS)
    text.quantity(mostGasUsed[i]!)
    if (isSuccess) text.put(SUCCESS)
    else {
      text.put(FAILURE)
      text.text(JSON.stringify(jsonOfCallError(this.#terms.errorOf(receipts.callOutcome(i)?.exception, output))))
      text.put(CLOSE)
    }
  }

  /** Of the log whose RLP begins there. Returns where it ends. */
  #writeLog(i: number, rlp: Uint8Array, at: number, isFirst: boolean): number {
    const text = this.#text
    const address = payloadAt(rlp, at) + 1
    const topicsAt = address + ADDRESS_BYTES
    const dataAt = endOf(rlp, topicsAt)
    text.put(isFirst ? LOG : NEXT_LOG)
    text.hex(rlp, address, topicsAt)
    text.put(TOPICS)
    const first = payloadAt(rlp, topicsAt)
    for (let topic = first; topic < dataAt; topic += 1 + HASH_BYTES) {
      text.put(topic === first ? TOPIC : NEXT_TOPIC)
      text.hex(rlp, topic + 1, topic + 1 + HASH_BYTES)
    }
    if (first < dataAt) text.put(QUOTE)
    text.put(DATA)
    const end = endOf(rlp, dataAt)
    text.hex(rlp, payloadAt(rlp, dataAt), end)
    text.put(this.#afterData)
    const { hashes } = this.#terms
    text.hex(hashes, HASH_BYTES * i, HASH_BYTES * (i + 1))
    text.put(INDEX)
    text.quantity(i)
    text.put(BLOCK_HASH)
    this.#gaps.push(text.length - HASH_DIGITS)
    text.put(this.#afterHash)
    text.quantity(this.#logIndex++)
    text.put(REMOVED)
    return end
  }
}

/** Where the payload of the item at a place begins; a byte below 0x80 is its own. */
const payloadAt = (rlp: Uint8Array, at: number): number => {
  const head = rlp[at]!
  if (head < 0x80) return at
  const long = head >= 0xc0 ? 0xf7 : 0xb7
  return at + 1 + Math.max(0, head - long)
}

const endOf = (rlp: Uint8Array, at: number): number => {
  const head = rlp[at]!
  if (head < 0x80) return at + 1
  const [short, long] = head >= 0xc0 ? [0xc0, 0xf7] : [0x80, 0xb7]
  if (head <= long) return at + 1 + head - short
  const payload = payloadAt(rlp, at)
  let length = 0
  for (let n = at + 1; n < payload; n++) length = 256 * length + rlp[n]!
  return payload + length
}

/** What a simulated block says of itself. */
export interface BlockText {
  readonly hash: string
  readonly header: BlockHeader
  readonly sizeBytes: number
  /** In full where that was asked for. */
  readonly transactions: readonly TransactionView[] | undefined
  /** Of its transactions, 32 bytes each. */
  readonly hashes: Uint8Array
  readonly withdrawals: readonly Withdrawal[] | undefined
}

/** The text of a simulated block, in pieces one after another, each in memory of its own. */
export const blockText = (block: BlockText, calls: CallsText): readonly Uint8Array[] => {
  const { hash, header, sizeBytes, transactions, hashes, withdrawals } = block
  const head = JSON.stringify({ ...jsonOfHeader(hash, header), size: toQuantity(sizeBytes) })
  const text = new TextWriter(2 * head.length + (3 + 2 * HASH_BYTES) * (hashes.length / HASH_BYTES))
  text.text(`${head.slice(0, -1)},"transactions":[`)
  if (transactions === undefined) text.put(hashesText(hashes))
  else text.text(transactions.map((view) => JSON.stringify(jsonOfTransaction(view))).join(','))
  text.text('],"uncles":[]')
  if (withdrawals !== undefined) text.text(`,"withdrawals":${JSON.stringify(withdrawals.map(jsonOfWithdrawal))}`)
  text.text(',"calls":[')
  return [text.bytes, calls.at(hash)]
}

const BETWEEN = textOf('","0x')

const hashesText = (hashes: Uint8Array): Uint8Array => {
  const count = hashes.length / HASH_BYTES
  if (count === 0) return hashes
  const step = HASH_DIGITS + BETWEEN.length
  const text = new Uint8Array(step * count - 1)
  let at = 0
  for (let i = 0; i < count; i++) {
    text.set(i === 0 ? TOPIC : BETWEEN, at)
    at = writeHex(text, at + (i === 0 ? TOPIC : BETWEEN).length, hashes, HASH_BYTES * i, HASH_BYTES * (i + 1))
  }
  text[at] = QUOTE[0]!
  return text
}
