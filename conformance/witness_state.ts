import { decodeHeader } from '../host/chain/decode_block.ts'
import { type BlockHeader, headerHash } from '../host/chain/header.ts'
import { bytesToHex, hexToBytes } from '../host/primitives/hex.ts'
import { EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, keccak256 } from '../host/primitives/keccak.ts'
import { integerBytes, rlpBytes, rlpDecodeOwn, rlpInteger, rlpList } from '../host/primitives/rlp.ts'
import {
  addressFromHex,
  addressToBytes,
  addressToHex,
  quantityFromBigInt,
  quantityToBigInt,
  wordFromBigInt,
  wordFromBytes,
  wordFromHex,
  wordToBigInt,
  wordToBytes,
  wordToHex,
} from '../host/primitives/word.ts'
import type { AccountColumns, State, StateWrites } from '../host/state/state.ts'
import { MissingNodeError, NodeTrie, nameOf, type TrieChange } from '../host/state/trie/node_trie.ts'
import type { StateTrie } from '../host/state/trie/state_trie.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../transpiler/layout/word.ts'

interface Account {
  readonly nonce: bigint
  readonly balance: bigint
  readonly storageRoot: string
  readonly codeHash: string
}

const NO_ACCOUNT: Account = { nonce: 0n, balance: 0n, storageRoot: EMPTY_TRIE_ROOT, codeHash: EMPTY_CODE_HASH }
const NOTHING = new Uint8Array(0)

/**
 * A state of which a witness has the trie nodes, codes and headers that one block touches, as State and as StateTrie.
 *
 * An execution ahead of its place, on values that do not hold, may read what the block does not: of that the witness
 * has no nodes, and it is absent here. A block that was executed on such a value has not the expected hash.
 */
export class WitnessState implements State, StateTrie {
  readonly #preimages = new Map<string, Uint8Array>()
  readonly #tries = new NodeTrie(this.#preimages)
  readonly #ancestors = new Map<bigint, string>()
  readonly #accounts = new Map<string, Account | undefined>()
  readonly #parentRoot: string
  root: string

  constructor(parent: BlockHeader, preimages: readonly Uint8Array[]) {
    this.#parentRoot = parent.stateRoot
    this.root = parent.stateRoot
    for (const bytes of preimages) this.#preimages.set(nameOf(keccak256(bytes)), bytes)
    this.#ancestors.set(parent.number, headerHash(parent))
    for (let at: BlockHeader | undefined = parent; at !== undefined; ) {
      const encoded = this.#preimages.get(nameOf(hexToBytes(at.parentHash)))
      if (encoded === undefined || at.number === 0n) break
      this.#ancestors.set(at.number - 1n, at.parentHash)
      at = decodeHeader(encoded)
    }
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns {
    const columns = {
      exists: new Uint8Array(count),
      nonce: new Uint32Array(2 * count),
      balance: new Uint32Array(LIMBS_PER_WORD * count),
      codeHash: new Uint32Array(LIMBS_PER_WORD * count),
    }
    for (let i = 0; i < count; i++) {
      const account = this.#parentAccount(addressToHex(addresses, LIMBS_PER_ADDRESS * i))
      const { nonce, balance, codeHash } = account ?? NO_ACCOUNT
      columns.exists[i] = account === undefined ? 0 : 1
      quantityFromBigInt(columns.nonce, 2 * i, nonce)
      wordFromBigInt(columns.balance, LIMBS_PER_WORD * i, balance)
      wordFromHex(columns.codeHash, LIMBS_PER_WORD * i, codeHash)
    }
    return columns
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array {
    const values = new Uint32Array(LIMBS_PER_WORD * count)
    for (let i = 0; i < count; i++) {
      const account = this.#parentAccount(addressToHex(addresses, LIMBS_PER_ADDRESS * i))
      if (account === undefined) continue
      const found = this.#find(account.storageRoot, hashOfWord(keys, LIMBS_PER_WORD * i))
      if (found === undefined) continue
      const value = rlpDecodeOwn(found) as Uint8Array
      const word = new Uint8Array(32)
      word.set(value, 32 - value.length)
      wordFromBytes(values, LIMBS_PER_WORD * i, word, 0)
    }
    return values
  }

  readCode(codeHash: string): Uint8Array {
    if (codeHash === EMPTY_CODE_HASH) return NOTHING
    const code = this.#preimages.get(nameOf(hexToBytes(codeHash)))
    if (code === undefined) throw new Error(`the witness has no code ${codeHash}`)
    return code
  }

  hasStorage(address: string): boolean {
    return (this.#parentAccount(address)?.storageRoot ?? EMPTY_TRIE_ROOT) !== EMPTY_TRIE_ROOT
  }

  blockHash(number: bigint): string | undefined {
    return this.#ancestors.get(number)
  }

  /** The state stays the parent's: a witness is of one block. */
  commit(): void {}

  rewind(root: string): void {
    this.root = root
  }

  storageRoot(address: string): string {
    return this.#accountAt(this.root, address)?.storageRoot ?? EMPTY_TRIE_ROOT
  }

  async apply(writes: StateWrites): Promise<string> {
    const changes: TrieChange[] = []
    const slots = slotChanges(writes)
    const deleted = new Set<string>()
    for (let n = 0; n < writes.deletedAccounts.length; n += LIMBS_PER_ADDRESS) {
      const address = addressToHex(writes.deletedAccounts, n)
      deleted.add(address)
    }
    for (let i = 0; i < writes.accountCount; i++) {
      const address = addressToHex(writes.accountAddresses, LIMBS_PER_ADDRESS * i)
      const { exists, nonce, balance, codeHash } = writes.accounts
      if (exists[i] === 0) {
        deleted.add(address)
        continue
      }
      const before = deleted.has(address) ? undefined : this.#accountAt(this.root, address)
      deleted.delete(address)
      changes.push(
        this.#change(address, slots.get(address), {
          nonce: quantityToBigInt(nonce, 2 * i),
          balance: wordToBigInt(balance, LIMBS_PER_WORD * i),
          codeHash: wordToHex(codeHash, LIMBS_PER_WORD * i),
          storageRoot: before?.storageRoot ?? EMPTY_TRIE_ROOT,
        }),
      )
      slots.delete(address)
    }
    for (const [address, changed] of slots) {
      const account = deleted.has(address) ? undefined : this.#accountAt(this.root, address)
      if (account !== undefined) changes.push(this.#change(address, changed, account))
    }
    for (const address of deleted) changes.push({ key: hashOfAddress(address), value: NOTHING })
    this.root = bytesToHex(this.#tries.update(hexToBytes(this.root), changes))
    for (const [hash, bytes] of writes.code) this.#preimages.set(nameOf(hexToBytes(hash)), bytes)
    return this.root
  }

  #change(address: string, slots: readonly TrieChange[] = [], account: Account): TrieChange {
    const storageRoot = this.#tries.update(hexToBytes(account.storageRoot), slots)
    return {
      key: hashOfAddress(address),
      value: rlpList([
        rlpInteger(account.nonce),
        rlpInteger(account.balance),
        rlpBytes(storageRoot),
        rlpBytes(hexToBytes(account.codeHash)),
      ]),
    }
  }

  #parentAccount(address: string): Account | undefined {
    if (!this.#accounts.has(address)) {
      const found = this.#find(this.#parentRoot, hashOfAddress(address))
      this.#accounts.set(address, found === undefined ? undefined : accountOf(found))
    }
    return this.#accounts.get(address)
  }

  /** The value under a key of the parent's tries; undefined where there is none, or the witness lacks the way to it. */
  #find(root: string, key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#tries.get(hexToBytes(root), key)
    } catch (thrown) {
      if (thrown instanceof MissingNodeError) return undefined
      throw thrown
    }
  }

  #accountAt(root: string, address: string): Account | undefined {
    const found = this.#tries.get(hexToBytes(root), hashOfAddress(address))
    return found === undefined ? undefined : accountOf(found)
  }
}

const accountOf = (encoded: Uint8Array): Account => {
  const [nonce, balance, storageRoot, codeHash] = rlpDecodeOwn(encoded) as Uint8Array[]
  return {
    nonce: integerOf(nonce!),
    balance: integerOf(balance!),
    storageRoot: bytesToHex(storageRoot!),
    codeHash: bytesToHex(codeHash!),
  }
}

const integerOf = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes)))

const hashOfAddress = (address: string): Uint8Array => {
  const limbs = new Uint32Array(LIMBS_PER_ADDRESS)
  addressFromHex(limbs, 0, address)
  const bytes = new Uint8Array(20)
  addressToBytes(bytes, 0, limbs, 0)
  return keccak256(bytes)
}

const hashOfWord = (words: Uint32Array, at: number): Uint8Array => {
  const bytes = new Uint8Array(32)
  wordToBytes(bytes, 0, words, at)
  return keccak256(bytes)
}

/** Changes of slots by the address of their account. */
const slotChanges = ({ slotCount, slotAddresses, slotKeys, slotValues }: StateWrites): Map<string, TrieChange[]> => {
  const byAddress = new Map<string, TrieChange[]>()
  for (let i = 0; i < slotCount; i++) {
    const address = addressToHex(slotAddresses, LIMBS_PER_ADDRESS * i)
    const value = wordToBigInt(slotValues, LIMBS_PER_WORD * i)
    const changes = byAddress.get(address) ?? []
    byAddress.set(address, changes)
    changes.push({
      key: hashOfWord(slotKeys, LIMBS_PER_WORD * i),
      value: value === 0n ? NOTHING : rlpBytes(integerBytes(value)),
    })
  }
  return byAddress
}
