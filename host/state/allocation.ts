import {
  checkBytes,
  checkHex,
  checkNames,
  checkObject,
  checkUnsigned,
  checkWord,
  type Names,
  refuse,
} from '../primitives/input.ts'
import { EMPTY_CODE_HASH, keccak256Hex } from '../primitives/keccak.ts'

/**
 * One account of a genesis allocation: balance in wei; keys and values of storage are words in hex, or bigint.
 *
 * Example: {@link MemoryState}.
 */
export interface AllocatedAccount {
  readonly balance?: bigint
  readonly nonce?: bigint
  readonly code?: string | Uint8Array
  readonly storage?: Readonly<Record<string, string | bigint>>
}

/**
 * Accounts by 0x-hex address.
 *
 * Example: {@link MemoryState}.
 */
export type Allocation = Readonly<Record<string, AllocatedAccount>>

/**
 * What `dump` gives: existing accounts by address in ascending order, slots that are not zero by key likewise.
 *
 * Example: {@link stateRootOf}.
 */
export interface DumpedAccount {
  readonly nonce: bigint
  readonly balance: bigint
  readonly codeHash: string
  readonly storage: Readonly<Record<string, string>>
}

const NAMES: Names<AllocatedAccount & DumpedAccount> = {
  balance: true,
  nonce: true,
  code: true,
  codeHash: true,
  storage: true,
}

/**
 * Whether an account is one: names, ranges, code. A code hash, as `MemoryState.account` gives it, must be that of the
 * code. Gives its slots. Throws InputError.
 */
export const checkAccount = (address: string, account: AllocatedAccount): [key: bigint, value: bigint][] => {
  checkHex(
    typeof address === 'string' && !address.startsWith('0x') ? `0x${address}` : address,
    20,
    'the address of an account',
  )
  checkNames(checkObject(account, address, 'an account'), NAMES, `field of ${address}`)
  const { balance, nonce, code, storage } = account
  if (balance !== undefined) checkUnsigned(balance, 256, `${address}: balance`)
  if (nonce !== undefined) checkUnsigned(nonce, 64, `${address}: nonce`)
  if (code !== undefined && !(code instanceof Uint8Array)) checkBytes(code, Infinity, `${address}: code`)
  if (!('codeHash' in account) || account.codeHash === hashOf(code)) return slotsOf(address, storage)
  return refuse(`${address}: codeHash`, account.codeHash, 'that of its code, which stands beside it')
}

const hashOf = (code: AllocatedAccount['code']): string => {
  if (code === undefined) return EMPTY_CODE_HASH
  return keccak256Hex(code instanceof Uint8Array ? code : new Uint8Array(Buffer.from(code.slice(2), 'hex')))
}

const slotsOf = (address: string, storage: AllocatedAccount['storage']): [key: bigint, value: bigint][] => {
  if (storage === undefined) return []
  return Object.entries(checkObject(storage, `${address}: storage`)).map(([key, value]) => [
    checkWord(key, `${address}: a storage key`),
    checkWord(value, `${address}: the value of ${key}`),
  ])
}
