import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { checkHex, checkObject, checkUnsigned } from '../../primitives/input.ts'
import { keccak256 } from '../../primitives/keccak.ts'
import { rlpBytes, rlpHex, rlpInteger, rlpList } from '../../primitives/rlp.ts'
import { addressFromHex, quantityFromBigInt, wordFromBigInt, wordFromHex } from '../../primitives/word.ts'
import type { DumpedAccount } from '../allocation.ts'
import { MemoryState } from '../memory_state.ts'
import type { StateWrites } from '../state.ts'
import { newWrites } from '../writes/new_writes.ts'
import { ArenaTrie } from './arena_trie.ts'
import { sortedTrieRoot } from './sorted_trie.ts'
import type { ResidentTrie, StateTrieOptions } from './state_trie.ts'

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
 * An incremental trie that holds these accounts: those of a MemoryState, which are read in columns, or what its `dump`
 * gave. Pass it as `parentState`: it follows the blocks that are executed or built.
 *
 * @example
 * import { createExecutor, createStateTrie, MemoryState, stateRootOf } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const state = MemoryState.from({ [alice]: { balance: 10n ** 18n } })
 * const trie = createStateTrie(state)
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
 * const { writes } = await executor.execute({
 *   env: { number: 1n, timestamp: 1n, coinbase: alice, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n },
 *   transactions: [{ from: alice, to: alice, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n }],
 * })
 * console.log((await trie.apply(writes)) === stateRootOf(state.dump())) // true
 * executor.close()
 */
export const createStateTrie = (
  accounts: MemoryState | Readonly<Record<string, DumpedAccount>> = {},
  options: StateTrieOptions = {},
): ResidentTrie => {
  const trie = new ArenaTrie(options)
  trie.build(accounts instanceof MemoryState ? accounts.contents() : writesOfDump(accounts))
  return trie
}

const bulkRoot = (accounts: Readonly<Record<string, DumpedAccount>>): Uint8Array =>
  hashedRoot(
    Object.entries(checkObject(accounts, 'accounts') as typeof accounts).map(([address, account]) => {
      checkDumped(address, account)
      return [bytesOf(address), encodeAccount(account, storageRoot(account.storage))]
    }),
  )

/** Root of the storage of an account of a dump, 0x-hex. */
export const storageRootOf = (storage: DumpedAccount['storage']): string => hexOf(storageRoot(storage))

const storageRoot = (storage: DumpedAccount['storage']): Uint8Array =>
  hashedRoot(Object.entries(storage).map(([key, value]): Entry => [bytesOf(key), rlpInteger(BigInt(value))]))

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
const hashedRoot = (entries: readonly Entry[]): Uint8Array => {
  const hashed = entries.map(([key, value]): Entry => [keccak256(key), value])
  hashed.sort(([a], [b]) => Buffer.compare(a, b))
  return sortedTrieRoot(
    hashed.map(([key]) => key),
    hashed.map(([, value]) => value),
  )
}

const encodeAccount = ({ nonce, balance, codeHash }: TrieAccount, storage: Uint8Array): Uint8Array =>
  rlpList([rlpInteger(nonce), rlpInteger(balance), rlpBytes(storage), rlpHex(codeHash)])

/** Writes that make this state where there is none. */
export const writesOfDump = (accounts: Readonly<Record<string, DumpedAccount>>): StateWrites => {
  const entries = Object.entries(checkObject(accounts, 'accounts') as typeof accounts)
  for (const [address, account] of entries) checkDumped(address, account)
  const slots = entries.flatMap(([address, { storage }]) =>
    Object.entries(storage).map(([key, value]) => ({ address, key, value })),
  )
  const writes = newWrites(entries.length, slots.length)
  for (const [i, [address, { nonce, balance, codeHash }]] of entries.entries()) {
    addressFromHex(writes.accountAddresses, LIMBS_PER_ADDRESS * i, address)
    quantityFromBigInt(writes.accounts.nonce, 2 * i, nonce)
    wordFromBigInt(writes.accounts.balance, LIMBS_PER_WORD * i, balance)
    wordFromHex(writes.accounts.codeHash, LIMBS_PER_WORD * i, codeHash)
  }
  for (const [i, { address, key, value }] of slots.entries()) {
    addressFromHex(writes.slotAddresses, LIMBS_PER_ADDRESS * i, address)
    wordFromHex(writes.slotKeys, LIMBS_PER_WORD * i, key)
    wordFromHex(writes.slotValues, LIMBS_PER_WORD * i, value)
  }
  return writes
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.slice(2), 'hex'))

const hexOf = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`
