import type { ChangeRecord } from './change_record.ts'

/** What a change of the tries of a state replaced, and the rows that its entries name. */
export interface ReplacedValues {
  readonly record: ChangeRecord
  /** Rows of leaves (leaf_rows.ts): an account names its storage as it is now. */
  readonly accounts: Uint32Array
  readonly slots: Uint32Array
  /** Hashes of codes by number, 32 bytes each; 0 is that of no code. */
  readonly codes: Uint8Array
}
