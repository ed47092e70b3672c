import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { NO_SIGNATURE, type Signatures } from '../chain/signatures.ts'
import { checkCount, checkNames, checkObject, refuse } from '../primitives/input.ts'
import type { RecoveredSenders } from './sender_recovery.ts'

const DEFAULT_ENTRIES = 65_536
const MOST_ENTRIES = 2 ** 24
/** Places where an entry may be: the oldest of them makes room. */
const WAYS = 4

/**
 * Senders that were recovered before: a transaction of the pool comes again in a block, and one that found no place in
 * a block with the next. An executor has one of its own; several may share one.
 *
 * An entry is found by all that a sender follows from, the signing hash, r, s and the parity, compared whole: it is the
 * transaction's identity without another hash. `entries` is how many it remembers, rounded up to a power of two
 * (default 65,536, at most 2^24), at 118 bytes each: taken with the first one, and then never more.
 *
 * @example
 * import { createExecutor, MemoryState, SenderCache } from 'wgevm'
 *
 * const senderCache = new SenderCache({ entries: 1024 })
 * const state = new MemoryState()
 * const producer = createExecutor({ fork: 'osaka', chainId: 1n, state, senderCache })
 * const validator = createExecutor({ fork: 'osaka', chainId: 1n, state: state.clone(), senderCache })
 * console.log(senderCache.hits) // 0
 * producer.close()
 * validator.close()
 */
export class SenderCache {
  /** Senders that were asked for and known. */
  hits = 0
  readonly #sets: number
  #columns: CacheColumns | undefined

  constructor(options: { readonly entries?: number } = {}) {
    checkNames(checkObject(options, 'options'), { entries: true }, 'option')
    const { entries = DEFAULT_ENTRIES } = options
    if (checkCount(entries, 1, 'entries') > MOST_ENTRIES) refuse('entries', entries, `at most ${MOST_ENTRIES}`)
    this.#sets = Math.ceil(2 ** Math.ceil(Math.log2(entries)) / WAYS)
  }

  /** Enters the senders that are known, and gives the rows that are not. @internal */
  find(signatures: Signatures, senders: RecoveredSenders): Uint32Array {
    const { parity } = signatures
    const missing = new Uint32Array(parity.length)
    let count = 0
    for (let i = 0; i < parity.length; i++) {
      if (parity[i] === NO_SIGNATURE) continue
      const at = this.#at(signatures, i)
      if (at < 0) {
        missing[count++] = i
        continue
      }
      this.hits++
      const { addresses, state } = this.#columns!
      senders.found[i] = state[at] === FOUND ? 1 : 0
      for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++)
        senders.addresses[LIMBS_PER_ADDRESS * i + limb] = addresses[LIMBS_PER_ADDRESS * at + limb]!
    }
    return missing.subarray(0, count)
  }

  /** Remembers all rows, those without a public key as well. @internal */
  enter(signatures: Signatures, { addresses, found }: RecoveredSenders): void {
    const { hash, rs, parity } = signatures
    this.#columns ??= emptyColumns(this.#sets)
    const columns = this.#columns
    for (let i = 0; i < parity.length; i++) {
      if (parity[i] === NO_SIGNATURE || this.#at(signatures, i) >= 0) continue
      const set = setOf(rs, i, this.#sets)
      const at = WAYS * set + columns.oldest[set]!
      columns.oldest[set] = (columns.oldest[set]! + 1) % WAYS
      columns.hash.set(hash.subarray(32 * i, 32 * (i + 1)), 32 * at)
      columns.rs.set(rs.subarray(64 * i, 64 * (i + 1)), 64 * at)
      columns.parity[at] = parity[i]!
      columns.state[at] = found[i] === 1 ? FOUND : ABSENT
      columns.addresses.set(
        addresses.subarray(LIMBS_PER_ADDRESS * i, LIMBS_PER_ADDRESS * (i + 1)),
        LIMBS_PER_ADDRESS * at,
      )
    }
  }

  /** Where the entry of row i is; -1: nowhere. */
  #at({ hash, rs, parity }: Signatures, i: number): number {
    const columns = this.#columns
    if (columns === undefined) return -1
    const first = WAYS * setOf(rs, i, this.#sets)
    for (let at = first; at < first + WAYS; at++) {
      if (columns.state[at] === EMPTY || columns.parity[at] !== parity[i]) continue
      if (isSame(columns.rs, rs, at, i, 64) && isSame(columns.hash, hash, at, i, 32)) return at
    }
    return -1
  }
}

const EMPTY = 0
const ABSENT = 1
const FOUND = 2

/** Entry e is in set floor(e / WAYS); `oldest` is by set. */
interface CacheColumns extends Signatures {
  readonly state: Uint8Array
  readonly addresses: Uint32Array
  readonly oldest: Uint8Array
}

const emptyColumns = (sets: number): CacheColumns => {
  const entries = WAYS * sets
  return {
    hash: new Uint8Array(32 * entries),
    rs: new Uint8Array(64 * entries),
    parity: new Uint8Array(entries),
    state: new Uint8Array(entries),
    addresses: new Uint32Array(LIMBS_PER_ADDRESS * entries),
    oldest: new Uint8Array(sets),
  }
}

/** By the low bits of s: a signer who chooses them only drives entries of one set out. */
const setOf = (rs: Uint8Array, i: number, sets: number): number => {
  const end = 64 * (i + 1)
  const low = rs[end - 1]! | (rs[end - 2]! << 8) | (rs[end - 3]! << 16)
  return low & (sets - 1)
}

const isSame = (a: Uint8Array, b: Uint8Array, at: number, i: number, size: number): boolean => {
  for (let n = 0; n < size; n++) if (a[size * at + n] !== b[size * i + n]) return false
  return true
}
