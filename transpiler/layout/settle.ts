/**
 * Settling on a device (kernels/settle, host/settle/device): a log of what the transactions of a range read and change,
 * sorted by the cell that each entry is of and scanned, so that every entry knows the value before it.
 *
 * cell        a 256-bit value: slot s is cell s, the balance of account a is cell (slot count + a); one more is the
 *             block's, after all others: gas used in its two highest limbs, fees of the coinbase below
 * entry       vec4<u32>[5]   (cell, transaction << SETTLE_TRANSACTION_SHIFT | SETTLE_*, nonce), argument, test
 *             argument       the value set, or what is added
 *             test           a slot: the value read; a sender: the least balance; the block: a gas limit
 * place       vec4<u32>[3]   (number of the entry there or MISSING | SETTLE_PLACE_FIRST, nonce, 0), value: of the
 *             sorted log; nonce and value are those before the range, where the first entry of a cell stands
 * state       vec4<u32>[3]   (SETTLE_STATE_*, nonce, transaction), value: what entries up to a place leave of a cell
 * overlay     vec4<u32>[3]   (nonce, code id, flags), value: of a cell that the batch has written before the range;
 *             `overlayOf` has 1 + its number, 0 = the mirror's row stands
 * row         vec4<u32>[3]   (cell, nonce, 0), value: what the range leaves of a cell that it has written
 * described   vec4<u32>[1 + 2 reads] of an execution: (lanes, succeeds, reads, number of the first
 *             lane), then for each read (vector of its
 *             slot's column, limb, vector of its hint or 0, SETTLE_* of its store), (vector of its store's word, 0, 0,
 *             0)
 */

/** Vectors of an entry, a state, an overlay and a row; of a read. */
export const SETTLE_ENTRY_VECTORS = 5
export const SETTLE_STATE_VECTORS = 3
export const SETTLE_OVERLAY_VECTORS = 3
export const SETTLE_ROW_VECTORS = 3
export const SETTLE_READ_VECTORS = 2

/** What a delta must not do (DeltaCondition), as bits of a store. */
export const CONDITION_NO_UNDERFLOW = 1
export const CONDITION_NO_OVERFLOW = 2
export const CONDITION_SAME_ZERONESS = 4

/** Bits of an entry. Its lowest are CONDITION_*. */
export const SETTLE_SETS = 8
export const SETTLE_ADDS = 16
/** The argument is subtracted. */
export const SETTLE_SHRINKS = 32
/** Where the value read does not stand, the delta may. */
export const SETTLE_MOVES = 64
/** What the entry is of: two bits. */
export const SETTLE_KIND_SHIFT = 7
export const SETTLE_KIND_MASK = 3
export const SETTLE_KIND_SLOT = 0
export const SETTLE_KIND_SENDER = 1
/** An account that is paid, or one that must not be empty. */
export const SETTLE_KIND_PAID = 2
export const SETTLE_KIND_BLOCK = 3
export const SETTLE_TRANSACTION_SHIFT = 9
/** Transactions of a range, at most. */
export const SETTLE_MOST_TRANSACTIONS = 1 << 20

export const SETTLE_PLACE_FIRST = 0x80000000

/** Bits of a state: an entry wrote the cell; the value is the cell's, not what is added to it. */
export const SETTLE_STATE_WRITTEN = 1
export const SETTLE_STATE_ABSOLUTE = 2
/** It begins a cell: nothing before it matters. */
export const SETTLE_STATE_FIRST = 4

/** Bits of what is known of a transaction beside its entries: it is settled here; it moves its value; it touches. */
export const SETTLE_PLAN_TAKEN = 1
export const SETTLE_PLAN_MOVES = 2
export const SETTLE_PLAN_TOUCHES = 4
export const SETTLE_PLAN_CALLS = 8

/** Elements that one invocation of a scan or a sort takes, and a workgroup. */
export const SCAN_ITEMS = 8
export const SCAN_BLOCK = 64 * SCAN_ITEMS
/** Entries of a run, which one invocation goes through, and invocations that scan all runs. */
export const SETTLE_ITEMS = 16
export const SETTLE_PARTS_LANES = 256
/** Bits of a digit of the radix sort, and its values. */
export const SORT_BITS = 5
export const SORT_DIGITS = 1 << SORT_BITS
/** A counter of each digit for each invocation of a workgroup. */
export const SORT_COUNTERS = 64 * SORT_DIGITS
export const SORT_ITEMS = 16
export const SORT_BLOCK = 64 * SORT_ITEMS

/**
 * The uniform, in u32: `transactions` and `entries` (capacity) of the range, counts of the tables; then where columns
 * begin, in vectors of the columns' buffer; last SETTLE_ITEMS and SETTLE_PARTS_LANES, ends of loops.
 */
export const SETTLE_UNIFORM = [
  'transactions',
  'capacity',
  'slots',
  'accounts',
  'overlays',
  'refundQuotient',
  'usedLow',
  'usedHigh',
  'sureLow',
  'sureHigh',
  'tierAt',
  'outcomeAt',
  'statusAt',
  'typeAt',
  'rejectionAt',
  'fromAt',
  'toAt',
  'toCodeAt',
  'executionOfAt',
  'laneOfAt',
  'describedAt',
  'nonceAt',
  'valueAt',
  'costAt',
  'priceAt',
  'priorityAt',
  'intrinsicAt',
  'floorAt',
  'gasLimitAt',
  'gasAt',
  'refundAt',
  'overlayCellsAt',
  'items',
  'size',
] as const
