/**
 * A log of a transaction. Address, topics and data are 0x-hex in lower case.
 *
 * Example: {@link Receipts}.
 */
export interface Log {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: string
}
