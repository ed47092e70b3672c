import { requestFields } from '../primitives/column_request.ts'

/**
 * What a commit to a MemoryState and its module (kernels/columns/store.as) say to each other: the address of each field
 * in the memory of the rows. The module's constants are made of these (scripts/column_modules.ts).
 */
export const STORE_REQUEST = requestFields(
  [
    'accounts',
    'codeHash',
    'accountIndex',
    'accountMask',
    'accountCount',
    'storageCount',
    'filled',
    'slots',
    'slotIndex',
    'slotMask',
    'slotCount',
    // Columns of the chunk.
    'addresses',
    'exists',
    'nonce',
    'balance',
    'codes',
    'keys',
    'values',
    // What the module notes of it.
    'owners',
    'buckets',
  ],
  [],
  ['emptyCode', 'aheadAt'],
)
