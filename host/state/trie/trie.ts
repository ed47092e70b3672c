import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { checkHex, checkObject, checkUnsigned } from '../../primitives/input.ts'
import { EMPTY_TRIE_ROOT, keccak256 } from '../../primitives/keccak.ts'
import { integerBytes, rlpBytes, rlpDecodeOwn, rlpHex, rlpInteger, rlpList } from '../../primitives/rlp.ts'
import {
  addressToBytes,
  quantityToBigInt,
  wordIsZero,
  wordToBigInt,
  wordToBytes,
  wordToHex,
} from '../../primitives/word.ts'
import type { DumpedAccount } from '../allocation.ts'
import type { StateWrites } from '../state.ts'
import { NodeTrie, nameOf, type TrieChange } from './node_trie.ts'
import { type NodeSink, sortedTrieRoot } from './sorted_trie.ts'

/**
 * The state as a Merkle Patricia trie (YP 4.1): accounts under the hashes of their addresses, each with the root of a
 * trie of its slots. Roots are 0x-hex.
 *
 * Example: {@link createStateTrie}.
 */
export interface StateTrie {
  readonly root: string
  /** Moves to the state after the writes and returns its root. One call at a time. */
  apply(writes: StateWrites): Promise<string>
  /** Moves to a state that the trie has been at, as when the writes after it were not committed in the end. */
  rewind(root: string): void
}

/** What of an account the state trie does not hold under its address alone. */
type TrieAccount = Pick<DumpedAccount, 'nonce' | 'balance' | 'codeHash'>

/**
 * Root of a whole state, as `MemoryState.dump` gives it, 0x-hex (YP 4.1). Nothing is kept; cost: linear in accounts and
 * slots.
 *
 * @example
 * import { EMPTY_TRIE_ROOT, MemoryState, stateRootOf } from 'wgevm'
 *
 * console.log(stateRootOf(new MemoryState().dump()) === EMPTY_TRIE_ROOT) // true
 */
export const stateRootOf = (accounts: Readonly<Record<string, DumpedAccount>>): string => hexOf(bulkRoot(accounts))

/**
 * An incremental trie that holds these accounts (`MemoryState.dump`). Pass it as `parentState`: it follows the blocks
 * that are executed or built.
 *
 * @example
 * import { createExecutor, createStateTrie, MemoryState, stateRootOf } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const state = MemoryState.from({ [alice]: { balance: 10n ** 18n } })
 * const trie = createStateTrie(state.dump())
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
 * const { writes } = await executor.execute({
 *   env: { number: 1n, timestamp: 1n, coinbase: alice, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n },
 *   transactions: [{ from: alice, to: alice, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n }],
 * })
 * console.log((await trie.apply(writes)) === stateRootOf(state.dump())) // true
 * executor.close()
 */
export const createStateTrie = (accounts: Readonly<Record<string, DumpedAccount>> = {}): StateTrie => {
  const nodes = new Map<string, Uint8Array>()
  const root = bulkRoot(accounts, (hash, node) => nodes.set(nameOf(hash), node))
  return new NodeStateTrie(new NodeTrie(nodes), root)
}

const bulkRoot = (accounts: Readonly<Record<string, DumpedAccount>>, sink?: NodeSink): Uint8Array =>
  hashedRoot(
    Object.entries(checkObject(accounts, 'accounts') as typeof accounts).map(([address, account]) => {
      checkDumped(address, account)
      const slots = Object.entries(account.storage).map(
        ([key, value]): Entry => [bytesOf(key), rlpInteger(BigInt(value))],
      )
      return [bytesOf(address), encodeAccount(account, hashedRoot(slots, sink))]
    }),
    sink,
  )

const checkDumped = (address: string, account: DumpedAccount): void => {
  const { nonce, balance, codeHash, storage } = checkObject(account, address, 'an account of a dump')
  checkHex(address, 20, 'the address of an account')
  checkUnsigned(nonce, 64, `${address}: nonce`)
  checkUnsigned(balance, 256, `${address}: balance`)
  checkHex(codeHash, 32, `${address}: codeHash`)
  checkObject(storage, `${address}: storage`)
}

type Entry = readonly [key: Uint8Array, value: Uint8Array]

/** Root of the trie that has each value under the hash of its key. */
const hashedRoot = (entries: readonly Entry[], sink?: NodeSink): Uint8Array => {
  const hashed = entries.map(([key, value]): Entry => [keccak256(key), value])
  hashed.sort(([a], [b]) => Buffer.compare(a, b))
  return sortedTrieRoot(
    hashed.map(([key]) => key),
    hashed.map(([, value]) => value),
    sink,
  )
}

const encodeAccount = ({ nonce, balance, codeHash }: TrieAccount, storageRoot: Uint8Array): Uint8Array =>
  rlpList([rlpInteger(nonce), rlpInteger(balance), rlpBytes(storageRoot), rlpHex(codeHash)])

/** What one commit does to one account. */
interface AccountWrites {
  readonly address: Uint8Array
  deleted: boolean
  account: TrieAccount | undefined
  readonly slots: Entry[]
}

/** Tries of accounts and slots in one store; `rewind` is only another root. */
class NodeStateTrie implements StateTrie {
  readonly #tries: NodeTrie
  #root: Uint8Array

  constructor(tries: NodeTrie, root: Uint8Array) {
    this.#tries = tries
    this.#root = root
  }

  get root(): string {
    return hexOf(this.#root)
  }

  rewind(root: string): void {
    this.#root = bytesOf(root)
  }

  async apply(writes: StateWrites): Promise<string> {
    const changes: TrieChange[] = []
    for (const { address, deleted, account, slots } of writesByAccount(writes).values()) {
      const key = keccak256(address)
      const known = this.#tries.get(this.#root, key)
      if (account === undefined && (deleted || known === undefined)) {
        if (known !== undefined) changes.push({ key, value: NOTHING })
        continue
      }
      const [nonce, balance, storageRoot, codeHash] = known === undefined ? [] : (rlpDecodeOwn(known) as Uint8Array[])
      // An account that was deleted must not lend its storage to a later one at its address.
      const before = deleted || storageRoot === undefined ? EMPTY_ROOT : storageRoot
      const view = account ?? { nonce: numberOf(nonce!), balance: numberOf(balance!), codeHash: hexOf(codeHash!) }
      const root = slots.length === 0 ? before : this.#tries.update(before, slots.map(changeOfSlot))
      changes.push({ key, value: encodeAccount(view, root) })
    }
    this.#root = this.#tries.update(this.#root, changes)
    return this.root
  }
}

const changeOfSlot = ([key, value]: Entry): TrieChange => ({
  key: keccak256(key),
  value: value.length === 0 ? value : rlpBytes(value),
})

const writesByAccount = (writes: StateWrites): Map<string, AccountWrites> => {
  const byName = new Map<string, AccountWrites>()
  const writesAt = (addresses: Uint32Array, i: number): AccountWrites => {
    const address = new Uint8Array(20)
    addressToBytes(address, 0, addresses, LIMBS_PER_ADDRESS * i)
    const name = Buffer.from(address).toString('latin1')
    let written = byName.get(name)
    if (written === undefined) {
      written = { address, deleted: false, account: undefined, slots: [] }
      byName.set(name, written)
    }
    return written
  }
  const { deletedAccounts, accountAddresses, accounts, slotAddresses, slotKeys, slotValues } = writes
  for (let i = 0; i < deletedAccounts.length / LIMBS_PER_ADDRESS; i++) writesAt(deletedAccounts, i).deleted = true
  for (let i = 0; i < writes.accountCount; i++) {
    const written = writesAt(accountAddresses, i)
    if (accounts.exists[i] === 0) written.deleted = true
    else
      written.account = {
        nonce: quantityToBigInt(accounts.nonce, 2 * i),
        balance: wordToBigInt(accounts.balance, LIMBS_PER_WORD * i),
        codeHash: wordToHex(accounts.codeHash, LIMBS_PER_WORD * i),
      }
  }
  for (let i = 0; i < writes.slotCount; i++) {
    const at = LIMBS_PER_WORD * i
    const key = new Uint8Array(32)
    wordToBytes(key, 0, slotKeys, at)
    const value = wordIsZero(slotValues, at) ? NOTHING : integerBytes(wordToBigInt(slotValues, at))
    writesAt(slotAddresses, i).slots.push([key, value])
  }
  return byName
}

const NOTHING = new Uint8Array(0)

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.slice(2), 'hex'))

const hexOf = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`

const numberOf = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(hexOf(bytes)))

const EMPTY_ROOT = bytesOf(EMPTY_TRIE_ROOT)
