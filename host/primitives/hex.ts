/** 0x-hex in lower case. */
export const bytesToHex = (bytes: Uint8Array): string =>
  `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`

/** Bytes of 0x-hex with an even number of digits. Throws RangeError on anything else. */
export const hexToBytes = (hex: string): Uint8Array => {
  if (!/^0x([0-9a-fA-F]{2})*$/.test(hex))
    throw new RangeError(`expected 0x and an even number of hex digits, got '${hex.slice(0, 80)}'`)
  const buffer = Buffer.from(hex.slice(2), 'hex')
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}
