const FIRST_BYTES = 1 << 16
const DIGITS = '0123456789abcdef'

/** Characters of the two digits of a byte. */
const HIGH = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS.charCodeAt(byte >>> 4))
const LOW = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS.charCodeAt(byte & 15))

/** Text as bytes of UTF-8 that grow: millions of digits without a string of them. */
export class TextWriter {
  #bytes: Uint8Array
  #length = 0

  /** `size`: bytes that are likely to come. */
  constructor(size = FIRST_BYTES) {
    this.#bytes = new Uint8Array(Math.max(FIRST_BYTES, size))
  }

  get length(): number {
    return this.#length
  }

  /** What was written: a view. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Bytes that are text already. */
  put(text: Uint8Array): void {
    this.#need(text.length)
    this.#bytes.set(text, this.#length)
    this.#length += text.length
  }

  text(text: string): void {
    this.put(Buffer.from(text, 'utf8'))
  }

  /** Two digits for each of the bytes [from, end). */
  hex(bytes: Uint8Array, from: number, end: number): void {
    this.#need(2 * (end - from))
    this.#length = writeHex(this.#bytes, this.#length, bytes, from, end)
  }

  /** 0x and the digits of a whole number below 2^53, without zeros before them. */
  quantity(value: number): void {
    const digits = digitsOf(value)
    this.#need(2 + digits)
    const bytes = this.#bytes
    const at = this.#length
    bytes[at] = 0x30
    bytes[at + 1] = 0x78
    let rest = value
    for (let n = at + 1 + digits; n > at + 1; n--) {
      bytes[n] = LOW[rest & 15]!
      rest = rest < 2 ** 31 ? rest >>> 4 : Math.floor(rest / 16)
    }
    this.#length = at + 2 + digits
  }

  #need(bytes: number): void {
    const least = this.#length + bytes
    if (least <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, least))
    grown.set(this.bytes)
    this.#bytes = grown
  }
}

const digitsOf = (value: number): number => {
  let digits = 1
  for (let rest = value; rest >= 16; rest = rest < 2 ** 31 ? rest >>> 4 : Math.floor(rest / 16)) digits++
  return digits
}

/** Digits of the bytes [from, end), from to[at] on. Returns where they end. */
export const writeHex = (to: Uint8Array, at: number, bytes: Uint8Array, from: number, end: number): number => {
  for (let n = from; n < end; n++) {
    const byte = bytes[n]!
    to[at++] = HIGH[byte]!
    to[at++] = LOW[byte]!
  }
  return at
}
