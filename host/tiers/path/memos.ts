import { MEMO_BLOCK_HASH, MEMO_OWNERS, memoWords } from '../../../transpiler/layout/memo.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { MISSING } from '../../../transpiler/path_kernel.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import { bytesToHex } from '../../primitives/hex.ts'
import { keccak256 } from '../../primitives/keccak.ts'
import { wordFromBigInt, wordFromBytes, wordFromHex, wordToBigInt } from '../../primitives/word.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { PathGroup } from './columns.ts'
import { COLUMN_LIMBS } from './plan.ts'
import { PathDecoder } from './receipts.ts'

const ONE = new Uint32Array(LIMBS_PER_WORD)
ONE[0] = 1

/**
 * Enters in the slot table what lanes missed of memos (transpiler/layout/memo.ts): the host runs the precompile on the
 * input that the lane left, or asks the State for the hash of an ancestor. A memo without an answer is not entered, so
 * its lanes go on missing and end on the CPU tier.
 *
 * A lane that missed something else in front may have hashed a wrong input: its memo is entered all the same, and never
 * read.
 */
export const loadMemos = async (
  group: PathGroup,
  missed: readonly number[],
  k: number,
  resident: ResidentState,
  precompiles: Precompiles,
): Promise<void> => {
  const { plan, laneCount, lanesIn, lanesOut } = group
  const { precompile, input } = plan.memos[k]!
  const at = plan.slots.columns[k]! * laneCount * COLUMN_LIMBS + plan.slots.components[k]!
  const tables = { accountRows: resident.accounts.rows, constants: resident.codes.constants }
  const decoder = new PathDecoder({ kernel: plan.kernel, laneCount, lanesIn, lanesOut, tables })
  const inputs = new Map<string, Uint8Array>()
  for (const lane of missed) {
    if (lanesOut[at + lane * COLUMN_LIMBS] !== MISSING) continue
    if (precompile === MEMO_BLOCK_HASH) {
      await enterBlockHash(resident, laneKey(group, lane, k))
      continue
    }
    const bytes = decoder.bytes(input, lane)
    const key = keccak256(bytes)
    if (findMemo(resident, precompile, key) < 0) inputs.set(bytesToHex(key), bytes)
  }
  if (precompile === MEMO_BLOCK_HASH) return
  const results = await precompiles.runAll(precompile, [...inputs.values()])
  for (const [n, key] of [...inputs.keys()].entries()) {
    const result = results[n]
    if (result !== undefined) enterMemo(resident, precompile, BigInt(key), memoWords(precompile, result))
  }
}

const key = new Uint32Array(LIMBS_PER_WORD)

const findMemo = ({ slots }: ResidentState, precompile: number, hash: Uint8Array): number => {
  wordFromBytes(key, 0, hash, 0)
  return slots.find(MEMO_OWNERS + precompile, key, 0)
}

const enterMemo = (resident: ResidentState, precompile: number, first: bigint, words: readonly bigint[]): void => {
  words.forEach((word, i) => {
    wordFromBigInt(key, 0, BigInt.asUintN(256, first + BigInt(i)))
    enter(resident, MEMO_OWNERS + precompile, word)
  })
}

/** Adds the slot of `key`. */
const enter = ({ slots }: ResidentState, owner: number, word: bigint): void => {
  if (slots.find(owner, key, 0) >= 0) return
  const id = slots.add(owner, key, 0)
  wordFromBigInt(slots.values, id * LIMBS_PER_WORD, word)
}

const enterBlockHash = async (resident: ResidentState, number: Uint32Array): Promise<void> => {
  const hash = await resident.state.blockHash(wordToBigInt(number, 0))
  if (hash === undefined) return
  key.set(number)
  if (resident.slots.find(MEMO_OWNERS + MEMO_BLOCK_HASH, key, 0) >= 0) return
  const id = resident.slots.add(MEMO_OWNERS + MEMO_BLOCK_HASH, key, 0)
  wordFromHex(resident.slots.values, id * LIMBS_PER_WORD, hash)
}

/** The key that slot look-up `k` of a lane was asked for. */
const laneKey = ({ plan, lanesOut, laneCount }: PathGroup, lane: number, k: number): Uint32Array => {
  const words = new Uint32Array(LIMBS_PER_WORD)
  const low = (plan.slots.keyColumns[k]! * laneCount + lane) * COLUMN_LIMBS
  for (let limb = 0; limb < COLUMN_LIMBS; limb++) {
    words[limb] = lanesOut[low + limb]!
    words[COLUMN_LIMBS + limb] = lanesOut[low + laneCount * COLUMN_LIMBS + limb]!
  }
  return words
}
