import type { StateManagerInterface } from '@ethereumjs/common'
import { type Account, Address, equalsBytes, KECCAK256_NULL, KECCAK256_RLP } from '@ethereumjs/util'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { bytesToHex } from '../../primitives/hex.ts'
import { EMPTY_CODE_HASH } from '../../primitives/keccak.ts'
import {
  addressToBytes,
  addressToHex,
  quantityFromBigInt,
  wordFromBigInt,
  wordFromBytes,
  wordFromHex,
  wordToBytes,
} from '../../primitives/word.ts'
import type { AccountView } from '../../state/snapshot.ts'
import type { AccountColumns, State } from '../../state/state.ts'
import { type Ancestors, ancestorHash } from '../../tiers/cpu/ethereumjs/ancestor_hash.ts'
import { passingReaderOf, type SlotReader } from './passing_read.ts'

/** An account that is told otherwise than the state manager has it. */
export interface AccountCorrection {
  readonly address: string
  readonly nonce: bigint
  readonly balance: bigint
}

/**
 * The state of a state manager of `@ethereumjs` as a State. It reads through, remembers every account that was asked
 * for, and takes no writes: what is committed to it stays with the executor.
 */
export class ManagedState implements State {
  readonly #manager: StateManagerInterface
  readonly #ancestors: Ancestors
  /** Any account with this code, by code hash. */
  readonly #owners = new Map<string, Address>()
  /** What was read since `begin`, by address; undefined where the account does not exist. */
  readonly accounts = new Map<string, AccountView | undefined>()
  #correction: AccountCorrection | undefined

  readonly #readInPassing: SlotReader
  readonly #destroys: () => boolean

  /** `destroys`: whether a transaction of the present fork may destroy an account that was there before it. */
  constructor(manager: StateManagerInterface, ancestors: Ancestors, destroys: () => boolean) {
    this.#manager = manager
    this.#ancestors = ancestors
    this.#readInPassing = passingReaderOf(manager)
    this.#destroys = destroys
  }

  /** Forgets what was read. */
  begin(correction: AccountCorrection | undefined): void {
    this.accounts.clear()
    this.#owners.clear()
    this.#correction = correction
  }

  async readAccounts(addresses: Uint32Array, count: number): Promise<AccountColumns> {
    const columns = {
      exists: new Uint8Array(count),
      nonce: new Uint32Array(2 * count),
      balance: new Uint32Array(LIMBS_PER_WORD * count),
      codeHash: new Uint32Array(LIMBS_PER_WORD * count),
    }
    for (let i = 0; i < count; i++) {
      const at = LIMBS_PER_WORD * i
      const hex = addressToHex(addresses, LIMBS_PER_ADDRESS * i)
      const address = addressAt(addresses, i)
      const account = await this.#manager.getAccount(address)
      const view = account === undefined ? undefined : this.#viewOf(hex, account)
      this.accounts.set(hex, view)
      if (view === undefined) {
        wordFromHex(columns.codeHash, at, EMPTY_CODE_HASH)
        continue
      }
      columns.exists[i] = 1
      quantityFromBigInt(columns.nonce, 2 * i, view.nonce)
      wordFromBigInt(columns.balance, at, view.balance)
      wordFromHex(columns.codeHash, at, view.codeHash)
      if (view.codeHash !== EMPTY_CODE_HASH) this.#owners.set(view.codeHash, address)
    }
    return columns
  }

  async readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Promise<Uint32Array> {
    const values = new Uint32Array(LIMBS_PER_WORD * count)
    const word = new Uint8Array(32)
    const inPassing = this.#destroys()
    for (let i = 0; i < count; i++) {
      const key = new Uint8Array(32)
      wordToBytes(key, 0, keys, LIMBS_PER_WORD * i)
      const address = addressAt(addresses, i)
      const value = await (inPassing ? this.#readInPassing(address, key) : this.#manager.getStorage(address, key))
      if (value.length === 0) continue
      word.fill(0)
      word.set(value, 32 - value.length)
      wordFromBytes(values, LIMBS_PER_WORD * i, word, 0)
    }
    return values
  }

  async readCode(codeHash: string): Promise<Uint8Array> {
    const owner = this.#owners.get(codeHash)
    if (owner === undefined) throw new Error(`no account that was read has code ${codeHash}`)
    return this.#manager.getCode(owner)
  }

  async hasStorage(address: string): Promise<boolean> {
    const account = await this.#manager.getAccount(new Address(new Uint8Array(Buffer.from(address.slice(2), 'hex'))))
    return account !== undefined && !equalsBytes(account.storageRoot, KECCAK256_RLP)
  }

  async blockHash(number: bigint): Promise<string> {
    return bytesToHex(await ancestorHash(this.#ancestors, number))
  }

  commit(): void {}

  #viewOf(address: string, account: Account): AccountView {
    const { nonce, balance } = this.#correction?.address === address ? this.#correction : account
    return { nonce, balance, codeHash: codeHashOf(account) }
  }
}

export const codeHashOf = ({ codeHash }: Account): string =>
  equalsBytes(codeHash, KECCAK256_NULL) ? EMPTY_CODE_HASH : bytesToHex(codeHash)

const addressAt = (addresses: Uint32Array, i: number): Address => {
  const bytes = new Uint8Array(20)
  addressToBytes(bytes, 0, addresses, LIMBS_PER_ADDRESS * i)
  return new Address(bytes)
}
