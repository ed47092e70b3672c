import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { wordCopy } from '../../primitives/word.ts'
import type { StateWrites } from '../state.ts'
import { ROW_LIMBS } from '../tables/account_table.ts'
import type { CodeTable } from '../tables/code_table.ts'
import type { ResidentState } from '../tables/resident_tables.ts'

/**
 * Columns of writes that resident tables have and never change, made a part at a time: whoever commits the writes at
 * once needs no arrays for them. Rows [first, end) go to the beginning of the columns.
 */
export interface TableColumns {
  /** Whether one of these accounts has code. */
  hasCode(first: number, end: number): boolean
  accounts(first: number, end: number, addresses: Uint32Array): void
  slots(first: number, end: number, addresses: Uint32Array, keys: Uint32Array): void
}

const columnsOf = new WeakMap<StateWrites, TableColumns>()

/** Undefined where the writes are arrays only. */
export const tableColumns = (writes: StateWrites): TableColumns | undefined => columnsOf.get(writes)

/** What was collected of tables, by the rows of the writes. */
export interface Collected {
  readonly deletedAccounts: Uint32Array
  readonly accountIds: Uint32Array
  readonly nonce: Uint32Array
  readonly balance: Uint32Array
  /** Code ids; undefined where all are 0. */
  readonly codeIds: Uint32Array | undefined
  readonly code: ReadonlyMap<string, Uint8Array>
  readonly slotIds: Uint32Array
  readonly slotValues: Uint32Array
}

/**
 * Writes whose columns of names and codes are made when they are read, of the arrays that the tables have now: tables
 * that grow or are replaced leave these as they are.
 */
export const writesOver = ({ accounts, slots, codes }: ResidentState, collected: Collected): StateWrites => {
  const { deletedAccounts, accountIds, nonce, balance, codeIds, code, slotIds, slotValues } = collected
  const { rows } = accounts
  const { keys, owners } = slots
  const [accountCount, slotCount] = [accountIds.length, slotIds.length]
  const columns: TableColumns = {
    hasCode: (first, end) => codeIds?.subarray(first, end).some((id) => id !== 0) ?? false,
    accounts: (first, end, addresses) => {
      for (let i = first, at = 0; i < end; i++, at += LIMBS_PER_ADDRESS)
        copyAddress(addresses, at, rows, accountIds[i]! * ROW_LIMBS)
    },
    slots: (first, end, addresses, words) => {
      for (let i = first, at = 0; i < end; i++, at += LIMBS_PER_ADDRESS)
        copyAddress(addresses, at, rows, owners[slotIds[i]!]! * ROW_LIMBS)
      for (let i = first, at = 0; i < end; i++, at += LIMBS_PER_WORD)
        wordCopy(words, at, keys, slotIds[i]! * LIMBS_PER_WORD)
    },
  }
  const accountAddresses = once(() => {
    const addresses = new Uint32Array(LIMBS_PER_ADDRESS * accountCount)
    columns.accounts(0, accountCount, addresses)
    return addresses
  })
  const slotNames = once(() => {
    const addresses = new Uint32Array(LIMBS_PER_ADDRESS * slotCount)
    const words = new Uint32Array(LIMBS_PER_WORD * slotCount)
    columns.slots(0, slotCount, addresses, words)
    return { addresses, words }
  })
  const exists = once(() => new Uint8Array(accountCount).fill(1))
  const codeHash = once(() => codeHashes(codes, codeIds, accountCount))
  const writes: StateWrites = {
    deletedAccounts,
    accountCount,
    get accountAddresses() {
      return accountAddresses()
    },
    accounts: {
      get exists() {
        return exists()
      },
      nonce,
      balance,
      get codeHash() {
        return codeHash()
      },
    },
    slotCount,
    get slotAddresses() {
      return slotNames().addresses
    },
    get slotKeys() {
      return slotNames().words
    },
    slotValues,
    code,
  }
  columnsOf.set(writes, columns)
  return writes
}

const once = <Made>(make: () => Made): (() => Made) => {
  let made: Made | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** Hashes of the codes with these ids. The ids of a code table never name another code. */
const codeHashes = ({ codes, constants }: CodeTable, ids: Uint32Array | undefined, count: number): Uint32Array => {
  const hashes = repeated(constants, codes[0]!.constantsBase * LIMBS_PER_WORD, count)
  if (ids === undefined) return hashes
  for (let i = 0; i < count; i++)
    if (ids[i] !== 0) wordCopy(hashes, LIMBS_PER_WORD * i, constants, codes[ids[i]!]!.constantsBase * LIMBS_PER_WORD)
  return hashes
}

/** The word at `words[at]`, `count` times. */
const repeated = (words: Uint32Array, at: number, count: number): Uint32Array => {
  const all = new Uint32Array(LIMBS_PER_WORD * count)
  if (count === 0) return all
  wordCopy(all, 0, words, at)
  for (let done = LIMBS_PER_WORD; done < all.length; done *= 2) all.copyWithin(done, 0, done)
  return all
}

export const copyAddress = (to: Uint32Array, ti: number, from: Uint32Array, fi: number): void => {
  to[ti] = from[fi]!
  to[ti + 1] = from[fi + 1]!
  to[ti + 2] = from[fi + 2]!
  to[ti + 3] = from[fi + 3]!
  to[ti + 4] = from[fi + 4]!
}
