import type { ValueId } from '../ir/path_ir.ts'
import { MEMO_BLOCK_HASH, MEMO_OWNERS, memoWords, ONE_WORD_PRECOMPILES, type PrecompileResult } from '../layout/memo.ts'
import { BLOCK_HASH_WINDOW } from '../spec/gas.ts'
import { isPrecompile } from '../spec/precompiles.ts'
import type { FrameGas } from './gas.ts'
import { type Bytes, bytesOfWord, EMPTY_BYTES, sliceBytes, type Word, wordAt, wordsOfBytes } from './memory.ts'
import type { Recording } from './recording.ts'
import { Unsupported } from './transaction.ts'

/** Longer inputs are not worth their columns. */
const MAX_INPUT_BYTES = 1024

const IDENTITY = 4
const GAS_IDENTITY = 15
const GAS_IDENTITY_WORD = 3
const RIPEMD160 = 3
const ECRECOVER = 1
const MODEXP = 5
const BLAKE2F = 9
const ADDRESS_MASK = (1n << 160n) - 1n

export interface PrecompileOutcome {
  readonly success: boolean
  readonly output: Bytes
}

/**
 * Runs a precompile (address at most 0x1ff) on symbolic input. Its output is read from a memo (layout/memo.ts) under
 * the hash of the input; that it succeeds, and the length of its output, are guards. Its price follows from the length
 * of the input, and from the words of it that are pinned here.
 */
export const runPrecompile = async (
  recorder: Recording,
  address: number,
  input: Bytes,
  gas: FrameGas,
): Promise<PrecompileOutcome> => {
  const { guards } = recorder
  recorder.precompiles.add(address)
  const words = Math.ceil(input.cells.length / 32)
  if (address === IDENTITY) {
    return charged(recorder, gas, GAS_IDENTITY + GAS_IDENTITY_WORD * words) ? { success: true, output: input } : FAILED
  }
  const { pc } = guards.position
  // A chain may have one before its fork: recorded paths are known by the fork alone.
  if (!isPrecompile(recorder.transaction.fork, address)) throw new Unsupported('precompile', pc)
  const result = await recorder.state.precompile?.(address, input.concrete)
  if (result === undefined) throw new Unsupported('precompile', pc)
  if (input.cells.length > MAX_INPUT_BYTES || result.output.length > MAX_INPUT_BYTES)
    throw new Unsupported('precompile', pc)
  if (address === MODEXP) pinBytes(recorder, input, 0, 96 + headOfExponent(input.concrete))
  if (address === BLAKE2F) pinBytes(recorder, input, 0, 4)
  if (!result.success) {
    guards.require(recorder.builder.make('iszero', [memoWord(recorder, address, input, 0)]), 'the precompile fails')
    return FAILED
  }
  if (!charged(recorder, gas, result.gas)) return FAILED
  return { success: true, output: outputOf(recorder, address, input, result) }
}

const FAILED: PrecompileOutcome = { success: false, output: EMPTY_BYTES }

/** Charges the price of a precompile; false, under a guard, where the gas does not cover it. */
const charged = ({ guards }: Recording, gas: FrameGas, price: number): boolean => {
  gas.charge(price)
  if (gas.left >= 0) guards.require(gas.sufficient(), 'gas covers the precompile')
  else guards.requireNot(gas.sufficient(), 'gas does not cover the precompile')
  return gas.left >= 0
}

const outputOf = (recorder: Recording, address: number, input: Bytes, result: PrecompileResult): Bytes => {
  const { builder, guards } = recorder
  const concrete = memoWords(address, result)
  const read = (index: number): Word => ({
    concrete: concrete[index]!,
    value: memoWord(recorder, address, input, index),
  })
  if (ONE_WORD_PRECOMPILES.has(address)) {
    const word = read(0)
    if (address === ECRECOVER) {
      const none = builder.make('iszero', [word.value])
      if (result.output.length === 0) {
        guards.require(none, 'the signature is no one’s')
        return EMPTY_BYTES
      }
      guards.requireNot(none, 'the signature is someone’s')
    }
    const isAddress = address === ECRECOVER || address === RIPEMD160
    const value = isAddress ? builder.make('and', [word.value, builder.constant(ADDRESS_MASK)]) : word.value
    return bytesOfWord(builder, { concrete: word.concrete, value })
  }
  guards.pin(read(0), 'bytes of output of the precompile and one')
  const parts = concrete.slice(1).map((_, i) => bytesOfWord(builder, read(1 + i)))
  const whole: Bytes = {
    concrete: Uint8Array.from(parts.flatMap((part) => [...part.concrete])),
    cells: parts.flatMap((part) => part.cells),
  }
  return sliceBytes(whole, 0, result.output.length)
}

/** Word `index` of the memo of this input. */
const memoWord = ({ builder }: Recording, address: number, input: Bytes, index: number): ValueId => {
  const hash = builder.make('keccak', wordsOfBytes(builder, input), input.cells.length)
  const key = builder.make('add', [hash, builder.constant(BigInt(index))])
  return builder.make('load', [builder.make('slot', [builder.constant(BigInt(MEMO_OWNERS + address)), key])])
}

const pinBytes = ({ builder, guards }: Recording, input: Bytes, start: number, end: number): void => {
  for (let at = start; at < end; at += 32) {
    guards.pin(wordAt(builder, sliceBytes(input, at, Math.min(32, end - at)), 0), `input of the precompile at ${at}`)
  }
}

/** Bytes of the exponent that the price of modexp depends on (EIP-2565), with the base before them. */
const headOfExponent = (input: Uint8Array): number => {
  const length = (at: number): number => {
    let value = 0
    for (let i = at; i < at + 32; i++) value = Math.min(2 ** 40, 256 * value + (input[i] ?? 0))
    return value
  }
  const base = length(0)
  const exponent = length(32)
  return Math.min(MAX_INPUT_BYTES, base + Math.min(32, exponent))
}

/** BLOCKHASH: a memo by number for the ancestors that it answers for, else 0; which of both is a guard. */
export const blockHash = async (recorder: Recording, number: Word): Promise<Word> => {
  const { builder, guards, transaction, state } = recorder
  const current = builder.make('environment', [], 'number')
  const { concrete } = number
  const now = transaction.environment.number
  const isPast = builder.make('lt', [number.value, current])
  if (concrete >= now) {
    guards.requireNot(isPast, 'BLOCKHASH of no past block')
    return recorder.constant(0n)
  }
  guards.require(isPast, 'BLOCKHASH of a past block')
  const distance = builder.make('sub', [current, number.value])
  const isFar = builder.make('lt', [builder.constant(BigInt(BLOCK_HASH_WINDOW)), distance])
  if (now - concrete > BigInt(BLOCK_HASH_WINDOW)) {
    guards.require(isFar, 'BLOCKHASH past its window')
    return recorder.constant(0n)
  }
  guards.requireNot(isFar, 'BLOCKHASH inside its window')
  const hash = await state.blockHash?.(concrete)
  if (hash === undefined) throw new Unsupported('opcode BLOCKHASH', guards.position.pc)
  const owner = builder.constant(BigInt(MEMO_OWNERS + MEMO_BLOCK_HASH))
  return { concrete: hash, value: builder.make('load', [builder.make('slot', [owner, number.value])]) }
}
