import { GAS_CALL_STIPEND, GAS_CALL_VALUE, GAS_COLD_ACCOUNT, GAS_NEW_ACCOUNT } from '../spec/gas.ts'
import type { PathAccount } from './accounts.ts'
import { Frame, type FrameResult, HALT } from './frame.ts'
import { FrameGas } from './gas.ts'
import { type Bytes, EMPTY_BYTES, sliceBytes, type Word } from './memory.ts'
import { runPrecompile } from './precompiles.ts'
import type { Recording } from './recording.ts'
import { Unsupported } from './transaction.ts'

export type CallKind = 'CALL' | 'STATICCALL' | 'DELEGATECALL'

/** Bound on call depth in a path; the EVM's own bound (1024) is never reached below it. */
const MAX_DEPTH = 64

/** Most execution gas of a transaction in which a callee halts. */
const MAX_HALTING_GAS = 2 ** 31 - 1

interface CallOperands {
  readonly gas: Word
  readonly to: Word
  /** Not zero; undefined where the call carries none. */
  readonly value: Word | undefined
  readonly input: Bytes
  readonly outputOffset: number
  readonly outputLength: number
}

const callOperands = (recorder: Recording, frame: Frame, kind: CallKind, words: readonly Word[]): CallOperands => {
  const hasValue = kind === 'CALL'
  const [inOffset, inLength, outOffset, outLength] = words.slice(hasValue ? 3 : 2) as [Word, Word, Word, Word]
  const inputLength = Number(inLength.concrete)
  return {
    gas: words[0]!,
    to: words[1]!,
    value: hasValue ? carried(recorder, words[2]!) : undefined,
    input: inputLength === 0 ? EMPTY_BYTES : frame.memory.read(Number(inOffset.concrete), inputLength),
    outputOffset: Number(outOffset.concrete),
    outputLength: Number(outLength.concrete),
  }
}

/** The value of a call, under a guard that there is some; undefined under a guard that there is none. */
const carried = (recorder: Recording, value: Word): Word | undefined => {
  if (value.concrete === 0n) {
    recorder.guards.pin(value, 'call value')
    return undefined
  }
  recorder.guards.requireNot(recorder.builder.make('iszero', [value.value]), 'the call carries value')
  return value
}

/**
 * CALL, STATICCALL, DELEGATECALL into known code (a delegation, EIP-7702, is followed once), into an account without
 * code, or into a precompile.
 *
 * The callee gets min(requested, left - left / 64) gas (EIP-150), a per-lane value, and the stipend where it gets
 * value; guards say that it covers what the recorded frame used. A reverting or halting callee drops its effects and
 * its warm set; the transfer to it is moved back. A halt also uses all its gas. That the caller has the value is no
 * guard: it is a condition of the transfer (path_kernel.ts), whether it is moved back or not.
 * Returns the success word, or the halt of the caller.
 */
export const callFrame = async (
  recorder: Recording,
  frame: Frame,
  kind: CallKind,
  words: readonly Word[],
): Promise<Word | FrameResult> => {
  const operands = callOperands(recorder, frame, kind, words)
  if (operands.value !== undefined && frame.context.isStatic) return HALT
  if (frame.context.depth >= MAX_DEPTH) throw new Unsupported('depth bound', frame.pc)
  const address = operands.to.concrete & ((1n << 160n) - 1n)
  if (address > 0n && address <= 0x1ffn) return callPrecompile(recorder, frame, operands, address)
  const account = await recorder.accessAccount(frame, operands.to)
  recorder.guardCode(account)
  const code = await recorder.codeOf(frame, account)
  if (operands.value !== undefined) payForValue(recorder, frame, operands.value, account)
  const stipend = operands.value === undefined ? 0 : GAS_CALL_STIPEND
  const gas = calleeGas(recorder, frame, operands.gas, stipend)
  const snapshot = recorder.journal.snapshot()
  if (operands.value !== undefined) recorder.journal.transfer(frame.context.self, account, operands.value)
  const result =
    code.code.length === 0
      ? { status: 'success' as const, output: EMPTY_BYTES }
      : await runCallee(recorder, frame, kind, operands, account, code, gas)
  if (result.status !== 'success') recorder.journal.restore(snapshot)
  return finishCall(recorder, frame, operands, result, gas, stipend)
}

/** Charges for value, and for the account that it makes (EIP-161). */
const payForValue = (recorder: Recording, frame: Frame, value: Word, to: PathAccount): void => {
  const { self, gas } = frame.context
  if (self.isSender) throw new Unsupported('value from the sender', frame.pc)
  if (recorder.concreteBalance(self) < value.concrete) throw new Unsupported('call without funds', frame.pc)
  gas.charge(GAS_CALL_VALUE)
  if (!recorder.journal.isFunded(to) && !recorder.guardExistence(to)) gas.charge(GAS_NEW_ACCOUNT)
  gas.check()
}

const calleeGas = (recorder: Recording, frame: Frame, requested: Word, stipend = 0): FrameGas => {
  const { builder, guards } = recorder
  const { gas } = frame.context
  guards.require(gas.sufficient(), 'gas left at a call is not negative')
  const cap = gas.left - Math.floor(gas.left / 64)
  const given = requested.concrete > BigInt(cap) ? cap : Number(requested.concrete)
  const passed = builder.make('callgas', [requested.value, gas.remaining()])
  return new FrameGas(builder, builder.make('add32', [passed, builder.constant(BigInt(stipend))]), given + stipend)
}

const runCallee = async (
  recorder: Recording,
  frame: Frame,
  kind: CallKind,
  operands: CallOperands,
  account: PathAccount,
  code: PathAccount,
  gas: FrameGas,
): Promise<FrameResult> => {
  const { context } = frame
  const delegate = kind === 'DELEGATECALL'
  return recorder.run(
    new Frame({
      self: delegate ? context.self : account,
      codeAccount: code,
      caller: delegate ? context.caller : context.self.address,
      value: delegate ? context.value : (operands.value ?? recorder.constant(0n)),
      calldata: operands.input,
      isStatic: context.isStatic || kind === 'STATICCALL',
      depth: context.depth + 1,
      gas,
    }),
  )
}

const finishCall = (
  recorder: Recording,
  frame: Frame,
  operands: CallOperands,
  result: FrameResult,
  callee: FrameGas,
  stipend: number,
): Word => {
  const { gas } = frame.context
  // The stipend is no charge to the caller, which has paid more than that for the value.
  gas.charge(-stipend)
  recorder.guards.position = { pc: frame.pc, depth: frame.context.depth }
  if (result.status === 'halt') {
    guardGasLimit(recorder, frame.pc)
    gas.chargeDynamic(callee.given, callee.initial)
  } else {
    gas.chargeDynamic(callee.used(), callee.initial - callee.left)
  }
  frame.returnData = result.output
  const length = Math.min(operands.outputLength, result.output.cells.length)
  if (length > 0) frame.memory.write(operands.outputOffset, sliceBytes(result.output, 0, length))
  return recorder.constant(result.status === 'success' ? 1n : 0n)
}

/**
 * A callee that halts uses what the lane gave it, up to nearly the whole limit, and the frame's sum goes on from there.
 * A limit below 2^31 keeps that sum below 2^32: all else in a path costs far less than 2^31 (its bounds on steps and
 * bytes).
 */
const guardGasLimit = (recorder: Recording, pc: number): void => {
  const { builder, guards, transaction } = recorder
  if (transaction.gas > MAX_HALTING_GAS) throw new Unsupported('gas bound', pc)
  const below = builder.make('ge32', [builder.constant(BigInt(MAX_HALTING_GAS)), builder.make('gas', [])])
  guards.require(below, 'the gas limit is below 2^31')
}

const callPrecompile = async (
  recorder: Recording,
  frame: Frame,
  operands: CallOperands,
  address: bigint,
): Promise<Word> => {
  if (operands.value !== undefined) throw new Unsupported('value to a precompile', frame.pc)
  recorder.guards.pin(operands.to, 'call target')
  frame.context.gas.charge(recorder.accessGas(false, GAS_COLD_ACCOUNT))
  frame.context.gas.check()
  const gas = calleeGas(recorder, frame, operands.gas)
  const { success, output } = await runPrecompile(recorder, Number(address), operands.input, gas)
  return finishCall(recorder, frame, operands, { status: success ? 'success' : 'halt', output }, gas, 0)
}
