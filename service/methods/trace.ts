import { z } from 'zod'
import { blockName, blockNumberOrTag, hash, LATEST, toData, toQuantity } from '../json_rpc/codec.ts'
import { type Json, type Method, method } from '../json_rpc/method.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import type { BlockTraceView, TraceOptions } from '../node/trace_calls.ts'
import type {
  CallTreeView,
  CallView,
  PrestateView,
  StructLogsView,
  StructStep,
  TracedAccounts,
  TraceView,
} from '../node/trace_views.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { blockOverrides, callObject, stateOverrides } from './call_schema.ts'

const DEFAULT_MS = 5000
/** Below what a thread that reads may take. */
const MOST_MS = 25_000
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/** A duration as Go writes it, of one unit. */
const duration = z.string().transform((text, context): number => {
  const [, count, unit] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m)$/.exec(text) ?? []
  const ms = Number(count) * UNIT_MS[unit ?? '']!
  if (ms >= 1 && ms <= MOST_MS) return Math.round(ms)
  context.addIssue({ code: 'custom', message: `expected a duration of at most ${MOST_MS / 1000}s, as "5s" or "300ms"` })
  return z.NEVER
})

const flag = z.boolean().nullish()

const traceConfig = z.object({
  tracer: z.string().nullish(),
  timeout: duration.nullish(),
  /** Not needed: the states that are kept need no execution. */
  reexec: z.number().nullish(),
  disableStack: flag,
  disableStorage: flag,
  enableMemory: flag,
  enableReturnData: flag,
  limit: z.number().int().nonnegative().nullish(),
  tracerConfig: z
    .object({
      onlyTopCall: flag,
      withLog: flag,
      diffMode: flag,
      disableCode: flag,
      disableStorage: flag,
      includeEmpty: flag,
    })
    .nullish(),
})

/** What a traced call may say besides. */
const callConfig = traceConfig.extend({
  stateOverrides: stateOverrides.nullish(),
  blockOverrides: blockOverrides.nullish(),
  txIndex: z.undefined({ error: 'the place inside of a block is not known here' }).nullish(),
})

type Config = z.output<typeof traceConfig>

const optionsOf = (given: Config | null | undefined): TraceOptions => {
  const { tracer, timeout, tracerConfig, ...logger } = given ?? {}
  const timeoutMs = timeout ?? DEFAULT_MS
  switch (tracer ?? '') {
    case '':
      return {
        tracer: 'structLogs',
        stack: logger.disableStack !== true,
        storage: logger.disableStorage !== true,
        memory: logger.enableMemory === true,
        returnData: logger.enableReturnData === true,
        limit: logger.limit ?? 0,
        timeoutMs,
      }
    case 'callTracer':
      return {
        tracer: 'callTracer',
        onlyTopCall: tracerConfig?.onlyTopCall === true,
        withLog: tracerConfig?.withLog === true,
        timeoutMs,
      }
    case 'prestateTracer':
      return {
        tracer: 'prestateTracer',
        diffMode: tracerConfig?.diffMode === true,
        code: tracerConfig?.disableCode !== true,
        storage: tracerConfig?.disableStorage !== true,
        includeEmpty: tracerConfig?.includeEmpty === true,
        timeoutMs,
      }
    default:
      throw new RpcError(RPC_CODE.server, `tracer ${tracer} not found: callTracer and prestateTracer are known`)
  }
}

const word = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`

const slotsOf = (slots: ReadonlyMap<bigint, bigint>): Json =>
  Object.fromEntries([...slots].map(([key, value]) => [word(key), word(value)]))

const WORD_BYTES = 32

const memoryWords = (memory: Uint8Array): readonly string[] =>
  Array.from({ length: memory.length / WORD_BYTES }, (_, n) =>
    toData(memory.subarray(WORD_BYTES * n, WORD_BYTES * (n + 1))),
  )

/** Gas is a JSON number here, as in go-ethereum. */
const jsonOfStep = (step: StructStep): Json => ({
  pc: step.pc,
  op: step.op,
  gas: Number(step.gas),
  gasCost: Number(step.gasCost),
  depth: step.depth,
  error: step.error,
  stack: step.stack?.map(toQuantity),
  returnData: step.returnData === undefined || step.returnData.length === 0 ? undefined : toData(step.returnData),
  memory: step.memory === undefined || step.memory.length === 0 ? undefined : memoryWords(step.memory),
  storage: step.storage === undefined ? undefined : slotsOf(step.storage),
  refund: step.refund === 0n ? undefined : Number(step.refund),
})

const jsonOfStructLogs = ({ gas, failed, returnValue, steps }: StructLogsView): Json => ({
  gas: Number(gas),
  failed,
  returnValue: toData(returnValue),
  structLogs: steps.map(jsonOfStep),
})

const jsonOfCall = (call: CallView): Json => ({
  from: call.from,
  gas: toQuantity(call.gas),
  gasUsed: toQuantity(call.gasUsed),
  to: call.to,
  input: toData(call.input),
  output: call.output.length === 0 ? undefined : toData(call.output),
  error: call.error,
  revertReason: call.revertReason,
  calls: call.calls.length === 0 ? undefined : call.calls.map(jsonOfCall),
  logs:
    call.logs.length === 0
      ? undefined
      : call.logs.map(({ address, topics, data, position }) => ({
          address,
          topics,
          data,
          position: toQuantity(position),
        })),
  value: call.value === undefined ? undefined : toQuantity(call.value),
  type: call.type,
})

const jsonOfAccounts = (accounts: TracedAccounts): Json =>
  Object.fromEntries(
    [...accounts].map(([address, { balance, nonce, code, codeHash, storage }]) => [
      address,
      {
        balance: balance === undefined ? undefined : toQuantity(balance),
        code: code === undefined ? undefined : toData(code),
        codeHash,
        nonce: nonce === undefined ? undefined : Number(nonce),
        storage: storage.size === 0 ? undefined : slotsOf(storage),
      },
    ]),
  )

const jsonOfPrestate = ({ pre, post }: PrestateView): Json =>
  post === undefined ? jsonOfAccounts(pre) : { post: jsonOfAccounts(post), pre: jsonOfAccounts(pre) }

const jsonOfTree = ({ call }: CallTreeView): Json => jsonOfCall(call)

const jsonOfTrace = (trace: TraceView): Json => {
  switch (trace.kind) {
    case 'structLogs':
      return jsonOfStructLogs(trace)
    case 'calls':
      return jsonOfTree(trace)
    case 'prestate':
      return jsonOfPrestate(trace)
  }
}

const jsonOfBlockTrace = ({ transactionHash, trace }: BlockTraceView): Json => ({
  txHash: transactionHash,
  result: jsonOfTrace(trace),
})

const config = traceConfig.nullish()

/** Methods `debug_` that execute again what they are asked for. */
export const traceMethods: Readonly<Record<string, Method<NodeCalls>>> = {
  debug_traceTransaction: method([hash, config], async (node: NodeCalls, name, given) =>
    jsonOfTrace(await node.trace.transaction(name, optionsOf(given))),
  ),
  debug_traceBlockByHash: method([hash, config], async (node: NodeCalls, name, given) =>
    (await node.trace.block({ hash: name, requireCanonical: false }, optionsOf(given))).map(jsonOfBlockTrace),
  ),
  debug_traceBlockByNumber: method([blockNumberOrTag, config], async (node: NodeCalls, name, given) =>
    (await node.trace.block(name, optionsOf(given))).map(jsonOfBlockTrace),
  ),
  debug_traceCall: method(
    [callObject, blockName.default(LATEST), callConfig.nullish()],
    async (node: NodeCalls, call, at, given) => {
      const { stateOverrides: overrides, blockOverrides: block } = given ?? {}
      const request = { call, at, overrides: overrides ?? undefined, blockOverrides: block ?? undefined }
      return jsonOfTrace(await node.trace.call(request, optionsOf(given)))
    },
  ),
}
