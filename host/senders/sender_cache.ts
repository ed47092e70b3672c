import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { NO_SIGNATURE } from '../chain/signatures.ts'
import { checkCount, checkNames, checkObject, refuse } from '../primitives/input.ts'
import type { IdentifiedSignatures } from './rows.ts'
import type { RecoveredSenders } from './sender_recovery.ts'

const DEFAULT_ENTRIES = 65_536
const MOST_ENTRIES = 2 ** 24
/** Places where an entry may be: the oldest of them makes room. */
const WAYS = 4

/**
 * Senders that were recovered before: a transaction of the pool comes again in a block, and one that found no place in
 * a block with the next. An executor has one of its own; several may share one.
 *
 * An entry is found by a hash of all that a sender follows from, compared whole: that of the transaction, or of signing
 * hash and signature. `entries` is how many it remembers, rounded up to a power of two (default 65,536, at most 2^24),
 * at 64 bytes each: taken with the first one, and then never more.
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
  #entries: Entries | undefined

  constructor(options: { readonly entries?: number } = {}) {
    checkNames(checkObject(options, 'options'), { entries: true }, 'option')
    const { entries = DEFAULT_ENTRIES } = options
    if (checkCount(entries, 1, 'entries') > MOST_ENTRIES) refuse('entries', entries, `at most ${MOST_ENTRIES}`)
    this.#sets = Math.ceil(2 ** Math.ceil(Math.log2(entries)) / WAYS)
  }

  /** Enters the senders that are known, and gives the rows that are not. @internal */
  find({ parity, identity }: IdentifiedSignatures, { addresses, found }: RecoveredSenders): Uint32Array {
    const missing = new Uint32Array(parity.length)
    const names = wordsOf(identity)
    let count = 0
    for (let i = 0; i < parity.length; i++) {
      if (parity[i] === NO_SIGNATURE) continue
      const at = this.#at(names, i)
      if (at < 0) {
        missing[count++] = i
        continue
      }
      this.hits++
      const { words } = this.#entries!
      found[i] = words[at + STATE] === FOUND ? 1 : 0
      for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++)
        addresses[LIMBS_PER_ADDRESS * i + limb] = words[at + ADDRESS + limb]!
    }
    return missing.subarray(0, count)
  }

  /** Remembers all rows, those without a public key as well. @internal */
  enter({ parity, identity }: IdentifiedSignatures, { addresses, found }: RecoveredSenders): void {
    const names = wordsOf(identity)
    this.#entries ??= emptyEntries(this.#sets)
    const { words, oldest } = this.#entries
    for (let i = 0; i < parity.length; i++) {
      if (parity[i] === NO_SIGNATURE || this.#at(names, i) >= 0) continue
      const set = names[NAME_WORDS * i]! & (this.#sets - 1)
      const at = ENTRY_WORDS * (WAYS * set + oldest[set]!)
      oldest[set] = (oldest[set]! + 1) % WAYS
      for (let n = 0; n < NAME_WORDS; n++) words[at + n] = names[NAME_WORDS * i + n]!
      for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++)
        words[at + ADDRESS + limb] = addresses[LIMBS_PER_ADDRESS * i + limb]!
      words[at + STATE] = found[i] === 1 ? FOUND : ABSENT
    }
  }

  /** Where the entry of row i begins; -1: there is none. */
  #at(names: Uint32Array, i: number): number {
    if (this.#entries === undefined) return -1
    const { words } = this.#entries
    const name = NAME_WORDS * i
    const set = names[name]! & (this.#sets - 1)
    const first = ENTRY_WORDS * WAYS * set
    for (let at = first; at < first + ENTRY_WORDS * WAYS; at += ENTRY_WORDS)
      if (words[at] === names[name] && words[at + STATE] !== EMPTY && isSame(words, at, names, name)) return at
    return -1
  }
}

/** Words of an entry: its name, an address, and whether there is one; as many as a line of a cache has. */
const NAME_WORDS = 8
const ADDRESS = 8
const STATE = 13
const ENTRY_WORDS = 16

const EMPTY = 0
const ABSENT = 1
const FOUND = 2

/** The entries of a set stand side by side, `oldest` is by set. Sets are told apart by words of hashes. */
interface Entries {
  readonly words: Uint32Array
  readonly oldest: Uint8Array
}

const emptyEntries = (sets: number): Entries => ({
  words: new Uint32Array(ENTRY_WORDS * WAYS * sets),
  oldest: new Uint8Array(sets),
})

const wordsOf = (bytes: Uint8Array): Uint32Array =>
  bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Uint32Array(bytes.slice().buffer)

const isSame = (words: Uint32Array, at: number, names: Uint32Array, name: number): boolean => {
  for (let n = 1; n < NAME_WORDS; n++) if (words[at + n] !== names[name + n]) return false
  return true
}
