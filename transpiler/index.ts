/** The transpiler's public surface: bytecode and one transaction in, a path kernel out. No GPU, no I/O, no state. */
export type { EmitOptions } from './emit/emit.ts'
export type { ValueType } from './ir/ops.ts'
export type {
  Attribute,
  DeltaConditionName,
  Effect,
  GuardEffect,
  LogEffect,
  PathEnd,
  PathIr,
  Piece,
  StoreEffect,
  TransferEffect,
  Value,
  ValueId,
} from './ir/path_ir.ts'
export { PathSyntaxError, parsePath, printPath } from './ir/text.ts'
export { PathVerifyError, verifyPath } from './ir/verify.ts'
export { ENVIRONMENT_WORDS, type EnvironmentWord } from './layout/environment.ts'
export type { PrecompileResult } from './layout/memo.ts'
export { liftCode } from './lift/lift.ts'
export type { LiftedCode, LiftForm } from './lift/lifted_code.ts'
export { MICRO } from './lift/micro_codes.ts'
export { printLifted } from './lift/text.ts'
export { LiftVerifyError, verifyLifted } from './lift/verify.ts'
export type {
  ByteString,
  DeltaCondition,
  GuardInfo,
  LaneInput,
  LogOutput,
  Lookup,
  MemoLookup,
  OutputWord,
  PathKernel,
  PathKey,
  PathProgram,
  PathReport,
  StoreOutput,
  TransferOutput,
} from './path_kernel.ts'
export { EXIT_MISS, EXIT_NONE, MISSING } from './path_kernel.ts'
export { pathKey, type RecordResult, recordPath } from './record/record.ts'
export type {
  ListedAccount,
  RecordedAccount,
  RecordedTransaction,
  RecordState,
  TraceStep,
  UnsupportedReason,
} from './record/transaction.ts'
export { CONSTANTS_BEFORE_IMMEDIATES, type CodeSkeleton, codeSkeleton } from './skeleton.ts'
export type { Pass, Transpilation, TranspileResult } from './transpile.ts'
export { lowerPath, PASSES, transpilePath } from './transpile.ts'
