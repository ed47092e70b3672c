import { keccak256 } from '../../primitives/keccak.ts'
import { addressToBytes, wordCopy, wordFromBytes, wordToBytes } from '../../primitives/word.ts'
import {
  ACCOUNT_BALANCE,
  ACCOUNT_CODE,
  ACCOUNT_NAME,
  ACCOUNT_NONCE,
  LEAF_LIMBS,
  SLOT_NAME,
  SLOT_VALUE,
} from '../trie/leaf_rows.ts'
import type { StateNodes } from '../trie/state_nodes.ts'
import { KEY_PREFIXES, visitLeaves } from '../trie/visit_leaves.ts'
import type { Environment, Table } from './environment.ts'
import type { Nodes } from './nodes.ts'
import { ADDRESS_BYTES, absentAccounts, encodeAccount, encodeWord, SLOT_KEY_BYTES } from './records.ts'
import { StoreError } from './store_error.ts'

/** Accounts and slots that are compared before what was read of the trie is dropped, about. */
const ENTRIES_OF_PART = 2 ** 18

/** What the state on disk holds. */
export interface StateCounts {
  readonly accounts: number
  readonly slots: number
}

/**
 * Reads all pages of the trie on disk, which hash up to this root, and compares every leaf with the account or slot on
 * disk: these are the state with that root, and no others. Codes are hashed. Throws StoreError.
 *
 * Cost: linear in accounts, slots and bytes of code.
 */
export const checkNodes = (environment: Environment, nodes: Nodes, stateRoot: string): StateCounts => {
  const { tables, folder } = environment
  const { root } = nodes
  if (root === undefined || root.hash !== stateRoot)
    throw new StoreError(
      folder,
      'damaged',
      `the store is damaged: the trie has root ${root?.hash}, the head has ${stateRoot}`,
    )
  const comparison = new Comparison(environment)
  const entries = { accounts: entriesOf(tables.accounts), slots: entriesOf(tables.slots) }
  const parts = Math.ceil((entries.accounts + entries.slots) / ENTRIES_OF_PART) || 1
  checkCodes(environment)
  const start = (part: number): number => Math.floor((KEY_PREFIXES * part) / parts)
  for (let part = 0; part < parts; part++) visitLeaves(nodes, root, [start(part), start(part + 1)], comparison)
  for (const table of ['accounts', 'slots'] as const)
    if (comparison.counts[table] !== entries[table])
      throw new StoreError(
        folder,
        'damaged',
        `the state is damaged: ${entries[table]} ${table}, its trie has ${comparison.counts[table]}`,
      )
  return entries
}

const entriesOf = (table: Table): number => (table.getStats() as { readonly entryCount: number }).entryCount

const checkCodes = ({ tables, folder }: Environment): void => {
  for (const { key, value } of tables.code.getRange({})) {
    if (isSame(keccak256(value), key)) continue
    const name = `0x${Buffer.from(key).toString('hex')}`
    throw new StoreError(folder, 'damaged', `the state is damaged: the code with hash ${name} has another`)
  }
}

class Comparison {
  readonly counts = { accounts: 0, slots: 0 }
  readonly #environment: Environment
  readonly #columns = absentAccounts(1)
  readonly #key = new Uint8Array(SLOT_KEY_BYTES)

  constructor(environment: Environment) {
    this.#environment = environment
  }

  account({ accounts: { rows }, codes }: StateNodes, leaf: number): void {
    const row = LEAF_LIMBS * leaf
    const { tables } = this.#environment
    const { nonce, balance, codeHash } = this.#columns
    nonce.set(rows.subarray(row + ACCOUNT_NONCE, row + ACCOUNT_NONCE + 2))
    wordCopy(balance, 0, rows, row + ACCOUNT_BALANCE)
    wordFromBytes(codeHash, 0, codes.bytes, 32 * rows[row + ACCOUNT_CODE]!)
    addressToBytes(this.#key, 0, rows, row + ACCOUNT_NAME)
    this.counts.accounts++
    this.#compare('accounts', tables.accounts, this.#key.subarray(0, ADDRESS_BYTES), encodeAccount(this.#columns, 0))
    if (
      rows[row + ACCOUNT_CODE] !== 0 &&
      !tables.code.doesExist(codes.bytes.slice(32 * rows[row + ACCOUNT_CODE]!, 32 * rows[row + ACCOUNT_CODE]! + 32))
    )
      throw new StoreError(
        this.#environment.folder,
        'damaged',
        `the state is damaged: no code with hash ${codes.hexOf(rows[row + ACCOUNT_CODE]!)}`,
      )
  }

  slot({ accounts, slots: { rows } }: StateNodes, account: number, leaf: number): void {
    const row = LEAF_LIMBS * leaf
    addressToBytes(this.#key, 0, accounts.rows, LEAF_LIMBS * account + ACCOUNT_NAME)
    wordToBytes(this.#key, ADDRESS_BYTES, rows, row + SLOT_NAME)
    this.counts.slots++
    const value = encodeWord(rows.subarray(row + SLOT_VALUE, row + SLOT_VALUE + 8), 0)
    this.#compare('slots', this.#environment.tables.slots, this.#key, value)
  }

  #compare(name: string, table: Table, key: Uint8Array, value: Uint8Array): void {
    const stored = table.getBinaryFast(key)
    if (stored !== undefined && isSame(stored, value)) return
    const what = `0x${Buffer.from(key).toString('hex')} in ${name} is not what the trie has`
    throw new StoreError(this.#environment.folder, 'damaged', `the state is damaged: ${what}`)
  }
}

/** Bytes of the database may lie in a longer buffer, whose `length` is theirs. */
const isSame = (stored: Uint8Array, value: Uint8Array): boolean => {
  if (stored.length !== value.length) return false
  for (let n = 0; n < value.length; n++) if (stored[n] !== value[n]) return false
  return true
}
