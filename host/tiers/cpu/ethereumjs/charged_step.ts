import { EVMError } from '@ethereumjs/evm'
import { type Fork, isAtLeast } from '../../../../transpiler/spec/forks.ts'
import { GAS_SSTORE_SENTRY, GAS_WARM, MAX_INITCODE_BYTES } from '../../../../transpiler/spec/gas.ts'
import type { MemoryRange } from '../../../../transpiler/spec/opcode.ts'
import { baseGasAt, opcodesAt } from '../../../../transpiler/spec/opcodes.ts'
import type { Operation, RunState } from './instructions.ts'

/** What an opcode is charged. */
export interface ChargedStep {
  /** All of it, without what a call hands on. */
  readonly gas: bigint
  /** As go-ethereum's tracers are told: with what a call hands on; of one that cannot pay what was known by then. */
  readonly told: bigint
  /** Why it does not run. */
  readonly fault: EVMError | undefined
  /** The same in the words of go-ethereum. */
  readonly words: string | undefined
  /** Whether the step is told to be faulty; other faults come when the opcode runs. */
  readonly isTold: boolean
}

const MOST_STACK = 1024
const EXP = 0x0a
const RETURNDATACOPY = 0x3e
const DIFFICULTY = 0x44
const SSTORE = 0x55
const CREATE = 0xf0
const CALL = 0xf1
const CREATE2 = 0xf5
const INVALID = 0xfe
/** Whose price for a warm account go-ethereum holds fixed, from Berlin on. */
const WARM: ReadonlySet<number> = new Set([0x31, 0x3b, 0x3c, 0x3f, 0xf1, 0xf2, 0xf4, 0xfa])
const CALLS: ReadonlySet<number> = new Set([0xf1, 0xf2, 0xf4, 0xfa])

const { OUT_OF_GAS, STACK_UNDERFLOW, STACK_OVERFLOW, INVALID_OPCODE, STATIC_STATE_CHANGE, INITCODE_SIZE_VIOLATION } =
  EVMError.errorMessages

type Common = Parameters<Operation['gasHandler']>[2]

/** The opcode at hand, and what a copy of calldata costs. */
export interface ChargeTerms {
  readonly fork: Fork
  readonly op: number
  readonly stock: Operation
  readonly copyGas: Operation['gasHandler']
}

/** The fixed part of the price, as go-ethereum's jump table has it: logs and EXP have none there. */
const fixedGas = (fork: Fork, op: number): bigint => {
  const row = opcodesAt(fork)[op]
  if (row === undefined || op === EXP || (op >= 0xa0 && op <= 0xa4)) return 0n
  return isAtLeast(fork, 'berlin') && WARM.has(op) ? BigInt(GAS_WARM) : BigInt(baseGasAt(row, fork))
}

/** As go-ethereum prints it: 0x44 is DIFFICULTY at every fork. */
export const opcodeWord = (fork: Fork, op: number): string => {
  if (op === DIFFICULTY) return 'DIFFICULTY'
  return opcodesAt(fork)[op]?.mnemonic ?? (op === INVALID ? 'INVALID' : `opcode 0x${op.toString(16)} not defined`)
}

const faulty = (told: bigint, error: EVMError['error'], words: string, isTold = true): ChargedStep => ({
  gas: told,
  told,
  fault: new EVMError(error),
  words,
  isTold,
})

/**
 * Charges an opcode as go-ethereum does: the height of the stack, the fixed part, the rest. A write in a static frame
 * and a copy beyond the returned data pay before they fail.
 */
export const chargedStep = async (
  terms: ChargeTerms,
  runState: RunState,
  base: bigint,
  common: Common,
): Promise<ChargedStep> => {
  const { fork, op, stock } = terms
  const fixed = fixedGas(fork, op)
  const row = opcodesAt(fork)[op]
  if (row === undefined || stock.opcodeInfo.isInvalid)
    return faulty(0n, INVALID_OPCODE, `invalid opcode: ${opcodeWord(fork, op)}`, false)
  const height = runState.stack.length
  if (height < row.pops) return faulty(fixed, STACK_UNDERFLOW, `stack underflow (${height} <=> ${row.pops})`)
  const most = MOST_STACK + row.pops - row.pushes
  if (height > most) return faulty(fixed, STACK_OVERFLOW, `stack limit reached ${height} (${most})`)
  const left = runState.interpreter.getGasLeft()
  if (left < fixed) return faulty(fixed, OUT_OF_GAS, 'out of gas')
  const beyond = memoryFault(row.memory ?? [], runState)
  if (beyond !== undefined) return faulty(fixed, OUT_OF_GAS, beyond)
  if (op === SSTORE && isAtLeast(fork, 'istanbul') && left <= BigInt(GAS_SSTORE_SENTRY))
    return faulty(fixed, OUT_OF_GAS, 'out of gas: not enough gas for reentrancy sentry')
  const initcode = initcodeBytes(fork, op, runState)
  if (initcode > BigInt(MAX_INITCODE_BYTES))
    return faulty(fixed, INITCODE_SIZE_VIOLATION, `out of gas: max initcode size exceeded: size ${initcode}`)
  if (!stock.opcodeInfo.dynamicGas) return afforded(left, base)
  return dynamic(terms, runState, base, common, left, fixed)
}

/** Of a creation, where its size is limited (EIP-3860). */
const initcodeBytes = (fork: Fork, op: number, { stack }: RunState): bigint =>
  (op === CREATE || op === CREATE2) && isAtLeast(fork, 'shanghai') ? stack.peek(3)[2]! : 0n

const afforded = (left: bigint, gas: bigint): ChargedStep =>
  left < gas
    ? faulty(gas, OUT_OF_GAS, 'out of gas')
    : { gas, told: gas, fault: undefined, words: undefined, isTold: false }

const dynamic = async (
  { op, stock, copyGas }: ChargeTerms,
  runState: RunState,
  base: bigint,
  common: Common,
  left: bigint,
  fixed: bigint,
): Promise<ChargedStep> => {
  const isBeyond = op === RETURNDATACOPY && readsBeyond(runState)
  const { env } = runState
  const { isStatic } = env
  const isWrite = isStatic && (isWriting(op) || (op === CALL && runState.stack.peek(3)[2] !== 0n))
  // What fails for another reason is charged all the same: as a copy of calldata, or as a write that is allowed.
  const handler = isBeyond ? copyGas : stock.gasHandler
  env.isStatic = false
  let gas: bigint
  try {
    gas = await handler(runState, base, common)
  } catch (thrown) {
    if (!(thrown instanceof EVMError)) throw thrown
    return { gas: fixed, told: fixed, fault: thrown, words: wordsOf(thrown), isTold: true }
  } finally {
    env.isStatic = isStatic
  }
  const handed = CALLS.has(op) ? (runState.messageGasLimit ?? 0n) : 0n
  const charged = { ...afforded(left, gas), told: gas + handed }
  if (charged.fault !== undefined) return charged
  if (isWrite) return { ...faulty(gas, STATIC_STATE_CHANGE, 'write protection', false), told: charged.told }
  return isBeyond ? faulty(gas, OUT_OF_GAS, 'return data out of bounds', false) : charged
}

const wordsOf = ({ error }: EVMError): string => (error === OUT_OF_GAS ? 'out of gas' : error)

/** SSTORE, TSTORE, logs, creations, SELFDESTRUCT. */
const isWriting = (op: number): boolean =>
  op === SSTORE || op === 0x5d || (op >= 0xa0 && op <= 0xa4) || op === CREATE || op === CREATE2 || op === 0xff

const readsBeyond = ({ stack, interpreter }: RunState): boolean => {
  const [, offset, length] = stack.peek(3) as [bigint, bigint, bigint]
  return offset + length > interpreter.getReturnDataSize()
}

/** Bytes of memory beyond which go-ethereum computes no price. */
const MOST_MEMORY = 0x1fffffffe0n
const MOST_OFFSET = (1n << 64n) - 1n

/** Why memory cannot grow that far, whatever gas there is. */
const memoryFault = (ranges: readonly MemoryRange[], { stack }: RunState): string | undefined => {
  if (ranges.length === 0) return undefined
  const words = stack.peek(stack.length)
  let most = 0n
  for (const range of ranges) {
    const length = 'length' in range ? words[range.length]! : BigInt(range.lengthBytes)
    if (length === 0n) continue
    const end = words[range.offset]! + length
    if (words[range.offset]! > MOST_OFFSET || length > MOST_OFFSET || end > MOST_OFFSET - 31n)
      return 'gas uint64 overflow'
    if (end > most) most = end
  }
  return most > MOST_MEMORY ? 'out of gas: gas uint64 overflow' : undefined
}
