import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { isDelegation } from '../../../transpiler/spec/delegation.ts'
import { EMPTY_CODE_HASH } from '../../primitives/keccak.ts'
import { grown } from '../../primitives/shared_words.ts'
import { wordFromBigInt, wordFromHex, wordFromNumber, wordToHex } from '../../primitives/word.ts'

export interface CodeShape {
  /** Equal for codes that differ only in lifted immediates. */
  readonly key: string
  /** The lifted immediates in code order. */
  readonly constants: readonly bigint[]
}

export interface Code {
  readonly hash: string
  readonly bytes: Uint8Array
  readonly skeletonKey: string
  /** Id of the skeleton in this table, at least 1; what the device compares. */
  readonly skeleton: number
  /** Position of the instance's words in `constants`, in words. */
  readonly constantsBase: number
  readonly constants: readonly bigint[]
  /** A delegation designator, from Prague on (EIP-7702). */
  readonly delegation: boolean
}

/** The ids of a code table that has taken the place of another. */
export interface CodeMove {
  readonly from: CodeTable
  readonly to: CodeTable
  /** New code id by old one; -1: the new table has not got that code. */
  readonly ids: Int32Array
}

/**
 * Codes by dense id; id 0 is the empty code. Skeletons get ids of their own as they are met.
 *
 * constants   u32[8 constantCount]   for each code id from `constantsBase` on: code hash, code size, then the lifted
 *                                    immediates
 */
export class CodeTable {
  readonly codes: Code[] = []
  constants: Uint32Array
  constantCount = 0
  readonly #shapeOf: (code: Uint8Array) => CodeShape
  readonly #idByHash = new Map<string, number>()
  readonly #skeletonByKey = new Map<string, number>()
  readonly #skeletonKeys: string[] = ['']
  readonly #emptyHash = new Uint32Array(LIMBS_PER_WORD)
  #codeBytes = 0

  constructor(shapeOf: (code: Uint8Array) => CodeShape) {
    this.#shapeOf = shapeOf
    this.constants = new Uint32Array(64 * LIMBS_PER_WORD)
    wordFromHex(this.#emptyHash, 0, EMPTY_CODE_HASH)
    this.#append(EMPTY_CODE_HASH, new Uint8Array(0), '', 0, [])
  }

  /** Whether the word at `hashes[at..]` is the hash of no code, or zero (an absent account). */
  isEmptyHash(hashes: Uint32Array, at: number): boolean {
    const empty = this.#emptyHash
    const low = hashes[at]!
    if (low === 0) {
      for (let limb = 1; limb < LIMBS_PER_WORD; limb++) if (hashes[at + limb] !== 0) return false
      return true
    }
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++) if (hashes[at + limb] !== empty[limb]) return false
    return true
  }

  /** Id of the code with this hash, or -1 where its bytes were not added yet. */
  find(hashes: Uint32Array, at: number): number {
    if (this.isEmptyHash(hashes, at)) return 0
    return this.#idByHash.get(wordToHex(hashes, at)) ?? -1
  }

  findHash(hash: string): number {
    return this.#idByHash.get(hash) ?? -1
  }

  add(hash: string, bytes: Uint8Array): number {
    const known = this.#idByHash.get(hash)
    if (known !== undefined) return known
    const shape = this.#shapeOf(bytes)
    return this.#append(hash, bytes, shape.key, this.skeletonId(shape.key), shape.constants)
  }

  /** Id of a skeleton key; a key not met before gets the next id. */
  skeletonId(key: string): number {
    const known = this.#skeletonByKey.get(key)
    if (known !== undefined) return known
    const id = this.#skeletonKeys.length
    this.#skeletonKeys.push(key)
    this.#skeletonByKey.set(key, id)
    return id
  }

  get skeletonCount(): number {
    return this.#skeletonKeys.length
  }

  /** The key of a skeleton id. */
  skeletonKey(id: number): string {
    return this.#skeletonKeys[id]!
  }

  /** Bytes of the codes with their constants, and about what the entries of maps and lists take. */
  get sizeBytes(): number {
    return this.constants.byteLength + this.#codeBytes + SKELETON_BYTES * this.skeletonCount
  }

  /** The most that code `id` adds to `sizeBytes`. */
  sizeOf(id: number): number {
    const { bytes, constants } = this.codes[id]!
    return bytes.length + ENTRY_BYTES + SKELETON_BYTES + (2 + constants.length) * CONSTANT_BYTES
  }

  /** Another table with those of these codes for which `keeps` holds, in their order, and no skeleton but theirs. */
  kept(keeps: (id: number) => boolean): CodeMove {
    const to = new CodeTable(this.#shapeOf)
    const ids = new Int32Array(this.codes.length).fill(-1)
    ids[0] = 0
    for (let id = 1; id < ids.length; id++) {
      if (!keeps(id)) continue
      const { hash, bytes, skeletonKey, constants } = this.codes[id]!
      ids[id] = to.#append(hash, bytes, skeletonKey, to.skeletonId(skeletonKey), constants)
    }
    return { from: this, to, ids }
  }

  #append(
    hash: string,
    bytes: Uint8Array,
    skeletonKey: string,
    skeleton: number,
    constants: readonly bigint[],
  ): number {
    const id = this.codes.length
    const constantsBase = this.constantCount
    const end = constantsBase + 2 + constants.length
    if (end * LIMBS_PER_WORD > this.constants.length) {
      let length = this.constants.length
      while (length < end * LIMBS_PER_WORD) length *= 2
      this.constants = grown(this.constants, length)
    }
    wordFromHex(this.constants, constantsBase * LIMBS_PER_WORD, hash)
    wordFromNumber(this.constants, (constantsBase + 1) * LIMBS_PER_WORD, bytes.length)
    for (let i = 0; i < constants.length; i++)
      wordFromBigInt(this.constants, (constantsBase + 2 + i) * LIMBS_PER_WORD, constants[i]!)
    this.constantCount = end
    const delegation = isDelegation(bytes)
    this.codes.push({ hash, bytes, skeletonKey, skeleton, constantsBase, constants, delegation })
    this.#idByHash.set(hash, id)
    this.#codeBytes += bytes.length + ENTRY_BYTES + constants.length * LIMB_BYTES * LIMBS_PER_WORD
    return id
  }
}

const LIMB_BYTES = 4
/** Of an entry in the list of codes and in the map of hashes; of a skeleton in its list and map. */
const ENTRY_BYTES = 512
const SKELETON_BYTES = 256
/** A constant is a word that may stand in twice as many, and a bigint. */
const CONSTANT_BYTES = 3 * LIMB_BYTES * LIMBS_PER_WORD
