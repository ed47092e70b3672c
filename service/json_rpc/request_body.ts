import { randomBytes } from 'node:crypto'
import { HexReader } from '../../host/primitives/packed_hex.ts'

/**
 * Bytes that are read at a time, and those before the transactions at most. Fewer would make each of them cost more,
 * since an item that has not ended is read again.
 */
const STEP_BYTES = 1 << 15
/** The member of a payload that is most of it. */
const MEMBER = Buffer.from('"transactions"')
const START = /^[ \t\r\n]*:[ \t\r\n]*\[/
/** More than what lies between the name of the member and the start of its array. */
const MOST_BETWEEN = 64
/** Whose first parameter may have that member packed. */
const METHOD = /^engine_newPayloadV\d+$/
/** What stands for the array while the rest is parsed: no caller knows it. */
const MARK = `packed ${randomBytes(16).toString('hex')}`

/**
 * The body of a request as it comes, as JSON. Of a call of newPayload the transactions, which are nearly all of a large
 * block, are read to bytes while they come, and are `PackedHex` in what `parse` gives; a value in any other place, and
 * whatever is no array of byte strings, is what JSON.parse makes of it.
 *
 * A text with an array and one with a string in its place are JSON or not together, whatever is around it: where the
 * array begins inside of a string, its first quote ends that string, and neither its digits nor the mark may follow.
 */
export class RequestBody {
  /** Of all bytes. */
  length = 0
  readonly #stepBytes: number
  readonly #expected: number
  readonly #chunks: Buffer[] = []
  /** The last chunks, which have not been read. */
  #unread: Buffer[] = []
  #unreadBytes = 0
  /** Of the array: not begun, under way, at its end, or left to JSON.parse. */
  #stage: 'before' | 'within' | 'after' | 'plain'
  #reader: HexReader | undefined
  /** Bytes before the array, once it has begun, and through it, once it has ended. */
  #start = 0
  #end = 0

  /** `expected`: bytes that are to come; 0: not known. */
  constructor(expected: number, stepBytes = STEP_BYTES) {
    this.#expected = expected
    this.#stepBytes = stepBytes
    this.#stage = expected < 2 * stepBytes ? 'plain' : 'before'
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.length += chunk.length
    if (this.#stage === 'plain' || this.#stage === 'after') return
    this.#unread.push(chunk)
    this.#unreadBytes += chunk.length
    if (this.#unreadBytes >= this.#stepBytes) this.#take()
  }

  /** The value; undefined where the text is not JSON. */
  parse(): unknown {
    if (this.#stage === 'within') this.#take()
    if (this.#stage !== 'after') return parseJson(this.#text(0, this.length))
    const value = parseJson(`${this.#text(0, this.#start)}"${MARK}"${this.#text(this.#end, this.length)}`)
    if (value === undefined) return undefined
    const payload = payloadOf(value)
    if (payload?.['transactions'] !== MARK) return parseJson(this.#text(0, this.length))
    payload['transactions'] = this.#reader!.finish()
    return value
  }

  /** Reads what has come. */
  #take(): void {
    const bytes = this.#unread.length === 1 ? this.#unread[0]! : Buffer.concat(this.#unread)
    const from = this.length - bytes.length
    this.#unread = []
    this.#unreadBytes = 0
    if (this.#stage === 'within') this.#read(bytes, from)
    else this.#begin(bytes)
  }

  /** Looks for the start of the array in the first bytes. */
  #begin(bytes: Buffer): void {
    const at = bytes.indexOf(MEMBER)
    const name = at + MEMBER.length
    const start = at < 0 ? null : START.exec(bytes.toString('latin1', name, name + MOST_BETWEEN))
    this.#stage = 'plain'
    if (start === null) return
    this.#start = name + start[0].length - 1
    this.#reader = HexReader.of(this.#expected - this.#start)
    if (this.#reader === undefined) return
    this.#stage = 'within'
    this.#read(bytes.subarray(this.#start + 1), this.#start + 1)
  }

  #read(bytes: Uint8Array, from: number): void {
    const taken = this.#reader!.push(bytes)
    if (taken === undefined) return
    this.#stage = taken < 0 ? 'plain' : 'after'
    this.#end = from + taken
  }

  /** The bytes from .. end of all as text. */
  #text(from: number, end: number): string {
    const parts: Buffer[] = []
    let at = 0
    for (const chunk of this.#chunks) {
      if (at < end && at + chunk.length > from) parts.push(chunk.subarray(Math.max(0, from - at), end - at))
      at += chunk.length
    }
    return Buffer.concat(parts).toString('utf8')
  }
}

/** The value of a text; undefined where it is not JSON. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The first parameter of a call of newPayload. */
const payloadOf = (call: unknown): Record<string, unknown> | undefined => {
  if (typeof call !== 'object' || call === null || !('method' in call) || !('params' in call)) return undefined
  const { method, params } = call
  if (typeof method !== 'string' || !METHOD.test(method) || !Array.isArray(params)) return undefined
  const [payload] = params as readonly unknown[]
  return typeof payload === 'object' && payload !== null ? (payload as Record<string, unknown>) : undefined
}
