import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { balanceColumnOf, layoutColumns, outputWord, type PathColumns } from './emit/columns.ts'
import { type EmitOptions, ENTRY_POINT, emitPath } from './emit/emit.ts'
import { pathCompileMs } from './emit/parts.ts'
import type { PathIr, ValueId } from './ir/path_ir.ts'
import { printPath } from './ir/text.ts'
import { eliminateDeadCode } from './passes/dead_code.ts'
import { findDeltas } from './passes/find_deltas.ts'
import { propagatePins } from './passes/propagate_pins.ts'
import { subsumeGuards } from './passes/subsume_guards.ts'
import type { ByteString, GuardInfo, LogOutput, PathKernel, StoreOutput, TransferOutput } from './path_kernel.ts'
import { encodeProgram } from './program/encode.ts'
import { recordPath } from './record/record.ts'
import type { RecordedTransaction, RecordState, TraceStep, UnsupportedReason } from './record/transaction.ts'

/**
 * Past this estimate (milliseconds of one CPU core on lavapipe) a path gets no kernels: they would compile for too
 * long.
 */
const MAX_COMPILE_MS = 40_000

/** Past this many values that something uses, a path goes no further than its recording. */
const MAX_LIVE_VALUES = 6_000

const NO_KERNELS = { parts: [], hintedParts: [], scratchColumns: 0 }

/**
 * A path IR to path IR step, by the name it has in dumps.
 *
 * Example: {@link PASSES}.
 */
export interface Pass {
  readonly name: string
  /** The path after the pass; verified input gives verified output. */
  readonly run: (path: PathIr) => PathIr
}

/**
 * The passes of a path, in the order in which they run.
 *
 * @example
 * import { PASSES, parsePath } from 'wgevm/transpiler'
 *
 * const path = parsePath(
 *   `path osaka skeleton=0x00 selector=-1 calldata=0 value=zero
 * skeleton 0 0x00
 * v0:u32 = gas
 * v1:bool = const 0
 * end success gas=v0 refund=v1 bytes=0 []`,
 * )
 * console.log(PASSES.reduce((stage, pass) => pass.run(stage), path).values.length) // 2
 */
export const PASSES: readonly Pass[] = [
  { name: 'propagate_pins', run: propagatePins },
  { name: 'subsume_guards', run: subsumeGuards },
  { name: 'find_deltas', run: findDeltas },
  { name: 'dead_code', run: eliminateDeadCode },
]

/**
 * What every stage produced, for `wgevm transpile`. `stages[0]` is the recorded path, then one entry per pass.
 *
 * Example: {@link transpilePath}.
 */
export interface Transpilation {
  readonly kernel: PathKernel
  readonly trace: readonly TraceStep[]
  readonly stages: readonly { readonly name: string; readonly path: PathIr }[]
}

/**
 * A kernel with all stages that led to it, or why there is no path and at which program counter.
 *
 * Example: {@link transpilePath}.
 */
export type TranspileResult =
  | ({ readonly kind: 'kernel' } & Transpilation)
  | { readonly kind: 'unsupported'; readonly reason: UnsupportedReason; readonly pc: number }

const byteString = (path: PathIr, columns: PathColumns, bytes: number, words: readonly ValueId[]): ByteString => ({
  bytes,
  words: words.map((id) => outputWord(path, columns, id)),
})

/**
 * Lowers a path that all passes have seen to a kernel and its manifest. `report`: EVM steps and values of the
 * recording, for the manifest's report.
 *
 * @example
 * import { lowerPath, parsePath } from 'wgevm/transpiler'
 *
 * const path = parsePath(
 *   `path osaka skeleton=0x00 selector=-1 calldata=0 value=zero
 * skeleton 0 0x00
 * v0:u32 = gas
 * v1:bool = const 0
 * end success gas=v0 refund=v1 bytes=0 []`,
 * )
 * console.log(lowerPath(path, { steps: 0, recordedValues: 2 }).parts.length) // 1
 */
export const lowerPath = (
  path: PathIr,
  report: { readonly steps: number; readonly recordedValues: number },
  options: EmitOptions = {},
): PathKernel => {
  const columns = layoutColumns(path)
  const program = encodeProgram(path, columns)
  const compileMs = pathCompileMs(path)
  const emitted = compileMs > MAX_COMPILE_MS ? { ...NO_KERNELS, compileMs } : emitPath(path, columns, options)
  const entry = path.values.findIndex(({ op }) => op === 'entry')
  const entryBalanceColumn = balanceColumnOf(path, columns.wordColumn, entry)
  const guards: GuardInfo[] = []
  const stores: StoreOutput[] = []
  const transfers: TransferOutput[] = []
  const logs: LogOutput[] = []
  for (const effect of path.effects) {
    if (effect.kind === 'guard') guards.push({ meaning: effect.meaning, pc: effect.pc, depth: effect.depth })
    else if (effect.kind === 'store') {
      const { delta } = effect
      const lookup = columns.lookupIndex.get(effect.slot)!
      const column = columns.wordColumn.get(effect.value)!
      stores.push({ lookup, column, ...(delta === undefined ? {} : { delta }) })
    } else if (effect.kind === 'transfer') {
      transfers.push({
        from: columns.lookupIndex.get(effect.from) ?? -1,
        to: columns.lookupIndex.get(effect.to) ?? -1,
        column: columns.wordColumn.get(effect.amount)!,
        ...(effect.back ? { back: true } : {}),
      })
    } else {
      logs.push({
        emitter: columns.lookupIndex.get(effect.emitter) ?? -1,
        topics: effect.topics.map((id) => outputWord(path, columns, id)),
        data: byteString(path, columns, effect.bytes, effect.data),
      })
    }
  }
  return {
    id: bytesToHex(sha256(utf8ToBytes(printPath(path) + emitted.parts.join('\n')))).slice(0, 32),
    ...(program === undefined ? {} : { program }),
    key: path.key,
    parts: emitted.parts,
    hintedParts: emitted.hintedParts,
    entryPoint: ENTRY_POINT,
    inputs: columns.inputs,
    inputColumns: columns.inputColumns,
    hintColumn: columns.inputColumns,
    outputColumns: columns.outputColumns,
    scratchColumns: emitted.scratchColumns,
    skeletons: path.skeletons,
    lookups: columns.lookups,
    readsEntryBalance: entryBalanceColumn !== undefined,
    ...(entryBalanceColumn === undefined ? {} : { entryBalanceColumn }),
    guards,
    status: path.end.status,
    stores,
    transfers,
    logs,
    output: byteString(path, columns, path.end.bytes, path.end.output),
    report: {
      steps: report.steps,
      recordedValues: report.recordedValues,
      liveValues: path.values.length,
      compileMs: emitted.compileMs,
      wgslBytes: emitted.parts.reduce((sum, part) => sum + part.length, 0),
      programOps: program?.instructions ?? 0,
    },
  }
}

const countLookups = ({ values }: PathIr): number =>
  values.reduce((count, { op }) => (op === 'slot' || op === 'account' ? count + 1 : count), 0)

/**
 * Records the path of a transaction and lowers it: bytecode to WGSL in one call. Refusals are values.
 *
 * @example
 * import { type RecordState, transpilePath } from 'wgevm/transpiler'
 *
 * const code = Uint8Array.of(0x60, 1, 0x60, 0, 0x55) // PUSH1 1, PUSH1 0, SSTORE
 * const state: RecordState = { account: () => ({ balance: 0n, code }), storage: () => 0n }
 * const block = { number: 1n, timestamp: 1n, coinbase: 0n, prevrandao: 0n, gaslimit: 60_000_000n }
 * const environment = { ...block, chainid: 1n, basefee: 7n, blobbasefee: 1n }
 * const call = { from: 0xa11cen, to: 0xb0bn, value: 0n, gasPrice: 10n, data: new Uint8Array(0), gas: 100_000 }
 * const result = await transpilePath({ fork: 'osaka', environment, ...call }, state)
 * console.log(result.kind === 'kernel' && result.kernel.guards.length) // 2
 */
export const transpilePath = async (
  transaction: RecordedTransaction,
  state: RecordState,
  options: EmitOptions = {},
): Promise<TranspileResult> => {
  const recorded = await recordPath(transaction, state)
  if (recorded.kind === 'unsupported') return recorded
  // Passes take more than linear time: what is too large by far goes no further.
  if (eliminateDeadCode(recorded.path).values.length > MAX_LIVE_VALUES) {
    return { kind: 'unsupported', reason: 'code size bound', pc: 0 }
  }
  const stages = [{ name: 'record', path: recorded.path }]
  for (const pass of PASSES) stages.push({ name: pass.name, path: pass.run(stages.at(-1)!.path) })
  const report = { steps: recorded.trace.length, recordedValues: recorded.recordedValues }
  const last = stages.at(-1)!.path
  const { precompiles, ranOut } = recorded
  const looseLookups = ranOut || countLookups(last) < countLookups(recorded.path)
  const kernel = {
    ...lowerPath(last, report, options),
    ...(looseLookups ? { looseLookups } : {}),
    ...(precompiles.length > 0 ? { precompiles } : {}),
  }
  if (kernel.parts.length === 0 && kernel.program === undefined) {
    return { kind: 'unsupported', reason: 'code size bound', pc: 0 }
  }
  return { kind: 'kernel', kernel, trace: recorded.trace, stages }
}
