import type { Program, ProgramCall } from '../../conformance/program_file.ts'
import { emptyBatch, type TransactionBatch } from '../../host/chain/batch.ts'
import { type CallObject, encodeCalls } from '../../host/chain/call_batch.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import { hexToBytes } from '../../host/primitives/hex.ts'
import { EMPTY_CODE_HASH } from '../../host/primitives/keccak.ts'
import { addressFromBytes, wordFromBigInt } from '../../host/primitives/word.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { createRandom, type Random } from '../random.ts'
import { type ReadableState, ReadState } from './read_state.ts'

/**
 * How one part of a call changes from lane to lane.
 * person: another account of the program that has no code. stranger: an address that is nowhere. amount: 1 to what it
 * was. bytes: any, for a run of words of bulk input.
 */
export type VariationKind = 'person' | 'stranger' | 'amount' | 'bytes'

export interface Variation {
  /** Byte in the calldata where the word begins, whole words counted from its end; -1 is the caller, -2 the value. */
  readonly at: number
  readonly kind: VariationKind
  /** Words of a run; absent = 1. */
  readonly words?: number
}

const CALLER = -1
const VALUE = -2
/** Tries of a variation before a run; all must end as the call itself ends. */
const TRIALS = 4
/**
 * Words up to this are taken for flags and counts rather than amounts, and multiples of 32 up to the next for offsets
 * and lengths.
 */
const LEAST_AMOUNT = 100n
const LARGEST_OFFSET = 4096n
/** Words in a row from which they are bulk input, when none of them can be a flag, a count or an address in use. */
const LEAST_RUN = 4
/** Calls whose first run takes longer on the CPU tier are left as they are: each trial would take as long. */
const TRIAL_MS = 400

/**
 * For every call of the program, what may change without changing how it ends: found by trying each candidate on the
 * CPU tier. A call with none of it runs the same in every lane.
 */
export const findVariations = async (
  program: Program,
  state: ReadableState,
  seed: number,
): Promise<readonly (readonly Variation[])[]> => {
  const { fork, chainId } = program
  const executor = createExecutor({ fork, chainId, state })
  const view = new ReadState(state)
  const hasCode = (address: string): boolean => (view.account(address)?.codeHash ?? EMPTY_CODE_HASH) !== EMPTY_CODE_HASH
  const people = peopleOf(program)
  const found: Variation[][] = []
  for (const [index, call] of program.calls.entries()) {
    const startedMs = performance.now()
    const status = (await executor.simulate({ at: program.env, calls: [unlabelled(call)] })).status[0]!
    const kept: Variation[] = []
    found.push(kept)
    if (performance.now() - startedMs > TRIAL_MS) continue
    for (const candidate of candidatesOf(call, program, people, hasCode)) {
      const random = createRandom(seed, `trial ${index} ${candidate.at}`)
      const calls = fill(program, [[...kept, candidate]], [index], TRIALS, people, random)
      const trial = await executor.simulate({ at: program.env, calls })
      if (trial.status.every((one) => one === status)) kept.push(candidate)
    }
  }
  executor.close()
  return found
}

/** The call itself, which has no field for its name. */
const unlabelled = ({ label: _, ...call }: ProgramCall): CallObject => call

/** `lanes` calls, those of the program in turn, each changed as its variations allow. */
export const variedCalls = (
  program: Program,
  variations: readonly (readonly Variation[])[],
  lanes: number,
  seed: number,
): TransactionBatch => {
  const every = program.calls.map((_, index) => index)
  return fill(program, variations, every, lanes, peopleOf(program), createRandom(seed, 'lanes'))
}

const peopleOf = ({ pre }: Program): readonly Uint8Array[] =>
  Object.entries(pre)
    .filter(([, { code = '0x' }]) => code.length <= 2)
    .map(([address]) => hexToBytes(address))

const candidatesOf = (
  call: ProgramCall,
  program: Program,
  people: readonly Uint8Array[],
  hasCode: (address: string) => boolean,
): Variation[] => {
  const candidates: Variation[] = []
  if (people.length > 1) candidates.push({ at: CALLER, kind: 'person' })
  if ((call.value ?? 0n) > LEAST_AMOUNT) candidates.push({ at: VALUE, kind: 'amount' })
  const data = Buffer.from(call.data.slice(2), 'hex')
  const first = data.length % 32
  const isBulk = (at: number): boolean =>
    at + 32 <= data.length && isBulkWord(data.toString('hex', at, at + 32), people)
  for (let at = first; at + 32 <= data.length; at += 32) {
    let words = 0
    while (isBulk(at + 32 * words)) words++
    if (words >= LEAST_RUN) {
      candidates.push({ at, kind: 'bytes', words })
      at += 32 * (words - 1)
      continue
    }
    const word = data.toString('hex', at, at + 32)
    const address = `0x${word.slice(24)}`
    const isAddress = /^0{24}/.test(word) && BigInt(address) >> 24n !== 0n
    const owner = program.pre[address]
    if (isAddress && hasCode(address)) continue
    if (owner !== undefined && people.length > 1) candidates.push({ at, kind: 'person' })
    else if (isAddress && looksLikeAddress(word, people)) candidates.push({ at, kind: 'stranger' })
    else if (isAmount(BigInt(`0x${word}`))) candidates.push({ at, kind: 'amount' })
  }
  return candidates
}

const isAmount = (word: bigint): boolean =>
  word > LEAST_AMOUNT && word >> 128n === 0n && !(word <= LARGEST_OFFSET && word % 32n === 0n)

/** Zero, or no small number and no address of the program. */
const isBulkWord = (word: string, people: readonly Uint8Array[]): boolean =>
  /^0{64}$/.test(word) ||
  (!/^0{24}/.test(word) && !people.some((person) => word.endsWith(Buffer.from(person).toString('hex'))))

/** An amount is below 2^128, which an address seldom is; those of the programs' own making share their upper bytes. */
const looksLikeAddress = (word: string, people: readonly Uint8Array[]): boolean =>
  !/^0{32}/.test(word) || people.some((person) => Buffer.from(person).toString('hex', 0, 18) === word.slice(24, 60))

const fill = (
  program: Program,
  variations: readonly (readonly Variation[])[],
  indices: readonly number[],
  lanes: number,
  people: readonly Uint8Array[],
  random: Random,
): TransactionBatch => {
  const templates = encodeCalls(
    indices.map((index) => unlabelled(program.calls[index]!)),
    program.env,
  )
  const sizes = indices.map((_, t) => templates.dataStart[t + 1]! - templates.dataStart[t]!)
  let dataBytes = 0
  for (let i = 0; i < lanes; i++) dataBytes += sizes[i % indices.length]!
  const batch = emptyBatch(lanes, { dataBytes, accessEntries: 0, accessKeys: 0 })
  for (let i = 0; i < lanes; i++) {
    const t = i % indices.length
    copyTemplate(batch, i, templates, t)
    const call = program.calls[indices[t]!]!
    for (const variation of variations[t]!) vary(batch, i, variation, call, people, random)
  }
  return batch
}

const copyTemplate = (batch: TransactionBatch, i: number, from: TransactionBatch, t: number): void => {
  for (const [column, limbs] of [
    ['gasLimit', 2],
    ['maxFeePerGas', LIMBS_PER_WORD],
    ['maxPriorityFeePerGas', LIMBS_PER_WORD],
    ['value', LIMBS_PER_WORD],
    ['from', LIMBS_PER_ADDRESS],
    ['to', LIMBS_PER_ADDRESS],
  ] as const)
    batch[column].set(from[column].subarray(limbs * t, limbs * (t + 1)), limbs * i)
  const data = from.data.subarray(from.dataStart[t]!, from.dataStart[t + 1]!)
  batch.data.set(data, batch.dataStart[i]!)
  batch.dataStart[i + 1] = batch.dataStart[i]! + data.length
}

const vary = (
  batch: TransactionBatch,
  i: number,
  { at, kind, words = 1 }: Variation,
  call: ProgramCall,
  people: readonly Uint8Array[],
  random: Random,
): void => {
  if (at === CALLER) {
    addressFromBytes(batch.from, LIMBS_PER_ADDRESS * i, people[random.below(people.length)]!, 0)
  } else if (at === VALUE) {
    wordFromBigInt(batch.value, LIMBS_PER_WORD * i, amountUpTo(call.value ?? 0n, random))
  } else {
    const to = batch.dataStart[i]! + at
    if (kind === 'person') batch.data.set(people[random.below(people.length)]!, to + 12)
    else if (kind === 'bytes') for (let b = 0; b < 32 * words; b++) batch.data[to + b] = random.below(256)
    else if (kind === 'stranger') for (let b = 12; b < 32; b++) batch.data[to + b] = random.below(256)
    else {
      const most = BigInt(`0x${call.data.slice(2 + 2 * at, 2 + 2 * (at + 32))}`)
      const amount = amountUpTo(most, random).toString(16).padStart(64, '0')
      batch.data.set(Buffer.from(amount, 'hex'), to)
    }
  }
}

/** 1 to `most`. */
const amountUpTo = (most: bigint, random: Random): bigint =>
  1n + (((BigInt(random.u32()) << 32n) | BigInt(random.u32())) * most) / (1n << 64n)
