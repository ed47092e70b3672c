import { Builder, PathTooLargeError } from '../ir/builder.ts'
import type { Cell } from '../ir/cells.ts'
import type { PathIr } from '../ir/path_ir.ts'
import { MAX_PATH_SKELETONS } from '../layout/environment.ts'
import type { PathKey } from '../path_kernel.ts'
import { bytesToWord } from '../skeleton.ts'
import { type Fork, isAtLeast } from '../spec/forks.ts'
import { accessListName, listedCount, MAX_LISTED } from './access_list.ts'
import { PathAccounts } from './accounts.ts'
import { Frame } from './frame.ts'
import { FrameGas } from './gas.ts'
import { Guards } from './guards.ts'
import { Journal } from './journal.ts'
import { type Bytes, wordsOfBytes } from './memory.ts'
import { Recorder } from './recorder.ts'
import {
  type RecordedTransaction,
  type RecordState,
  type TraceStep,
  Unsupported,
  type UnsupportedReason,
} from './transaction.ts'

/**
 * A path with how it was recorded, or why there is none and at which program counter.
 *
 * Example: {@link recordPath}.
 */
export type RecordResult =
  | {
      readonly kind: 'path'
      readonly path: PathIr
      readonly trace: readonly TraceStep[]
      readonly recordedValues: number
      /** Addresses of precompiles, ascending. */
      readonly precompiles: readonly number[]
      readonly ranOut: boolean
    }
  | { readonly kind: 'unsupported'; readonly reason: UnsupportedReason; readonly pc: number }

const SELECTOR_BYTES = 4

const named = (accessList: string | undefined): Pick<PathKey, 'accessList'> =>
  accessList === undefined ? {} : { accessList }

/**
 * The key by which the path library finds the paths of a transaction to code with this skeleton.
 *
 * @example
 * import { codeSkeleton, pathKey, type RecordState } from 'wgevm/transpiler'
 *
 * const code = Uint8Array.of(0x60, 1, 0x60, 0, 0x55) // PUSH1 1, PUSH1 0, SSTORE
 * const state: RecordState = { account: () => ({ balance: 0n, code }), storage: () => 0n }
 * const block = { number: 1n, timestamp: 1n, coinbase: 0n, prevrandao: 0n, gaslimit: 60_000_000n }
 * const environment = { ...block, chainid: 1n, basefee: 7n, blobbasefee: 1n }
 * const call = { from: 0xa11cen, to: 0xb0bn, value: 0n, gasPrice: 10n, data: new Uint8Array(0), gas: 100_000 }
 * console.log((await state.account(0xb0bn))?.balance) // 0n
 * console.log(pathKey({ fork: 'osaka', environment, ...call }, codeSkeleton(code).key).selector) // -1
 */
export const pathKey = (transaction: RecordedTransaction, skeleton: string): PathKey => ({
  fork: transaction.fork,
  skeleton,
  selector: transaction.data.length < SELECTOR_BYTES ? -1 : Number(bytesToWord(transaction.data.subarray(0, 4))),
  calldataBytes: transaction.data.length,
  valueIsZero: transaction.value === 0n,
  ...named(accessListName(transaction.accessList)),
})

/**
 * Calldata as symbolic bytes: the selector is constant (it is part of the path's key), the rest are 32-byte inputs at
 * offsets 4 + 32 k, the words of the ABI. Shorter calldata is one input at offset 0. Bytes past the end are known
 * zeros.
 */
const symbolicCalldata = (builder: Builder, data: Uint8Array): Bytes => {
  const start = data.length < SELECTOR_BYTES ? 0 : SELECTOR_BYTES
  const cells: Cell[] = []
  for (let i = 0; i < data.length; i++) {
    if (i < start) cells.push(data[i]!)
    else {
      const offset = start + 32 * Math.floor((i - start) / 32)
      cells.push({ value: builder.make('calldata', [], offset), byte: i - offset })
    }
  }
  return { concrete: data, cells }
}

/**
 * Older gas rules have no paths: a call before EIP-150 and EIP-161 asks for gas, and makes accounts, by rules of its
 * own.
 */
export const hasPaths = (fork: Fork): boolean => isAtLeast(fork, 'spuriousDragon')

/**
 * Records the path of one concrete transaction: a concolic run over the opcode table, across calls.
 * The entry account must have code. Never throws for what a transaction does; refusals are values.
 *
 * @example
 * import { type RecordState, recordPath } from 'wgevm/transpiler'
 *
 * const code = Uint8Array.of(0x60, 1, 0x60, 0, 0x55) // PUSH1 1, PUSH1 0, SSTORE
 * const state: RecordState = { account: () => ({ balance: 0n, code }), storage: () => 0n }
 * const block = { number: 1n, timestamp: 1n, coinbase: 0n, prevrandao: 0n, gaslimit: 60_000_000n }
 * const environment = { ...block, chainid: 1n, basefee: 7n, blobbasefee: 1n }
 * const call = { from: 0xa11cen, to: 0xb0bn, value: 0n, gasPrice: 10n, data: new Uint8Array(0), gas: 100_000 }
 * const recorded = await recordPath({ fork: 'osaka', environment, ...call }, state)
 * console.log(recorded.kind === 'path' && recorded.trace.length) // 4
 */
export const recordPath = async (transaction: RecordedTransaction, state: RecordState): Promise<RecordResult> => {
  if (!hasPaths(transaction.fork)) return { kind: 'unsupported', reason: 'fork before spurious dragon', pc: 0 }
  if (listedCount(transaction.accessList ?? []) > MAX_LISTED)
    return { kind: 'unsupported', reason: 'access list bound', pc: 0 }
  const builder = new Builder()
  const guards = new Guards(builder)
  const accounts = new PathAccounts(builder, guards, transaction, state)
  const journal = new Journal(builder, guards, state)
  const recorder = new Recorder(builder, guards, accounts, journal, transaction, state)
  try {
    const entry = await accounts.entry()
    if (entry.skeleton === undefined) throw new Error('recordPath needs an account with code')
    recorder.skeletonIndex(entry.skeleton.key)
    const gas = new FrameGas(builder, builder.make('gas', []), transaction.gas)
    const before = journal.snapshot()
    const result = await recorder.run(
      new Frame({
        self: entry,
        codeAccount: await recorder.codeOf(undefined, entry),
        caller: recorder.leaf('caller', transaction.from),
        value: recorder.entryValue(),
        calldata: symbolicCalldata(builder, transaction.data),
        isStatic: false,
        depth: 0,
        gas,
      }),
    )
    if (recorder.skeletons.length > MAX_PATH_SKELETONS) throw new Unsupported('skeleton bound', 0)
    if (result.status !== 'success') journal.restore(before)
    const path: PathIr = {
      key: pathKey(transaction, entry.skeleton.key),
      values: builder.values,
      effects: [...guards.effects, ...journal.stores(), ...journal.transferEffects(), ...journal.logs],
      end: {
        status: result.status,
        gas: result.status === 'halt' ? gas.given : gas.used(),
        refund: journal.refund.value,
        bytes: result.output.cells.length,
        output: wordsOfBytes(builder, result.output),
      },
      skeletons: recorder.skeletons,
    }
    const { trace, ranOut } = recorder
    const precompiles = [...recorder.precompiles].sort((a, b) => a - b)
    return { kind: 'path', path, trace, recordedValues: builder.requested, precompiles, ranOut }
  } catch (error) {
    if (error instanceof Unsupported) return { kind: 'unsupported', reason: error.reason, pc: error.pc }
    if (error instanceof PathTooLargeError)
      return { kind: 'unsupported', reason: 'value bound', pc: guards.position.pc }
    throw error
  }
}
