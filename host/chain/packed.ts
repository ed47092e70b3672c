/**
 * Signed transactions as they come over the wire, one after another in one buffer. Transaction i is the bytes
 * offsets[i] .. offsets[i + 1].
 *
 * bytes     u8           the transactions
 * offsets   u32[n + 1]   ascending; the first is 0 and the last the length of `bytes`
 */
export interface PackedTransactions {
  readonly bytes: Uint8Array
  readonly offsets: Uint32Array
}
