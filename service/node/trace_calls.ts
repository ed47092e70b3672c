import type { BlockName } from '../json_rpc/codec.ts'
import type { CallRequest } from './state_calls.ts'
import type { TraceView } from './trace_views.ts'

/** What is traced, and how long it may take. */
export type TraceOptions = (StructLogOptions | CallTreeOptions | PrestateOptions) & { readonly timeoutMs: number }

export interface StructLogOptions {
  readonly tracer: 'structLogs'
  readonly stack: boolean
  readonly storage: boolean
  readonly memory: boolean
  readonly returnData: boolean
  /** Bytes of JSON after which no more steps are kept, to some per cent; 0: none. */
  readonly limit: number
}

export interface CallTreeOptions {
  readonly tracer: 'callTracer'
  readonly onlyTopCall: boolean
  readonly withLog: boolean
}

export interface PrestateOptions {
  readonly tracer: 'prestateTracer'
  readonly diffMode: boolean
  readonly code: boolean
  readonly storage: boolean
  readonly includeEmpty: boolean
}

export interface BlockTraceView {
  readonly transactionHash: string
  readonly trace: TraceView
}

/** Executions again, watched. What is not known, too large or too long throws RpcError. */
export interface TraceCalls {
  transaction(hash: string, options: TraceOptions): Promise<TraceView>
  block(name: BlockName, options: TraceOptions): Promise<readonly BlockTraceView[]>
  call(request: CallRequest, options: TraceOptions): Promise<TraceView>
}
