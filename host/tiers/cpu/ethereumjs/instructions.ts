import type { Common } from '@ethereumjs/common'
import type { ExecResult } from '@ethereumjs/evm'
import { isAtLeast, isFork } from '../../../../transpiler/spec/forks.ts'
import { GAS_SSTORE_SENTRY, storeCost, storeGasAt } from '../../../../transpiler/spec/gas.ts'

export type RunState = NonNullable<ExecResult['runState']>

/** One instruction as @ethereumjs/evm holds it. The base class declares its array of them without an element type. */
export interface Operation {
  readonly opcodeInfo: {
    readonly code: number
    readonly feeBigInt: bigint
    readonly dynamicGas: boolean
    readonly isAsync: boolean
    readonly isInvalid: boolean
  }
  readonly opHandler: OpHandler
  readonly gasHandler: GasHandler
}

type OpHandler = (runState: RunState, common: Common) => void | Promise<void>
type GasHandler = (runState: RunState, gas: bigint, common: Common) => bigint | Promise<bigint>

/**
 * The operation with a handler of ours where it is one of the many that only move words: the stock handlers make an
 * array for each pair of operands, turn words to bytes through hex, and await the price of every access to memory.
 *
 * A handler of ours takes the plain case only. Everything else (too few or too many words on the stack, a jump to
 * nowhere) goes to the stock one, so the errors are its own.
 */
export const leanOperation = (stock: Operation, common: Common): Operation => {
  const { code, isInvalid } = stock.opcodeInfo
  if (isInvalid) return stock
  const opHandler = handlerOf(code, stock.opHandler) ?? stock.opHandler
  const gasHandler = code === 0x55 ? storageGas(stock.gasHandler, common) : (gasHandlerOf(code) ?? stock.gasHandler)
  return { opcodeInfo: stock.opcodeInfo, opHandler, gasHandler }
}

/** A stack of @ethereumjs/evm from inside: words in `_store[0 .. _len - 1]`, the top last. */
interface Words {
  readonly _store: bigint[]
  _len: number
}

/** The stack and the memory from inside; the declaration hides their stores. */
const wordsOf = (runState: RunState): Words => runState.stack as unknown as Words
const bytesOfMemory = ({ memory }: RunState): { readonly _store: Uint8Array } =>
  memory as unknown as { readonly _store: Uint8Array }

const MOST_WORDS = 1024
const WORD_BYTES = 32
const FULL = (1n << 256n) - 1n

const handlerOf = (code: number, stock: OpHandler): OpHandler | undefined => {
  if (code >= 0x60 && code <= 0x7f) return push(code - 0x5f, stock)
  if (code >= 0x80 && code <= 0x8f) return duplicate(code - 0x7f, stock)
  if (code >= 0x90 && code <= 0x9f) return swap(code - 0x8f, stock)
  if (code >= 0xa0 && code <= 0xa4) return writeLog(code - 0xa0, stock)
  const apply = BINARY[code]
  if (apply !== undefined) return binary(apply, stock)
  switch (code) {
    case 0x15:
      return unary((a) => (a === 0n ? 1n : 0n), stock)
    case 0x19:
      return unary((a) => a ^ FULL, stock)
    case 0x35:
      return loadCalldata(stock)
    case 0x50:
      return pop(stock)
    case 0x51:
      return loadMemory(stock)
    case 0x52:
      return storeMemory(stock)
    case 0x54:
      return loadStorage(stock)
    case 0x55:
      return storeStorage(stock)
    case 0x56:
      return jump(stock)
    case 0x57:
      return jumpIf(stock)
    default:
      return undefined
  }
}

/** By opcode; `a` is the top of the stack. Both are words, and so is the result. */
const BINARY: readonly (((a: bigint, b: bigint) => bigint) | undefined)[] = (() => {
  const table: (((a: bigint, b: bigint) => bigint) | undefined)[] = []
  table[0x01] = (a, b) => BigInt.asUintN(256, a + b)
  table[0x02] = (a, b) => BigInt.asUintN(256, a * b)
  table[0x03] = (a, b) => BigInt.asUintN(256, a - b)
  table[0x04] = (a, b) => (b === 0n ? 0n : a / b)
  table[0x06] = (a, b) => (b === 0n ? 0n : a % b)
  table[0x10] = (a, b) => (a < b ? 1n : 0n)
  table[0x11] = (a, b) => (a > b ? 1n : 0n)
  table[0x12] = (a, b) => (BigInt.asIntN(256, a) < BigInt.asIntN(256, b) ? 1n : 0n)
  table[0x13] = (a, b) => (BigInt.asIntN(256, a) > BigInt.asIntN(256, b) ? 1n : 0n)
  table[0x14] = (a, b) => (a === b ? 1n : 0n)
  table[0x16] = (a, b) => a & b
  table[0x17] = (a, b) => a | b
  table[0x18] = (a, b) => a ^ b
  table[0x1b] = (a, b) => (a > 255n ? 0n : BigInt.asUintN(256, b << a))
  table[0x1c] = (a, b) => (a > 255n ? 0n : b >> a)
  return table
})()

const binary =
  (apply: (a: bigint, b: bigint) => bigint, stock: OpHandler): OpHandler =>
  (runState, common) => {
    const words = wordsOf(runState)
    const top = words._len - 1
    if (top < 1) return stock(runState, common)
    const store = words._store
    store[top - 1] = apply(store[top]!, store[top - 1]!)
    words._len = top
  }

const unary =
  (apply: (a: bigint) => bigint, stock: OpHandler): OpHandler =>
  (runState, common) => {
    const { _store, _len } = wordsOf(runState)
    if (_len < 1) return stock(runState, common)
    _store[_len - 1] = apply(_store[_len - 1]!)
  }

/** Operands are read from the code when they are first pushed; `cachedPushes` keeps them by position. */
const push =
  (count: number, stock: OpHandler): OpHandler =>
  (runState, common) => {
    const words = wordsOf(runState)
    const at = runState.programCounter
    const pushes = runState.cachedPushes
    pushes[at] ??= pushedAt(runState.code, at, count)
    if (words._len >= MOST_WORDS) return stock(runState, common)
    words._store[words._len++] = pushes[at]
    runState.programCounter = at + count
  }

/** Bytes after the end of the code are zero. */
const pushedAt = (code: Uint8Array, at: number, count: number): bigint => {
  let value = 0n
  if (count <= 6) {
    let small = 0
    for (let i = at; i < at + count; i++) small = small * 256 + (code[i] ?? 0)
    return BigInt(small)
  }
  for (let i = at; i < at + count; i++) value = (value << 8n) | BigInt(code[i] ?? 0)
  return value
}

const duplicate =
  (depth: number, stock: OpHandler): OpHandler =>
  (runState, common) => {
    const words = wordsOf(runState)
    const length = words._len
    if (length < depth || length >= MOST_WORDS) return stock(runState, common)
    words._store[length] = words._store[length - depth]!
    words._len = length + 1
  }

const swap =
  (depth: number, stock: OpHandler): OpHandler =>
  (runState, common) => {
    const { _store, _len } = wordsOf(runState)
    if (_len <= depth) return stock(runState, common)
    const top = _store[_len - 1]!
    _store[_len - 1] = _store[_len - 1 - depth]!
    _store[_len - 1 - depth] = top
  }

const pop =
  (stock: OpHandler): OpHandler =>
  (runState, common) => {
    const words = wordsOf(runState)
    if (words._len < 1) return stock(runState, common)
    words._len--
  }

const jump =
  (stock: OpHandler): OpHandler =>
  (runState, common) => {
    const words = wordsOf(runState)
    if (words._len < 1) return stock(runState, common)
    const to = Number(words._store[words._len - 1])
    if (runState.validJumps[to] !== 1) return stock(runState, common)
    words._len--
    runState.programCounter = to
  }

const jumpIf =
  (stock: OpHandler): OpHandler =>
  (runState, common) => {
    const words = wordsOf(runState)
    if (words._len < 2) return stock(runState, common)
    if (words._store[words._len - 2] !== 0n) {
      const to = Number(words._store[words._len - 1])
      if (runState.validJumps[to] !== 1) return stock(runState, common)
      runState.programCounter = to
    }
    words._len -= 2
  }

const loadMemory =
  (stock: OpHandler): OpHandler =>
  (runState, common) => {
    const { _store, _len } = wordsOf(runState)
    const bytes = bytesOfMemory(runState)._store
    if (_len < 1) return stock(runState, common)
    const at = Number(_store[_len - 1])
    if (at + WORD_BYTES > bytes.length) return stock(runState, common)
    _store[_len - 1] = wordAt(bytes, at)
  }

const storeMemory =
  (stock: OpHandler): OpHandler =>
  (runState, common) => {
    const words = wordsOf(runState)
    const bytes = bytesOfMemory(runState)._store
    if (words._len < 2) return stock(runState, common)
    const at = Number(words._store[words._len - 1])
    if (at + WORD_BYTES > bytes.length) return stock(runState, common)
    writeWord(bytes, at, words._store[words._len - 2]!)
    words._len -= 2
  }

/** That a static frame must not is the gas handler's. */
const writeLog =
  (topicCount: number, stock: OpHandler): OpHandler =>
  (runState, common) => {
    const words = wordsOf(runState)
    const { _store, _len } = words
    const bytes = bytesOfMemory(runState)._store
    const rest = _len - 2 - topicCount
    if (rest < 0) return stock(runState, common)
    const at = Number(_store[_len - 1])
    const size = Number(_store[_len - 2])
    if (size !== 0 && at + size > bytes.length) return stock(runState, common)
    const topics: Uint8Array[] = []
    for (let n = 0; n < topicCount; n++) topics.push(bytesOfWord(_store[_len - 3 - n]!))
    words._len = rest
    runState.interpreter.log(size === 0 ? new Uint8Array(0) : bytes.slice(at, at + size), topicCount, topics)
  }

const loadCalldata =
  (stock: OpHandler): OpHandler =>
  (runState, common) => {
    const { _store, _len } = wordsOf(runState)
    const { callData } = runState.env
    if (_len < 1) return stock(runState, common)
    const at = Number(_store[_len - 1])
    if (at + WORD_BYTES > callData.length) return stock(runState, common)
    _store[_len - 1] = wordAt(callData, at)
  }

/**
 * A state manager that gives and takes without a promise what it has at hand. Values are big-endian without leading
 * zeros; undefined or false: it has not met this slot yet.
 */
interface AtHand {
  storageAtHand?(address: Uint8Array, key: Uint8Array): Uint8Array | undefined
  /** The value before the first SSTORE of the transaction. */
  originalAtHand?(address: Uint8Array, key: Uint8Array): Uint8Array | undefined
  putAtHand?(address: Uint8Array, key: Uint8Array, value: Uint8Array): boolean
}

const loadStorage =
  (stock: OpHandler): OpHandler =>
  (runState, common) => {
    const { _store, _len } = wordsOf(runState)
    if (_len < 1) return stock(runState, common)
    const manager = runState.stateManager as AtHand
    const value = manager.storageAtHand?.(runState.env.address.bytes, bytesOfWord(_store[_len - 1]!))
    if (value === undefined) return stock(runState, common)
    _store[_len - 1] = wordOf(value)
  }

const storeStorage =
  (stock: OpHandler): OpHandler =>
  (runState, common) => {
    const words = wordsOf(runState)
    if (words._len < 2) return stock(runState, common)
    const manager = runState.stateManager as AtHand
    const key = bytesOfWord(words._store[words._len - 1]!)
    const value = shortBytes(words._store[words._len - 2]!)
    if (manager.putAtHand?.(runState.env.address.bytes, key, value) !== true) return stock(runState, common)
    words._len -= 2
  }

/** The price of SSTORE from Istanbul on (EIP-2200, 2929, 3529) where the slot is at hand. */
const storageGas = (stock: GasHandler, common: Common): GasHandler => {
  const fork = common.hardfork()
  if (!isFork(fork) || !isAtLeast(fork, 'istanbul')) return stock
  const prices = storeGasAt(fork)
  const cold = BigInt(prices.cold)
  return (runState, gas) => {
    const { stack, env, interpreter } = runState
    const manager = runState.stateManager as AtHand
    if (env.isStatic || runState.gasLeft <= GAS_SSTORE_SENTRY) return stock(runState, gas, common)
    const [keyWord, next] = stack.peek(2) as [bigint, bigint]
    const key = bytesOfWord(keyWord)
    const { bytes } = env.address
    const current = manager.storageAtHand?.(bytes, key)
    const original = current === undefined ? undefined : manager.originalAtHand?.(bytes, key)
    if (current === undefined || original === undefined) return stock(runState, gas, common)
    const cost = storeCost(prices, wordOf(original), wordOf(current), next)
    if (cost.refund !== 0) {
      if (runState.gasRefund + BigInt(cost.refund) < 0n) return stock(runState, gas, common)
      runState.gasRefund += BigInt(cost.refund)
    }
    let charged = gas + BigInt(cost.gas)
    if (cold !== 0n && !interpreter.journal.isWarmedStorage(bytes, key)) {
      interpreter.journal.addWarmedStorage(bytes, key)
      charged += cold
    }
    return charged
  }
}

const wordOf = (value: Uint8Array): bigint => (value.length === 0 ? 0n : BigInt(`0x${hexOf(value)}`))

/** Without leading zeros; zero has no bytes. */
const shortBytes = (value: bigint): Uint8Array => {
  const bytes = bytesOfWord(value)
  let zeros = 0
  while (zeros < WORD_BYTES && bytes[zeros] === 0) zeros++
  return bytes.subarray(zeros)
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

const wordAt = (bytes: Uint8Array, at: number): bigint => {
  let zeros = at
  const small = at + WORD_BYTES - 6
  while (zeros < small && bytes[zeros] === 0) zeros++
  if (zeros === small) {
    let value = 0
    for (let i = small; i < at + WORD_BYTES; i++) value = value * 256 + bytes[i]!
    return BigInt(value)
  }
  return BigInt(`0x${hexOf(bytes.subarray(zeros, at + WORD_BYTES))}`)
}

const scratch = new Uint8Array(WORD_BYTES)
const scratchView = new DataView(scratch.buffer)

/** `value` big-endian, 32 bytes. */
const writeWord = (bytes: Uint8Array, at: number, value: bigint): void => {
  if (value <= 0xffff_ffffn) {
    const small = Number(value)
    bytes.fill(0, at, at + 28)
    bytes[at + 28] = small >>> 24
    bytes[at + 29] = small >>> 16
    bytes[at + 30] = small >>> 8
    bytes[at + 31] = small
    return
  }
  scratchView.setBigUint64(0, value >> 192n)
  scratchView.setBigUint64(8, value >> 128n)
  scratchView.setBigUint64(16, value >> 64n)
  scratchView.setBigUint64(24, value)
  bytes.set(scratch, at)
}

export const bytesOfWord = (value: bigint): Uint8Array => {
  const bytes = new Uint8Array(WORD_BYTES)
  writeWord(bytes, 0, value)
  return bytes
}

/** Prices without a promise: of what the stock handlers price with nothing but the stack and the size of the memory. */
const gasHandlerOf = (code: number): GasHandler | undefined => {
  switch (code) {
    case 0x20:
      return (runState, gas, common) => {
        const [offset, length] = runState.stack.peek(2) as [bigint, bigint]
        return gas + memoryGas(runState, offset, length, common) + common.param('keccak256WordGas') * wordsIn(length)
      }
    case 0x37:
    case 0x39:
      return (runState, gas, common) => {
        const [offset, , length] = runState.stack.peek(3) as [bigint, bigint, bigint]
        return gas + memoryGas(runState, offset, length, common) + common.param('copyGas') * wordsIn(length)
      }
    case 0x51:
    case 0x52:
      return (runState, gas, common) => gas + memoryGas(runState, runState.stack.peek()[0]!, 32n, common)
    case 0x53:
      return (runState, gas, common) => gas + memoryGas(runState, runState.stack.peek()[0]!, 1n, common)
    case 0x54:
      return (runState, gas, common) => {
        const key = bytesOfWord(runState.stack.peek()[0]!)
        if (!common.isActivatedEIP(2929)) return gas
        const { journal } = runState.interpreter
        const { bytes } = runState.env.address
        if (journal.isWarmedStorage(bytes, key)) return gas + common.param('warmstoragereadGas')
        journal.addWarmedStorage(bytes, key)
        return gas + common.param('coldsloadGas')
      }
    case 0xf3:
    case 0xfd:
      return (runState, gas, common) => {
        const [offset, length] = runState.stack.peek(2) as [bigint, bigint]
        return gas + memoryGas(runState, offset, length, common)
      }
    default:
      return undefined
  }
}

const wordsIn = (bytes: bigint): bigint => (bytes + 31n) / 32n

/** What it costs to have `length` bytes at `offset` (YP 328), and notes that they are there. */
const memoryGas = (runState: RunState, offset: bigint, length: bigint, common: Common): bigint => {
  if (length === 0n) return 0n
  const words = wordsIn(offset + length)
  if (words <= runState.memoryWordCount) return 0n
  const cost = words * common.param('memoryGas') + (words * words) / common.param('quadCoefficientDivGas')
  const paid = runState.highestMemCost
  runState.memoryWordCount = words
  if (cost <= paid) return cost
  runState.highestMemCost = cost
  return cost - paid
}
