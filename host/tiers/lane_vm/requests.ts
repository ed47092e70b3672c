import { VM_EXITS, VM_MEMO_BLOCK_HASH, VM_MEMO_OWNERS } from '../../../transpiler/layout/lane_vm.ts'
import type { PrecompileResult } from '../../../transpiler/layout/memo.ts'
import { ACCOUNT_CODE_SHIFT } from '../../../transpiler/layout/tables.ts'
import { BYTES_PER_WORD, LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import { wordAdd, wordFromBytes, wordFromHex, wordFromNumber, wordToBigInt, wordToHex } from '../../primitives/word.ts'
import { ROW_FLAGS, ROW_LIMBS } from '../../state/tables/account_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { VmCodes } from './code_store.ts'

/** What lanes ask for, by lane of `lanes`: the other columns are read where they stand. */
export interface VmAsked {
  readonly lanes: Uint32Array
  readonly count: number
  exit(lane: number): number
  /** LANE_REQUEST.y */
  subject(lane: number): number
  /** Copies the request word to to[at ..]. */
  word(lane: number, to: Uint32Array, at: number): void
  /** Input bytes of the precompiles that these lanes ask for, in order. */
  inputs(lanes: readonly number[]): Promise<readonly Uint8Array[]>
}

export interface VmServer {
  readonly resident: ResidentState
  readonly precompiles: Precompiles
  readonly codes: VmCodes
}

/** A lane that the host cannot help. */
export type Leave = (lane: number, reason: string) => void

/**
 * Answers the requests of lanes in bulk: puts what they miss in the resident tables or in the code store. Lanes that
 * ask for what cannot be had leave. Rejects where the State does: then the tables are not to be used any more.
 */
export const serveRequests = async (server: VmServer, asked: VmAsked, leave: Leave): Promise<void> => {
  const byExit = new Map<number, number[]>()
  for (let n = 0; n < asked.count; n++) {
    const lane = asked.lanes[n]!
    const exit = asked.exit(lane)
    const known = byExit.get(exit)
    if (known === undefined) byExit.set(exit, [lane])
    else known.push(lane)
  }
  const lanesOf = (exit: number): readonly number[] => byExit.get(exit) ?? []
  await loadAccounts(server, asked, lanesOf(VM_EXITS.missAccount))
  await loadSlots(server, asked, lanesOf(VM_EXITS.missSlot))
  placeCodes(server, asked, lanesOf(VM_EXITS.missCode), (codeId) => server.codes.require(codeId), leave)
  placeCodes(server, asked, lanesOf(VM_EXITS.missBytes), (codeId) => server.codes.requireBytes(codeId), leave)
  await enterBlockHashes(server, asked, lanesOf(VM_EXITS.missBlockHash), leave)
  await enterOutcomes(server, asked, lanesOf(VM_EXITS.missPrecompile), leave)
}

const word = new Uint32Array(LIMBS_PER_WORD)

const loadAccounts = async ({ resident }: VmServer, asked: VmAsked, lanes: readonly number[]): Promise<void> => {
  if (lanes.length === 0) return
  const addresses = new Uint32Array(LIMBS_PER_ADDRESS * lanes.length)
  lanes.forEach((lane, n) => {
    asked.word(lane, word, 0)
    addresses.set(word.subarray(0, LIMBS_PER_ADDRESS), LIMBS_PER_ADDRESS * n)
  })
  await resident.accountIds(addresses, lanes.length, new Int32Array(lanes.length))
}

const loadSlots = async ({ resident }: VmServer, asked: VmAsked, lanes: readonly number[]): Promise<void> => {
  if (lanes.length === 0) return
  const keys = new Uint32Array(LIMBS_PER_WORD * lanes.length)
  const owners = new Int32Array(lanes.length)
  lanes.forEach((lane, n) => {
    owners[n] = asked.subject(lane)
    asked.word(lane, keys, LIMBS_PER_WORD * n)
  })
  await resident.slotIds(owners, keys, lanes.length, new Int32Array(lanes.length))
}

const placeCodes = (
  { resident }: VmServer,
  asked: VmAsked,
  lanes: readonly number[],
  place: (codeId: number) => boolean,
  leave: Leave,
): void => {
  for (const lane of lanes) {
    const codeId = resident.accounts.rows[asked.subject(lane) * ROW_LIMBS + ROW_FLAGS]! >>> ACCOUNT_CODE_SHIFT
    if (!place(codeId)) leave(lane, 'code store is full')
  }
}

const enterBlockHashes = async (
  { resident }: VmServer,
  asked: VmAsked,
  lanes: readonly number[],
  leave: Leave,
): Promise<void> => {
  const owner = VM_MEMO_OWNERS + VM_MEMO_BLOCK_HASH
  const key = new Uint32Array(LIMBS_PER_WORD)
  for (const lane of lanes) {
    asked.word(lane, key, 0)
    if (resident.slots.find(owner, key, 0) >= 0) continue
    const hash = await resident.state.blockHash(wordToBigInt(key, 0))
    if (hash === undefined) {
      leave(lane, 'unknown block hash')
      continue
    }
    const id = resident.slots.add(owner, key, 0)
    wordFromHex(resident.slots.values, id * LIMBS_PER_WORD, hash)
  }
}

/** Lanes with the same input share one run. */
const enterOutcomes = async (
  { resident, precompiles }: VmServer,
  asked: VmAsked,
  lanes: readonly number[],
  leave: Leave,
): Promise<void> => {
  const groups = new Map<string, number[]>()
  for (const lane of lanes) {
    const precompile = asked.subject(lane)
    asked.word(lane, word, 0)
    if (resident.slots.find(VM_MEMO_OWNERS + precompile, word, 0) >= 0) continue
    const name = `${precompile} ${wordToHex(word, 0)}`
    const known = groups.get(name)
    if (known === undefined) groups.set(name, [lane])
    else known.push(lane)
  }
  if (groups.size === 0) return
  const alike = [...groups.values()]
  const inputs = await asked.inputs(alike.map(([first]) => first!))
  const results = await outcomesOf(
    precompiles,
    alike.map(([first]) => asked.subject(first!)),
    inputs,
  )
  for (const [n, same] of alike.entries()) {
    const first = same[0]!
    const precompile = asked.subject(first)
    const result = results[n]
    if (result === undefined) {
      for (const lane of same) leave(lane, 'costly precompile')
      continue
    }
    const key = new Uint32Array(LIMBS_PER_WORD)
    asked.word(first, key, 0)
    enterOutcome(resident, precompile, key, result)
  }
}

/** One bulk run for each precompile; results in the order of the inputs. */
const outcomesOf = async (
  precompiles: Precompiles,
  addresses: readonly number[],
  inputs: readonly Uint8Array[],
): Promise<(PrecompileResult | undefined)[]> => {
  const results = new Array<PrecompileResult | undefined>(inputs.length).fill(undefined)
  for (const address of new Set(addresses)) {
    const positions = [...addresses.keys()].filter((n) => addresses[n] === address)
    const found = await precompiles.runAll(
      address,
      positions.map((n) => inputs[n]!),
    )
    for (const [at, n] of positions.entries()) results[n] = found[at]
  }
  return results
}

/** The words of a memo of the lane VM, from `key` on (transpiler/layout/lane_vm.ts). */
const enterOutcome = (
  { slots }: ResidentState,
  precompile: number,
  key: Uint32Array,
  { success, output, gas }: PrecompileResult,
): void => {
  const one = new Uint32Array(LIMBS_PER_WORD)
  wordFromNumber(one, 0, 1)
  const words = 1 + (success ? Math.ceil(output.length / BYTES_PER_WORD) : 0)
  const padded = new Uint8Array(words * BYTES_PER_WORD)
  if (success) padded.set(output, BYTES_PER_WORD)
  for (let i = 0; i < words; i++) {
    const id = slots.add(VM_MEMO_OWNERS + precompile, key, 0)
    const at = id * LIMBS_PER_WORD
    if (i > 0) wordFromBytes(slots.values, at, padded, i * BYTES_PER_WORD)
    else if (success) {
      slots.values[at] = 1 + output.length
      slots.values[at + 1] = gas
    }
    wordAdd(key, 0, key, 0, one, 0)
  }
}
