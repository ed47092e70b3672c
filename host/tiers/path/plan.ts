import {
  CONDITION_NO_OVERFLOW,
  CONDITION_NO_UNDERFLOW,
  CONDITION_SAME_ZERONESS,
} from '../../../transpiler/layout/settle.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import {
  type DeltaCondition,
  HINT_COLUMNS,
  type Lookup,
  type MemoLookup,
  type OutputWord,
  type PathKernel,
} from '../../../transpiler/path_kernel.ts'
import type { BloomItem } from '../../session/device_blooms.ts'
import { bloomItems, constantAccounts } from './receipts.ts'

/** Bytes of one lane column. */
export const COLUMN_BYTES = 16
/** u32 of one lane column. */
export const COLUMN_LIMBS = 4

/** Lane inputs as numbers, in the order of PathKernel.inputs. */
export const INPUT_GAS = 0
export const INPUT_CALLER = 1
export const INPUT_GASPRICE = 2
export const INPUT_VALUE = 3
export const INPUT_CALLDATA = 4

/**
 * What the hot loops need of a path, as flat arrays: look-ups and stores by column, without unions to switch over.
 *
 * A look-up's id is at `column * 4 * laneCount + 4 * lane + component` of lanesOut.
 */
export interface PathPlan {
  readonly kernel: PathKernel
  readonly inputKinds: Uint8Array
  readonly inputColumns: Uint16Array
  readonly inputOffsets: Uint32Array
  /** Slot look-ups: position among all look-ups, columns, components, key columns, owner look-up or -1. */
  readonly slots: LookupColumns
  /** For slot look-up k: the memo that it is of; undefined for a slot of an account. */
  readonly memos: readonly (MemoLookup | undefined)[]
  /** Account look-ups. */
  readonly accounts: LookupColumns
  /** For account look-up k: 1 = its code matters, 2 = its balance matters, 3 = both. */
  readonly accountUse: Uint8Array
  /** For account look-up k: column of the balance that the lane read, or -1. */
  readonly balanceColumns: Int32Array
  /** The same for the entry account. */
  readonly entryBalanceColumn: number
  /** For account look-up k: whether it exists in every lane that ends; -1 where the path does not say. */
  readonly accountExists: Int8Array
  /** Stores: index into `slots`, and column of the value. */
  readonly storeSlots: Uint16Array
  readonly storeColumns: Uint16Array
  /** Stores: 0 = the word is the new value; 1, -1 = it is an amount to add or subtract (StoreOutput.delta). */
  readonly storeSigns: Int8Array
  /** Stores: CONDITION_* bits of a delta. */
  readonly storeConditions: Uint8Array
  /** For slot look-up k: 1 + the store that moves it by a delta, 0 where its value matters as such. */
  readonly deltaStores: Uint16Array
  /** Inner transfers in order: index into `accounts` or -1 (the entry account), and column of the amount. */
  readonly transferFrom: Int16Array
  readonly transferTo: Int16Array
  readonly transferColumns: Uint16Array
  /** Inner transfers: 1 = it moves back what an earlier one moved. */
  readonly transferBack: Uint8Array
  readonly succeeds: boolean
  /**
   * Addresses of the precompiles that the path calls, whatever becomes of the calling frame: LIMBS_PER_ADDRESS each.
   */
  readonly precompiles: Uint32Array
  /** Columns of lanesOut that a lane which ended needs; the columns after hold looked-up keys only. */
  readonly resultColumns: number
  /** Topics whose bloom indices the device computes, as Receipts wants them. */
  readonly blooms: readonly BloomItem[]
  /** Accounts whose constants are in logs or output: look-ups among all, -1 for the entry account. */
  readonly constantAccounts: readonly number[]
}

export interface LookupColumns {
  readonly count: number
  readonly lookups: Uint16Array
  readonly columns: Uint16Array
  readonly components: Uint8Array
  readonly keyColumns: Uint16Array
  readonly owners: Int16Array
}

export const USE_CODE = 1
export const USE_BALANCE = 2

const CONDITION_BITS: Readonly<Record<DeltaCondition, number>> = {
  noUnderflow: CONDITION_NO_UNDERFLOW,
  noOverflow: CONDITION_NO_OVERFLOW,
  sameZeroness: CONDITION_SAME_ZERONESS,
}

const INPUT_KINDS = { gas: INPUT_GAS, caller: INPUT_CALLER, gasprice: INPUT_GASPRICE, value: INPUT_VALUE } as const

export const planPath = (kernel: PathKernel): PathPlan => {
  const slotLookups: number[] = []
  const accountLookups: number[] = []
  const accountUse: number[] = []
  kernel.lookups.forEach((lookup, i) => {
    if (lookup.kind === 'slot') slotLookups.push(i)
    else {
      accountLookups.push(i)
      accountUse.push((lookup.code ? USE_CODE : 0) | (lookup.balance ? USE_BALANCE : 0))
    }
  })
  return {
    kernel,
    inputKinds: Uint8Array.from(kernel.inputs, (input) =>
      input.kind === 'calldata' ? INPUT_CALLDATA : INPUT_KINDS[input.kind],
    ),
    inputColumns: Uint16Array.from(kernel.inputs, (input) => input.column),
    inputOffsets: Uint32Array.from(kernel.inputs, (input) => (input.kind === 'calldata' ? input.offset : 0)),
    slots: lookupColumns(kernel, slotLookups),
    memos: slotLookups.map((i) => memoOf(kernel.lookups[i]!)),
    accounts: lookupColumns(kernel, accountLookups),
    accountUse: Uint8Array.from(accountUse),
    balanceColumns: Int32Array.from(accountLookups, (i) => accountLookup(kernel, i).balanceColumn ?? -1),
    entryBalanceColumn: kernel.entryBalanceColumn ?? -1,
    accountExists: Int8Array.from(accountLookups, (i) => Number(accountLookup(kernel, i).exists ?? -1)),
    storeSlots: Uint16Array.from(kernel.stores, (store) => slotLookups.indexOf(store.lookup)),
    storeColumns: Uint16Array.from(kernel.stores, (store) => store.column),
    storeSigns: Int8Array.from(kernel.stores, (store) => store.delta?.sign ?? 0),
    storeConditions: Uint8Array.from(kernel.stores, (store) =>
      (store.delta?.conditions ?? []).reduce((bits, condition) => bits | CONDITION_BITS[condition], 0),
    ),
    deltaStores: Uint16Array.from(
      slotLookups,
      (lookup) => 1 + kernel.stores.findIndex((store) => store.lookup === lookup && store.delta !== undefined),
    ),
    transferFrom: Int16Array.from(kernel.transfers, ({ from }) => accountLookups.indexOf(from)),
    transferTo: Int16Array.from(kernel.transfers, ({ to }) => accountLookups.indexOf(to)),
    transferColumns: Uint16Array.from(kernel.transfers, ({ column }) => column),
    transferBack: Uint8Array.from(kernel.transfers, ({ back }) => (back ? 1 : 0)),
    succeeds: kernel.status === 'success',
    precompiles: Uint32Array.from((kernel.precompiles ?? []).flatMap((low) => [low, 0, 0, 0, 0])),
    resultColumns: resultColumns(kernel),
    blooms: bloomItems(kernel),
    constantAccounts: constantAccounts(kernel),
  }
}

const memoOf = (lookup: Lookup): MemoLookup | undefined => (lookup.kind === 'slot' ? lookup.memo : undefined)

const accountLookup = (kernel: PathKernel, i: number): Lookup & { readonly kind: 'account' } => {
  const lookup = kernel.lookups[i]!
  if (lookup.kind !== 'account') throw new Error(`look-up ${i} is of a slot`)
  return lookup
}

const lookupColumns = (kernel: PathKernel, lookups: readonly number[]): LookupColumns => {
  const chosen = lookups.map((i) => kernel.lookups[i]!)
  return {
    count: chosen.length,
    lookups: Uint16Array.from(lookups),
    columns: Uint16Array.from(chosen, (lookup) => lookup.column),
    components: Uint8Array.from(chosen, (lookup) => lookup.component),
    keyColumns: Uint16Array.from(chosen, (lookup) => lookup.keyColumn),
    owners: Int16Array.from(chosen, (lookup) => (lookup.kind === 'slot' ? lookup.account : -1)),
  }
}

export const HINT_LIMBS = HINT_COLUMNS * COLUMN_LIMBS
export const WORD_COLUMNS = LIMBS_PER_WORD / COLUMN_LIMBS

const resultColumns = (kernel: PathKernel): number => {
  const ends = [1]
  const addWords = (words: readonly OutputWord[]): void => {
    for (const word of words) if (word.kind === 'lane') ends.push(word.column + WORD_COLUMNS)
  }
  for (const lookup of kernel.lookups) {
    ends.push(lookup.column + 1)
    if (lookup.kind === 'account' && lookup.balanceColumn !== undefined) ends.push(lookup.balanceColumn + WORD_COLUMNS)
  }
  if (kernel.entryBalanceColumn !== undefined) ends.push(kernel.entryBalanceColumn + WORD_COLUMNS)
  for (const store of kernel.stores) ends.push(store.column + WORD_COLUMNS)
  for (const transfer of kernel.transfers) ends.push(transfer.column + WORD_COLUMNS)
  for (const log of kernel.logs) {
    addWords(log.topics)
    addWords(log.data.words)
  }
  addWords(kernel.output.words)
  return Math.max(...ends)
}
