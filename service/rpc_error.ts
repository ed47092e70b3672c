/** Codes of JSON-RPC 2.0, of the Engine API (execution-apis src/engine/common.md) and of eth_simulateV1. */
export const RPC_CODE = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  server: -32000,
  timedOut: -32002,
  /** Of go-ethereum. */
  replyTooLarge: -32003,
  /** Of a transaction whose terms do not hold (op-geth); the same number. */
  transactionRejected: -32003,
  limitExceeded: -32005,
  unknownPayload: -38001,
  invalidForkchoice: -38002,
  invalidAttributes: -38003,
  tooLarge: -38004,
  unsupportedFork: -38005,
  tooDeepReorg: -38006,
  nonceTooLow: -38010,
  nonceTooHigh: -38011,
  feeCapTooLow: -38012,
  intrinsicGas: -38013,
  insufficientFunds: -38014,
  blockGasReached: -38015,
  blockNumberOrder: -38020,
  blockTimeOrder: -38021,
  precompileToItself: -38022,
  senderNotEoa: -38024,
  initcodeSize: -38025,
  tooManyBlocks: -38026,
  /** Of a call that halted inside of a simulated block. */
  halted: -32015,
  /** Of eth_call: the data is what the call reverted with. */
  reverted: 3,
} as const

/** What a caller is told: a code, one line, and sometimes more. Anything else that is thrown is told as -32603. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  readonly data: unknown

  constructor(code: number, message: string, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}
