import type { Fork } from './spec/forks.ts'

/**
 * What a compiled path asks of the host and gives back: the contract between the transpiler and the dispatcher.
 *
 * Lanes are columns of vec4<u32>: column c of lane l is at `(c * laneCount + l)` in `lanesIn` and in `lanesOut`.
 * A word takes two columns (limbs 0..3, then 4..7).
 *
 * Example: {@link transpilePath}.
 */
export interface PathKernel {
  /** Content address of the path and its WGSL (hex); counters are keyed by it. */
  readonly id: string
  /** The key under which the dispatcher finds the path. */
  readonly key: PathKey
  /**
   * WGSL of each part, for the prelude to stand in front; they run one after another on the same lanes and bindings.
   * None where the path is too large to compile: then it has a program.
   */
  readonly parts: readonly string[]
  /**
   * The same parts for lanes with hints: every load looks at its hint columns first (compile them only when needed).
   */
  readonly hintedParts: readonly string[]
  /**
   * The same path as micro-operations for kernels/entry/path_program.wgsl; absent where it passes that kernel's bounds.
   */
  readonly program?: PathProgram
  /** Name of the `@compute` entry in every part. */
  readonly entryPoint: string
  readonly inputs: readonly LaneInput[]
  readonly inputColumns: number
  /**
   * First column of the hint area (3 for each slot look-up in order: value in 2, then (slot id, 0, 0, 0)); only
   * `hintedParts` read it.
   */
  readonly hintColumn: number
  readonly outputColumns: number
  /** Columns of `lanesOut` after the outputs, through which parts hand values on. */
  readonly scratchColumns: number
  /** Skeleton keys (CodeSkeleton.key) that the environment must carry ids for, in order; [0] is the entry contract. */
  readonly skeletons: readonly string[]
  /** Every state look-up of the path in order; the host resolves misses with it. */
  readonly lookups: readonly Lookup[]
  /**
   * The outcome depends on the entry account's balance (before the transaction), which the lane writes as a word at
   * this column.
   */
  readonly readsEntryBalance: boolean
  readonly entryBalanceColumn?: number
  /** Precompiles that the path calls, by address, ascending; absent where none. */
  readonly precompiles?: readonly number[]
  /**
   * `lookups` are not just what a lane reads: its outcome does not depend on some of that, or a frame runs out of gas,
   * and where is the lane's own affair.
   */
  readonly looseLookups?: true
  readonly guards: readonly GuardInfo[]
  /** The outcome all lanes share. */
  readonly status: 'success' | 'revert' | 'halt'
  readonly stores: readonly StoreOutput[]
  /**
   * Wei that the path moves between accounts in its calls, in order, after the transaction's own value, which is not
   * among them. Where the path does not succeed, all of it is moved back.
   */
  readonly transfers: readonly TransferOutput[]
  readonly logs: readonly LogOutput[]
  /** Return or revert data of the transaction. */
  readonly output: ByteString
  readonly report: PathReport
}

/**
 * Equality of all fields selects the candidates for a transaction. `skeleton` is the code skeleton of the called
 * account. `accessList` names the transaction's access list (transpiler/record/access_list.ts); absent without one.
 * `selector` is the first four bytes of calldata as a number, or -1 where calldata is shorter.
 *
 * Example: {@link pathKey}.
 */
export interface PathKey {
  readonly fork: Fork
  readonly skeleton: string
  readonly selector: number
  readonly calldataBytes: number
  readonly valueIsZero: boolean
  readonly accessList?: string
}

/**
 * A word or scalar the host uploads per lane.
 * `gas`: x = execution gas (gas limit minus intrinsic gas), y = entry account id; one column.
 * The others are words of two columns: `caller`, `gasprice` (effective), `value`, `calldata` (the 32 bytes at `offset`,
 * zero padded, as a big-endian word in limb order).
 *
 * Example: {@link transpilePath}.
 */
export type LaneInput =
  | { readonly kind: 'gas'; readonly column: number }
  | { readonly kind: 'caller' | 'gasprice' | 'value'; readonly column: number }
  | { readonly kind: 'calldata'; readonly offset: number; readonly column: number }

/**
 * Look-up i of a path. Its id stands in `lanesOut` at `column`, component `component` (MISSING if not in the table).
 * After an EXIT_MISS the looked-up key stands as a word at `keyColumn`.
 * account: the key is an address. slot: the key belongs to the account `account`: -1 is the entry account, else the
 * index of an account look-up.
 * `code`: the path depends on this account's code. `balance`: it depends on its balance, which the lane writes as a
 * word at `balanceColumn`. `exists`: the path holds only where the account exists (EIP-161: is not empty), or only
 * where it does not.
 *
 * Example: {@link transpilePath}.
 */
export type Lookup =
  | {
      readonly kind: 'account'
      readonly column: number
      readonly component: number
      readonly keyColumn: number
      readonly code: boolean
      readonly balance: boolean
      readonly balanceColumn?: number
      readonly exists?: boolean
    }
  | {
      readonly kind: 'slot'
      readonly account: number
      readonly memo?: MemoLookup
      readonly column: number
      readonly component: number
      readonly keyColumn: number
    }

/**
 * A slot that the host makes: the memo (transpiler/layout/memo.ts) of `precompile` for this input, whose words stand at
 * the hash of the input and after it; MEMO_BLOCK_HASH: the look-up's key is a block number. `account` is then -1 and
 * means nothing. Words of kind `lane` are there where the lane missed.
 *
 * Example: {@link transpilePath}.
 */
export interface MemoLookup {
  readonly precompile: number
  readonly input: ByteString
}

/**
 * A condition under which a path holds, and the place in the code that it comes from.
 *
 * Example: {@link transpilePath}.
 */
export interface GuardInfo {
  /** What must hold, in words, as in `calldata word 4 fits 160 bits`. */
  readonly meaning: string
  readonly pc: number
  readonly depth: number
}

/**
 * The last value the path stores to the slot of look-up `lookup`, as a word at `column`.
 * With `delta` the word is an amount to add to or subtract from the slot's current value, and the path's outcome holds
 * for any current value c that meets `conditions` (x = the amount): see DeltaCondition.
 *
 * Example: {@link transpilePath}.
 */
export interface StoreOutput {
  readonly lookup: number
  readonly column: number
  readonly delta?: { readonly sign: 1 | -1; readonly conditions: readonly DeltaCondition[] }
}

/**
 * `noUnderflow`: c >= x. `noOverflow`: c + x < 2^256. `sameZeroness`: (c == 0) and (c +- x == 0) are as for the value
 * the lane read (SSTORE gas and refund depend on nothing else when x != 0 is unchanged).
 *
 * Example: {@link transpilePath}.
 */
export type DeltaCondition = 'noUnderflow' | 'noOverflow' | 'sameZeroness'

/**
 * Wei that moves inside the transaction: `from` and `to` are as `emitter` in LogOutput (-1 the entry account), the
 * amount is a word at `column` of lanesOut. The outcome holds where `from` has the amount at that place of the order.
 * `back`: an earlier transfer is moved back, as its frame was dropped; `from` has the amount wherever the one before
 * held.
 *
 * Example: {@link transpilePath}.
 */
export interface TransferOutput {
  readonly from: number
  readonly to: number
  readonly column: number
  readonly back?: true
}

/**
 * The path program of a path; layout of code and constants in transpiler/layout/program.ts.
 *
 * Example: {@link transpilePath}.
 */
export interface PathProgram {
  /** Instructions, a vector each. */
  readonly code: Uint32Array
  readonly instructions: number
  /** Words in limb order, 8 u32 each. */
  readonly constants: Uint32Array
  /** 256-bit registers that one lane needs, in workgroup memory and in scratch. */
  readonly registers: number
  /** How many of them are in scratch. */
  readonly scratch: number
}

/**
 * A log of the outcome, in order. `emitter`: -1 is the entry account, else the index of an account look-up whose id
 * names it.
 *
 * Example: {@link transpilePath}.
 */
export interface LogOutput {
  readonly emitter: number
  readonly topics: readonly OutputWord[]
  readonly data: ByteString
}

/**
 * A word the host can find: a constant of the path, a constant of the contract instance (index in words after the
 * constants base of `account`, as in `emitter`), a lane input (`column` in lanesIn), or computed on the device
 * (`column` in lanesOut).
 *
 * Example: {@link transpilePath}.
 */
export type OutputWord =
  | { readonly kind: 'constant'; readonly value: bigint }
  | { readonly kind: 'instance'; readonly account: number; readonly index: number }
  | { readonly kind: 'input'; readonly column: number }
  | { readonly kind: 'lane'; readonly column: number }

/**
 * Bytes made of whole words, cut to `bytes`: word i gives bytes 32 i .. 32 i + 31, big-endian.
 *
 * Example: {@link transpilePath}.
 */
export interface ByteString {
  readonly bytes: number
  readonly words: readonly OutputWord[]
}

/**
 * Column 0 of `lanesOut`: (exit, gas used, refund, 0). Gas used is execution gas, without the intrinsic part; refund is
 * the refund counter at the end (before the EIP-3529 cap). Both hold only when exit is EXIT_NONE.
 * exit: EXIT_NONE, EXIT_MISS, else 1 + index into `guards` of the first guard that failed.
 *
 * Example: {@link transpilePath}.
 */
export const EXIT_NONE = 0
/**
 * Exit of a lane that lacks a slot or an account: the host loads what it names, and the lane runs again.
 *
 * Example: {@link transpilePath}.
 */
export const EXIT_MISS = 0xffffffff
/**
 * Id of a look-up that found nothing.
 *
 * Example: {@link transpilePath}.
 */
export const MISSING = 0xffffffff

/** Hint columns of a slot look-up: the value, then (slot id, 0, 0, 0). */
export const HINT_COLUMNS = 3

/**
 * Sizes of a path on its way from bytecode to WGSL.
 *
 * Example: {@link transpilePath}.
 */
export interface PathReport {
  readonly steps: number
  readonly recordedValues: number
  readonly liveValues: number
  /** Estimated compile time of all parts, milliseconds of one CPU core on lavapipe. */
  readonly compileMs: number
  readonly wgslBytes: number
  /** Instructions of the path's program; 0 without one. */
  readonly programOps: number
}
