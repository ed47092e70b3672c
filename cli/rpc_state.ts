import { hexToBytes } from '../host/primitives/hex.ts'
import { keccak256Hex } from '../host/primitives/keccak.ts'
import { addressToHex, quantityFromBigInt, wordFromBigInt, wordFromHex, wordToHex } from '../host/primitives/word.ts'
import type { AccountColumns, State } from '../host/state/state.ts'
import { type JsonRpc, RpcError } from './json_rpc.ts'

const LIMBS_PER_WORD = 8
const LIMBS_PER_ADDRESS = 5

/** An account as the node knows it. One without balance, nonce and code does not exist. */
export interface RpcAccount {
  readonly balance: bigint
  readonly nonce: bigint
  readonly code: Uint8Array
  readonly codeHash: string
  /** Slots that were read, by key in hex of 64 digits, zeros too. */
  readonly storage: Map<string, bigint>
}

export const existsOf = ({ balance, nonce, code }: RpcAccount): boolean => balance > 0n || nonce > 0n || code.length > 0

/** A slot that holds another value before the block's transactions than after the block before it. */
export interface SlotBefore {
  readonly address: string
  readonly key: bigint
  readonly value: bigint
}

/**
 * The state after one block of a node, by the calls that every archive node has: reads go to the node once, in bulk,
 * and are kept, so what a block reads is known in the end. Nothing is written.
 */
export class RpcState implements State {
  readonly #rpc: JsonRpc
  readonly #block: string
  readonly #before: ReadonlyMap<string, bigint>
  readonly accounts = new Map<string, RpcAccount>()
  readonly blockHashes = new Map<bigint, string>()
  readonly #codes = new Map<string, Uint8Array>()

  /** `block` in hex; `before` says what the block itself has set by then. */
  constructor(rpc: JsonRpc, block: string, before: readonly SlotBefore[]) {
    this.#rpc = rpc
    this.#block = block
    this.#before = new Map(before.map(({ address, key, value }) => [slotName(address, keyHex(key)), value]))
  }

  async readAccounts(addresses: Uint32Array, count: number): Promise<AccountColumns> {
    const names = Array.from({ length: count }, (_, i) => addressToHex(addresses, LIMBS_PER_ADDRESS * i))
    await this.#fetchAccounts(names)
    const columns: AccountColumns = {
      exists: new Uint8Array(count),
      nonce: new Uint32Array(2 * count),
      balance: new Uint32Array(LIMBS_PER_WORD * count),
      codeHash: new Uint32Array(LIMBS_PER_WORD * count),
    }
    for (const [i, name] of names.entries()) {
      const account = this.accounts.get(name)!
      columns.exists[i] = existsOf(account) ? 1 : 0
      quantityFromBigInt(columns.nonce, 2 * i, account.nonce)
      wordFromBigInt(columns.balance, LIMBS_PER_WORD * i, account.balance)
      wordFromHex(columns.codeHash, LIMBS_PER_WORD * i, account.codeHash)
    }
    return columns
  }

  async readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Promise<Uint32Array> {
    const slots = Array.from({ length: count }, (_, i) => ({
      address: addressToHex(addresses, LIMBS_PER_ADDRESS * i),
      key: wordToHex(keys, LIMBS_PER_WORD * i),
    }))
    await this.#fetchAccounts(slots.map(({ address }) => address))
    const missing = [
      ...new Map(
        slots
          .filter(({ address, key }) => !this.accounts.get(address)!.storage.has(key))
          .map((slot) => [slotName(slot.address, slot.key), slot] as const),
      ).values(),
    ]
    const found = await this.#rpc.batch(
      missing.map(({ address, key }) => ({ method: 'eth_getStorageAt', params: [address, key, this.#block] })),
    )
    for (const [i, { address, key }] of missing.entries()) {
      const value = this.#before.get(slotName(address, key)) ?? quantity('eth_getStorageAt', found[i])
      this.accounts.get(address)!.storage.set(key, value)
    }
    const values = new Uint32Array(LIMBS_PER_WORD * count)
    for (const [i, { address, key }] of slots.entries()) {
      wordFromBigInt(values, LIMBS_PER_WORD * i, this.accounts.get(address)!.storage.get(key)!)
    }
    return values
  }

  readCode(codeHash: string): Uint8Array {
    const code = this.#codes.get(codeHash)
    if (code === undefined) throw new RpcError(`no account that was read has code ${codeHash}`)
    return code
  }

  async blockHash(number: bigint): Promise<string | undefined> {
    const known = this.blockHashes.get(number)
    if (known !== undefined) return known
    const block = await this.#rpc.call('eth_getBlockByNumber', [`0x${number.toString(16)}`, false])
    if (typeof block !== 'object' || block === null || !('hash' in block) || typeof block.hash !== 'string')
      return undefined
    this.blockHashes.set(number, block.hash)
    return block.hash
  }

  /** What the block changes is not of interest. */
  commit(): void {}

  async #fetchAccounts(names: readonly string[]): Promise<void> {
    const missing = [...new Set(names)].filter((name) => !this.accounts.has(name))
    const methods = ['eth_getBalance', 'eth_getTransactionCount', 'eth_getCode'] as const
    const found = await this.#rpc.batch(
      missing.flatMap((name) => methods.map((method) => ({ method, params: [name, this.#block] }))),
    )
    for (const [i, name] of missing.entries()) {
      const [balance, nonce, code] = found.slice(methods.length * i)
      if (typeof code !== 'string' || !/^0x([0-9a-fA-F]{2})*$/.test(code))
        throw new RpcError('eth_getCode: expected bytes')
      const bytes = hexToBytes(code)
      const codeHash = keccak256Hex(bytes)
      this.#codes.set(codeHash, bytes)
      this.accounts.set(name, {
        balance: quantity(methods[0], balance),
        nonce: quantity(methods[1], nonce),
        code: bytes,
        codeHash,
        storage: new Map(),
      })
    }
  }
}

const keyHex = (key: bigint): string => `0x${key.toString(16).padStart(64, '0')}`
const slotName = (address: string, key: string): string => `${address} ${key}`

const quantity = (method: string, value: unknown): bigint => {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{0,64}$/.test(value))
    throw new RpcError(`${method}: expected a number in hex`)
  return value === '0x' ? 0n : BigInt(value)
}
