const ERROR_SELECTOR = '0x08c379a0'
const PANIC_SELECTOR = '0x4e487b71'

/** Codes of Solidity's Panic(uint256), by the compiler's documentation ("Panic via assert and Error via require"). */
const PANICS: ReadonlyMap<bigint, string> = new Map([
  [0x00n, 'generic panic'],
  [0x01n, 'assertion failed'],
  [0x11n, 'arithmetic underflow or overflow'],
  [0x12n, 'division or modulo by zero'],
  [0x21n, 'conversion into a value that the enum lacks'],
  [0x22n, 'incorrectly encoded storage byte array'],
  [0x31n, 'pop of an empty array'],
  [0x32n, 'array index out of bounds'],
  [0x41n, 'too much memory allocated'],
  [0x51n, 'call of a zero-initialised function variable'],
])

/** The text that revert data carries as Error(string) or Panic(uint256); undefined for everything else. */
export const revertReason = (output: Uint8Array): string | undefined => {
  const bytes = Buffer.from(output.buffer, output.byteOffset, output.length)
  const selector = `0x${bytes.toString('hex', 0, 4)}`
  if (selector === PANIC_SELECTOR && bytes.length === 36) {
    const code = BigInt(`0x${bytes.toString('hex', 4)}`)
    return `panic 0x${code.toString(16).padStart(2, '0')}: ${PANICS.get(code) ?? 'unknown code'}`
  }
  if (selector !== ERROR_SELECTOR || bytes.length < 68) return undefined
  const offset = smallWordAt(bytes, 4)
  const length = offset === undefined ? undefined : smallWordAt(bytes, 4 + offset)
  if (offset === undefined || length === undefined || 36 + offset + length > bytes.length) return undefined
  return bytes.toString('utf8', 36 + offset, 36 + offset + length)
}

/** The word at `at` as a number, or undefined where it is cut off or 2^32 and more. */
const smallWordAt = (bytes: Buffer, at: number): number | undefined => {
  if (at + 32 > bytes.length) return undefined
  for (let i = at; i < at + 28; i++) if (bytes[i] !== 0) return undefined
  return bytes.readUInt32BE(at + 28)
}
