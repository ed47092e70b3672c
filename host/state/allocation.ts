import { checkBytes, checkHex, checkNames, checkObject, checkUnsigned, checkWord, type Names } from './input.ts'

/** One account of a genesis allocation: balance in wei; keys and values of storage are words in hex, or bigint. */
export interface AllocatedAccount {
  readonly balance?: bigint
  readonly nonce?: bigint
  readonly code?: string | Uint8Array
  readonly storage?: Readonly<Record<string, string | bigint>>
}

/** Accounts by 0x-hex address. */
export type Allocation = Readonly<Record<string, AllocatedAccount>>

const NAMES: Names<AllocatedAccount> = { balance: true, nonce: true, code: true, storage: true }

/** Whether an account is one: names, ranges, code. Gives its slots. Throws InputError. */
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
  if (storage === undefined) return []
  return Object.entries(checkObject(storage, `${address}: storage`)).map(([key, value]) => [
    checkWord(key, `${address}: a storage key`),
    checkWord(value, `${address}: the value of ${key}`),
  ])
}
