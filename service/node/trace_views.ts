import type { Log } from '../../host/index.ts'

/** An opcode with the machine before it (go-ethereum's struct logger). */
export interface StructStep {
  readonly pc: number
  readonly op: string
  readonly gas: bigint
  readonly gasCost: bigint
  readonly depth: number
  readonly refund: bigint
  readonly error: string | undefined
  /** The top comes last. The next four where they are asked for. */
  readonly stack: readonly bigint[] | undefined
  readonly returnData: Uint8Array | undefined
  readonly memory: Uint8Array | undefined
  /** Of SLOAD and SSTORE: the slots that were met so far in the account, and this one. */
  readonly storage: ReadonlyMap<bigint, bigint> | undefined
}

export interface StructLogsView {
  readonly kind: 'structLogs'
  readonly gas: bigint
  readonly failed: boolean
  readonly returnValue: Uint8Array
  readonly steps: readonly StructStep[]
}

/** A log with the number of calls of its frame before it. */
export interface CallLog extends Log {
  readonly position: number
}

/** A call with the calls that it makes. */
export interface CallView {
  readonly type: string
  readonly from: string
  /** Undefined of a creation that failed. */
  readonly to: string | undefined
  readonly gas: bigint
  readonly gasUsed: bigint
  readonly input: Uint8Array
  readonly output: Uint8Array
  readonly error: string | undefined
  readonly revertReason: string | undefined
  readonly value: bigint | undefined
  readonly calls: readonly CallView[]
  readonly logs: readonly CallLog[]
}

export interface CallTreeView {
  readonly kind: 'calls'
  readonly call: CallView
}

/** What of an account is told; what is undefined is not. */
export interface TracedAccount {
  readonly balance: bigint | undefined
  readonly nonce: bigint | undefined
  readonly code: Uint8Array | undefined
  readonly codeHash: string | undefined
  readonly storage: ReadonlyMap<bigint, bigint>
}

export type TracedAccounts = ReadonlyMap<string, TracedAccount>

/** What a transaction meets; with `post` what it changes of that, and to what. */
export interface PrestateView {
  readonly kind: 'prestate'
  readonly pre: TracedAccounts
  readonly post: TracedAccounts | undefined
}

export type TraceView = StructLogsView | CallTreeView | PrestateView
