import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import {
  checkBytes,
  checkHex,
  checkNames,
  checkObject,
  checkUnsigned,
  checkWord,
  InputError,
  type Names,
} from '../primitives/input.ts'
import { EMPTY_CODE_HASH, keccak256Hex } from '../primitives/keccak.ts'
import { addressToHex, quantityFromBigInt, wordFromBigInt, wordFromHex, wordToBigInt } from '../primitives/word.ts'
import type { AccountColumns, State } from './state.ts'

/**
 * What an account is taken to be, in the form of geth's eth_call: a field that is absent stays as it is. `state`
 * replaces all storage, `stateDiff` single slots; an account has one of them. Keys and values are 0x-hex or bigint.
 *
 * @example
 * import type { AccountOverride } from 'wgevm'
 *
 * const override: AccountOverride = { balance: 10n ** 18n, stateDiff: { '0x0': 1n } }
 * console.log(override.nonce) // undefined
 */
export interface AccountOverride {
  readonly balance?: bigint
  readonly nonce?: bigint
  readonly code?: string | Uint8Array
  readonly state?: Readonly<Record<string, string | bigint>>
  readonly stateDiff?: Readonly<Record<string, string | bigint>>
}

/**
 * Overrides of a simulation, by 0x-hex address.
 *
 * @example
 * import type { StateOverrides } from 'wgevm'
 *
 * const overrides: StateOverrides = { '0x00000000000000000000000000000000000a11ce': { balance: 1n } }
 * console.log(Object.keys(overrides).length) // 1
 */
export type StateOverrides = Readonly<Record<string, AccountOverride>>

/**
 * An override that cannot be read: the message names the account and the field.
 *
 * @example
 * import { createExecutor, MemoryState, OverrideError } from 'wgevm'
 *
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const at = { number: 1n, timestamp: 1n, coinbase, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n }
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState() })
 * const overrides = { [coinbase]: { balance: -1n } }
 * const error: unknown = await executor.simulate({ at, calls: [], overrides }).catch((reason: unknown) => reason)
 * console.log(error instanceof OverrideError) // true
 * executor.close()
 */
export class OverrideError extends InputError {
  override readonly name = 'OverrideError'
}

const NAMES: Names<AccountOverride> = { balance: true, nonce: true, code: true, state: true, stateDiff: true }

/** One account's override with its numbers read. */
export interface ParsedOverride {
  readonly balance: bigint | undefined
  readonly nonce: bigint | undefined
  readonly code: { readonly hash: string; readonly bytes: Uint8Array } | undefined
  /** Whether slots that are not in `slots` are zero. */
  readonly cleared: boolean
  readonly slots: ReadonlyMap<bigint, bigint>
}

/** By address in lower case. Throws OverrideError. */
export const parseOverrides = (overrides: StateOverrides): Map<string, ParsedOverride> => {
  const parsed = new Map<string, ParsedOverride>()
  for (const [address, override] of Object.entries(checkObject(overrides, 'overrides', 'accounts by address'))) {
    try {
      checkHex(address, 20, 'the address')
      if (parsed.has(address.toLowerCase())) throw new InputError('the account is there twice', address)
      parsed.set(address.toLowerCase(), parseOverride(override))
    } catch (thrown) {
      const { message, field, value } = thrown as InputError
      throw new OverrideError(`override of ${address}: ${message}`, field, value)
    }
  }
  return parsed
}

const parseOverride = (given: unknown): ParsedOverride => {
  const override = checkObject(given, 'it') as AccountOverride
  checkNames(override, NAMES, 'field')
  const { balance, nonce, state, stateDiff } = override
  if (state !== undefined && stateDiff !== undefined)
    throw new InputError('has both state and stateDiff; expected one of them', 'stateDiff', stateDiff)
  if (balance !== undefined) checkUnsigned(balance, 256, 'balance')
  if (nonce !== undefined) checkUnsigned(nonce, 64, 'nonce')
  const slots = new Map<bigint, bigint>()
  const entries = state ?? stateDiff
  if (entries !== undefined)
    for (const [key, value] of Object.entries(checkObject(entries, state === undefined ? 'stateDiff' : 'state')))
      slots.set(checkWord(key, 'a storage key'), checkWord(value, `the value of ${key}`))
  const code = override.code === undefined ? undefined : codeOf(override.code)
  return { balance, nonce, code, cleared: state !== undefined, slots }
}

const codeOf = (code: string | Uint8Array): ParsedOverride['code'] => {
  const bytes =
    code instanceof Uint8Array ? code : new Uint8Array(Buffer.from(checkBytes(code, Infinity, 'code').slice(2), 'hex'))
  return { hash: keccak256Hex(bytes), bytes }
}

/** A State that answers as `base` with overrides on top. Nothing can be committed to it. */
export class OverlayState implements State {
  readonly #base: State
  readonly #overrides: ReadonlyMap<string, ParsedOverride>
  readonly #codes = new Map<string, Uint8Array>()

  constructor(base: State, overrides: ReadonlyMap<string, ParsedOverride>) {
    this.#base = base
    this.#overrides = overrides
    for (const { code } of overrides.values()) if (code !== undefined) this.#codes.set(code.hash, code.bytes)
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns | Promise<AccountColumns> {
    const columns = this.#base.readAccounts(addresses, count)
    return columns instanceof Promise
      ? columns.then((read) => this.#overrideAccounts(addresses, count, read))
      : this.#overrideAccounts(addresses, count, columns)
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array | Promise<Uint32Array> {
    const values = this.#base.readSlots(addresses, keys, count)
    return values instanceof Promise
      ? values.then((read) => this.#overrideSlots(addresses, keys, count, read))
      : this.#overrideSlots(addresses, keys, count, values)
  }

  readCode(codeHash: string): Uint8Array | Promise<Uint8Array> {
    return this.#codes.get(codeHash) ?? this.#base.readCode(codeHash)
  }

  hasStorage(address: string): boolean | Promise<boolean> {
    const override = this.#overrides.get(address)
    if (override !== undefined) {
      for (const value of override.slots.values()) if (value !== 0n) return true
      if (override.cleared) return false
    }
    return this.#base.hasStorage?.(address) ?? false
  }

  blockHash(number: bigint): string | undefined | Promise<string | undefined> {
    return this.#base.blockHash(number)
  }

  commit(): never {
    throw new Error('a state with overrides takes no writes')
  }

  #overrideAccounts(addresses: Uint32Array, count: number, columns: AccountColumns): AccountColumns {
    for (let i = 0; i < count; i++) {
      const override = this.#overrides.get(addressToHex(addresses, LIMBS_PER_ADDRESS * i))
      if (override === undefined) continue
      const at = LIMBS_PER_WORD * i
      if (columns.exists[i] === 0) wordFromHex(columns.codeHash, at, EMPTY_CODE_HASH)
      if (override.balance !== undefined) wordFromBigInt(columns.balance, at, override.balance)
      if (override.nonce !== undefined) quantityFromBigInt(columns.nonce, 2 * i, override.nonce)
      if (override.code !== undefined) wordFromHex(columns.codeHash, at, override.code.hash)
      if (isSomething(override)) columns.exists[i] = 1
    }
    return columns
  }

  #overrideSlots(addresses: Uint32Array, keys: Uint32Array, count: number, values: Uint32Array): Uint32Array {
    for (let i = 0; i < count; i++) {
      const override = this.#overrides.get(addressToHex(addresses, LIMBS_PER_ADDRESS * i))
      if (override === undefined) continue
      const value = override.slots.get(wordToBigInt(keys, LIMBS_PER_WORD * i))
      if (value !== undefined) wordFromBigInt(values, LIMBS_PER_WORD * i, value)
      else if (override.cleared) values.fill(0, LIMBS_PER_WORD * i, LIMBS_PER_WORD * (i + 1))
    }
    return values
  }
}

/** Whether the override alone makes an account that exists (EIP-161: it has a nonce, a balance or code). */
export const isSomething = ({ balance, nonce, code }: ParsedOverride): boolean =>
  (balance ?? 0n) !== 0n || (nonce ?? 0n) !== 0n || (code !== undefined && code.bytes.length > 0)
