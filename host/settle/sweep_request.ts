import { requestFields } from '../primitives/column_request.ts'

/** u32 each, one after another: addresses, but for what is named a count, an id or a mark. */
const FIELDS = [
  'rows',
  'hosts',
  'accountsWritten',
  'accountEntryCount',
  'slotValues',
  'slotEntryOf',
  'slotsWritten',
  'slotBase',
  'slotEntryCount',
  'tier',
  'outcome',
  'status',
  'type',
  'rejection',
  'fromIds',
  'toIds',
  'toCodes',
  'executionOf',
  'laneOf',
  'nonce',
  'value',
  'cost',
  'price',
  'priority',
  'intrinsic',
  'floor',
  'gasLimit',
  'gas',
  'refund',
  'gasUsed',
  'l1Fee',
  'blobGas',
  'executions',
  /** Whether the coinbase is owed fees. */
  'owedMark',
  /** Whether the columns of a chain of the OP stack are there: `l1Fee`, and `blobGas` where data takes room. */
  'chargedMark',
  'roomMark',
  /** OPERATOR_* of what is taken by gas, and its scalar. */
  'operatorMark',
  'operatorScalar',
  /** An account that is owed fees. */
  'coinbase',
] as const

/** f64 each. */
const NUMBERS = ['blockUsed', 'blockSure', 'refundQuotient', 'blobGasUsed', 'mostBlobGas'] as const

/**
 * Words of 256 bits: fees of the range, those for data and those of the operator, whose constant part is one; two to
 * reckon in, and what reading ahead gave.
 */
const WORDS = ['fees', 'l1Fees', 'operatorFees', 'operatorConstant', 'scratch', 'seen', 'aheadAt'] as const

/**
 * What a ColumnSweep and its module (kernels/columns/sweep.as) say to each other: the address of each field in the
 * memory of the tables. The module's constants are made of these (scripts/column_modules.ts).
 */
export const SWEEP_REQUEST = requestFields(FIELDS, NUMBERS, WORDS)

/**
 * An execution in the memory: four counts, then its reads and its stores. One of records has no lanes in the first of
 * them, then the addresses of its held lanes and of its records.
 */
export const EXECUTION_BYTES = 16
/** A read: address of its slot in lane 0; of its hint, 0 = none; 1 + the store that moves it by a delta, 0 = none. */
export const READ_BYTES = 12
/** A store: address of its word in lane 0; its read; its sign; conditions of a delta. */
export const STORE_BYTES = 16
