import { addressFromHex, type Chain, type TransactionChanges, wordFromBigInt, wordToBigInt } from '../../host/index.ts'
import type { InclusionTerms, KnownAccount } from './inclusion_terms.ts'

const LIMBS_PER_ADDRESS = 5
const LIMBS_PER_WORD = 8

/** The storage of known accounts after a block, read at once. */
export class KnownStorage {
  readonly #roots: ReadonlyMap<string, string>
  readonly #slots: ReadonlyMap<string, bigint>

  private constructor(roots: ReadonlyMap<string, string>, slots: ReadonlyMap<string, bigint>) {
    this.#roots = roots
    this.#slots = slots
  }

  /** `block`: a hash. Undefined where the state after it is not kept. */
  static async read(
    chain: Pick<Chain, 'stateAt' | 'proof'>,
    block: string,
    terms: readonly InclusionTerms[],
  ): Promise<KnownStorage | undefined> {
    const state = chain.stateAt(block)
    if (state === undefined) return undefined
    const known = terms.flatMap(({ knownAccounts }) => knownAccounts)
    const wanted = known.flatMap(({ address, slots }) => slots.map(({ key }) => ({ address, key })))
    const addresses = new Uint32Array(LIMBS_PER_ADDRESS * wanted.length)
    const keys = new Uint32Array(LIMBS_PER_WORD * wanted.length)
    for (const [i, { address, key }] of wanted.entries()) {
      addressFromHex(addresses, LIMBS_PER_ADDRESS * i, address)
      wordFromBigInt(keys, LIMBS_PER_WORD * i, key)
    }
    const values = await state.readSlots(addresses, keys, wanted.length)
    const slots = new Map(
      wanted.map(({ address, key }, i) => [nameOf(address, key), wordToBigInt(values, LIMBS_PER_WORD * i)]),
    )
    const roots = new Map<string, string>()
    for (const { address, root } of known)
      if (root !== undefined && !roots.has(address)) roots.set(address, (await chain.proof(block, address)).storageHash)
    return new KnownStorage(roots, slots)
  }

  /** Why an account is not as it is to be; undefined where all are. `changes`: what came after that block. */
  fault({ knownAccounts }: InclusionTerms, changes?: StorageChanges): string | undefined {
    for (const account of knownAccounts) {
      const fault = this.#faultOf(account, changes)
      if (fault !== undefined) return `${fault} of ${account.address}`
    }
    return undefined
  }

  #faultOf({ address, root, slots }: KnownAccount, changes: StorageChanges | undefined): string | undefined {
    if (root !== undefined) {
      const isSame = this.#roots.get(address) === root && changes?.isChanged(address) !== true
      return isSame ? undefined : 'storage root mismatch'
    }
    for (const { key, value } of slots) {
      const found = changes?.value(address, key) ?? this.#slots.get(nameOf(address, key))!
      if (found !== value) return `storage value mismatch in slot 0x${key.toString(16)}`
    }
    return undefined
  }
}

const nameOf = (address: string, key: bigint): string => `${address} ${key}`

interface SlotValues {
  readonly before: bigint
  after: bigint
}

/** What the transactions of a block so far have made of the storage of some accounts. */
export class StorageChanges {
  readonly #slots: ReadonlyMap<string, Map<bigint, SlotValues>>
  readonly #cleared = new Set<string>()

  constructor(terms: readonly InclusionTerms[]) {
    this.#slots = new Map(
      terms.flatMap(({ knownAccounts }) => knownAccounts.map(({ address }) => [address, new Map()])),
    )
  }

  /** Takes what the next transaction did. */
  add({ slots, cleared = [] }: TransactionChanges): void {
    for (const address of cleared) {
      if (!this.#slots.has(address)) continue
      this.#cleared.add(address)
      for (const values of this.#slots.get(address)!.values()) values.after = 0n
    }
    for (const { address, key, before, after } of slots) {
      const of = this.#slots.get(address)
      const values = of?.get(key)
      if (values === undefined) of?.set(key, { before, after })
      else values.after = after
    }
  }

  /** Undefined where no transaction has changed it. */
  value(address: string, key: bigint): bigint | undefined {
    return this.#slots.get(address)?.get(key)?.after ?? (this.#cleared.has(address) ? 0n : undefined)
  }

  isChanged(address: string): boolean {
    if (this.#cleared.has(address)) return true
    for (const { before, after } of this.#slots.get(address)?.values() ?? []) if (before !== after) return true
    return false
  }
}
