import { requestFields } from '../../primitives/column_request.ts'

/**
 * What ColumnWrites and its module (kernels/columns/collect.as) say to each other: the address of each field in the
 * memory of the tables. The module's constants are made of these (scripts/column_modules.ts).
 */
export const COLLECT_REQUEST = requestFields(
  [
    'rows',
    'hosts',
    'slotValues',
    'slotBase',
    'slotEntryOf',
    // A chunk of ids, of which those that are collected stay, and what is collected.
    'ids',
    'idCount',
    'nonces',
    'balances',
    'codes',
    // All of `codes` together.
    'codeBits',
    'values',
    // Accounts that do not exist.
    'others',
    'otherCount',
  ],
  [],
  ['aheadAt'],
)

/** On a code id: the code changed in this batch. */
export const NEW_CODE = 0x8000_0000
