import { ACCOUNT_ROW_VECTORS } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { type ByteString, EXIT_NONE, type OutputWord, type PathKernel } from '../../../transpiler/path_kernel.ts'
import type { Log } from '../../chain/log.ts'
import { bytesToHex } from '../../primitives/hex.ts'
import { addressToHex, wordCopy, wordFromBigInt, wordToBytes, wordToHex } from '../../primitives/word.ts'
import type { BloomItem } from '../../session/device_blooms.ts'

/** The arrays that a lane's account ids point into (transpiler/layout/tables.ts); read at the time of access. */
export interface LaneTables {
  readonly accountRows: Uint32Array
  readonly constants: Uint32Array
}

/**
 * One dispatch of a path. The arrays are kept until the receipts go: the dispatcher must not write to them again.
 *
 * lanesIn, lanesOut   transpiler/path_kernel.ts
 */
export interface DecodedLanes {
  readonly kernel: PathKernel
  readonly laneCount: number
  readonly lanesIn: Uint32Array
  readonly lanesOut: Uint32Array
  readonly tables: LaneTables
  /** Where the constants of accounts began when the lanes ran, by account id; else where they begin now. */
  readonly bases?: ReadonlyMap<number, number> | undefined
}

/** The items whose bloom indices the device can compute for a path: each topic column once, in order of first use. */
export const bloomItems = (kernel: PathKernel): readonly BloomItem[] => {
  const items: BloomItem[] = []
  for (const log of kernel.logs) {
    for (const topic of log.topics) {
      if (topic.kind !== 'input' && topic.kind !== 'lane') continue
      if (itemIndex(items, topic) < 0) items.push({ source: topic.kind, column: topic.column })
    }
  }
  return items
}

const itemIndex = (items: readonly BloomItem[], word: { kind: 'input' | 'lane'; column: number }): number =>
  items.findIndex((item) => item.source === word.kind && item.column === word.column)

const ROW_LIMBS = 4 * ACCOUNT_ROW_VECTORS
const NO_BYTES = new Uint8Array(0)
const ROW_CONSTANTS_BASE = 6

/** Column of the lane inputs that holds the entry account's id. */
export const entryColumnOf = ({ inputs }: PathKernel): number =>
  inputs.find((input) => input.kind === 'gas')?.column ?? -1

/**
 * Ids of the entry account (-1) or of an account look-up, as the lanes used it: that of lane l is at limb `from` + 4 l
 * of `limbs`.
 */
export const accountIds = (
  { kernel, lanesIn, lanesOut, laneCount }: Omit<DecodedLanes, 'tables'>,
  entryColumn: number,
  account: number,
): { readonly limbs: Uint32Array; readonly from: number } => {
  if (account < 0) return { limbs: lanesIn, from: 4 * entryColumn * laneCount + 1 }
  const { column, component } = kernel.lookups[account]!
  return { limbs: lanesOut, from: 4 * column * laneCount + component }
}

/** The accounts whose constants are in the logs or the output of a path: look-ups, -1 for the entry account. */
export const constantAccounts = ({ logs, output }: PathKernel): readonly number[] => {
  const words = [...logs.flatMap(({ topics, data }) => [...topics, ...data.words]), ...output.words]
  return [...new Set(words.flatMap((word) => (word.kind === 'instance' ? [word.account] : [])))]
}

/**
 * Where the constants of these accounts begin, by account id, for lanes of [first, end) that ended: for receipts that
 * are read when an account has other code (EIP-7702). They are added to `bases`.
 */
export const constantsBases = (
  lanes: Omit<DecodedLanes, 'tables'>,
  accounts: readonly number[],
  accountRows: Uint32Array,
  first = 0,
  end = lanes.laneCount,
  bases = new Map<number, number>(),
): Map<number, number> => {
  const { kernel, lanesOut } = lanes
  const entryColumn = entryColumnOf(kernel)
  for (const account of accounts) {
    const { limbs, from } = accountIds(lanes, entryColumn, account)
    let last = -1
    for (let lane = first; lane < end; lane++) {
      const id = limbs[from + 4 * lane]!
      if (id === last || lanesOut[4 * lane] !== EXIT_NONE) continue
      bases.set(id, accountRows[ROW_LIMBS * id + ROW_CONSTANTS_BASE]!)
      last = id
    }
  }
  return bases
}

/** Where the constants of an account begin, in words, for a lane that ended. */
export const constantsBase = ({ bases, tables }: DecodedLanes, id: number): number =>
  bases?.get(id) ?? tables.accountRows[ROW_LIMBS * id + ROW_CONSTANTS_BASE]!

/** Decodes lanes of one dispatch, each alone, to objects. @internal */
export class PathDecoder {
  readonly #group: DecodedLanes
  readonly #entryColumn: number
  readonly #scratch = new Uint32Array(LIMBS_PER_WORD)

  constructor(group: DecodedLanes) {
    this.#group = group
    this.#entryColumn = entryColumnOf(group.kernel)
  }

  logs(lane: number, to: Uint32Array, i: number): Log[] {
    return this.#group.kernel.logs.map((log) => ({
      address: this.#emitter(log.emitter, lane, to, i),
      topics: log.topics.map((topic) => {
        this.#word(topic, lane)
        return wordToHex(this.#scratch, 0)
      }),
      data: bytesToHex(this.bytes(log.data, lane)),
    }))
  }

  output(lane: number): Uint8Array {
    return this.bytes(this.#group.kernel.output, lane)
  }

  #emitter(account: number, lane: number, to: Uint32Array, i: number): string {
    if (account < 0) return addressToHex(to, LIMBS_PER_ADDRESS * i)
    return addressToHex(this.#group.tables.accountRows, ROW_LIMBS * this.#accountId(account, lane))
  }

  /** Id of the entry account (-1) or of an account look-up, as the lane used it. */
  #accountId(account: number, lane: number): number {
    const { limbs, from } = accountIds(this.#group, this.#entryColumn, account)
    return limbs[from + 4 * lane]!
  }

  /** Puts the word into the scratch word. */
  #word(word: OutputWord, lane: number): void {
    const { tables, lanesIn, lanesOut, laneCount } = this.#group
    const dst = this.#scratch
    if (word.kind === 'constant') {
      wordFromBigInt(dst, 0, word.value)
    } else if (word.kind === 'instance') {
      const id = this.#accountId(word.account, lane)
      wordCopy(dst, 0, tables.constants, LIMBS_PER_WORD * (constantsBase(this.#group, id) + word.index))
    } else {
      const lanes = word.kind === 'input' ? lanesIn : lanesOut
      for (let half = 0; half < 2; half++) {
        const from = 4 * ((word.column + half) * laneCount + lane)
        for (let limb = 0; limb < 4; limb++) dst[4 * half + limb] = lanes[from + limb]!
      }
    }
  }

  bytes(string: ByteString, lane: number): Uint8Array {
    if (string.bytes === 0) return NO_BYTES
    const whole = new Uint8Array(32 * string.words.length)
    for (let w = 0; w < string.words.length; w++) {
      this.#word(string.words[w]!, lane)
      wordToBytes(whole, 32 * w, this.#scratch, 0)
    }
    return whole.subarray(0, string.bytes)
  }
}
