import { keccak256 } from '../../host/primitives/keccak.ts'
import {
  addressFromHex,
  addressToBytes,
  quantityFromBigInt,
  wordFromBigInt,
  wordFromBytes,
  wordFromHex,
  wordToBigInt,
} from '../../host/primitives/word.ts'
import type { StateWrites } from '../../host/state/state.ts'
import type { Program } from '../contracts/deployment.ts'
import type { Random } from '../random.ts'
import type { MakePeople, SlotColumns } from './workload.ts'

/** `count` addresses as limbs; 160 random bits each, so distinct and spread over every table. */
export const createAddresses = (count: number, random: Random): Uint32Array => {
  const addresses = new Uint32Array(5 * count)
  for (let i = 0; i < addresses.length; i++) addresses[i] = random.u32()
  return addresses
}

export const strangers: MakePeople = (count, _senders, random) => createAddresses(count, random)

/** Storage keys of `mapping(address => ...)` at `slot` for `count` addresses: keccak256(address . slot), as words. */
export const mappingKeys = (addresses: Uint32Array, count: number, slot: number): Uint32Array => {
  const keys = new Uint32Array(8 * count)
  const preimage = new Uint8Array(64)
  new DataView(preimage.buffer).setUint32(60, slot)
  for (let i = 0; i < count; i++) {
    addressToBytes(preimage, 12, addresses, 5 * i)
    wordFromBytes(keys, 8 * i, keccak256(preimage), 0)
  }
  return keys
}

/** Storage keys of `mapping(uint256 => ...)` at `slot` for the keys 0 .. count - 1 plus `first`. */
export const countedKeys = (first: number, count: number, slot: number): Uint32Array => {
  const keys = new Uint32Array(8 * count)
  const preimage = new Uint8Array(64)
  const view = new DataView(preimage.buffer)
  view.setUint32(60, slot)
  for (let i = 0; i < count; i++) {
    view.setUint32(28, first + i)
    wordFromBytes(keys, 8 * i, keccak256(preimage), 0)
  }
  return keys
}

/**
 * Storage keys of `mapping(address owner => mapping(address spender => ...))` at `slot`, one spender for all owners.
 */
export const allowanceKeys = (owners: Uint32Array, count: number, spender: string, slot: number): Uint32Array => {
  const keys = new Uint32Array(8 * count)
  const outer = new Uint8Array(64)
  const inner = new Uint8Array(64)
  new DataView(outer.buffer).setUint32(60, slot)
  inner.set(Buffer.from(spender.slice(2), 'hex'), 12)
  for (let i = 0; i < count; i++) {
    addressToBytes(outer, 12, owners, 5 * i)
    inner.set(keccak256(outer), 32)
    wordFromBytes(keys, 8 * i, keccak256(inner), 0)
  }
  return keys
}

/** A Uint32Array that grows. */
class Column {
  #limbs = new Uint32Array(1024)
  length = 0

  /** Appends `count` zero limbs and returns them, to be filled before the next append. */
  append(count: number): Uint32Array {
    const at = this.length
    if (at + count > this.#limbs.length) {
      const grown = new Uint32Array(Math.max(2 * this.#limbs.length, at + count))
      grown.set(this.#limbs.subarray(0, at))
      this.#limbs = grown
    }
    this.length += count
    return this.#limbs.subarray(at, this.length)
  }

  view(): Uint32Array {
    return this.#limbs.subarray(0, this.length)
  }
}

const EMPTY_CODE = keccak256(new Uint8Array(0))

/**
 * Collects the accounts, code and storage of a pre-state as the columns of one commit. Each account and slot is given
 * once; a workload with 65,536 holders is ready in some hundred milliseconds, almost all of it keccak.
 */
export class Genesis {
  readonly #accounts = new Column()
  readonly #balances = new Column()
  readonly #nonces = new Column()
  readonly #codeHashes = new Column()
  readonly #slotAddresses = new Column()
  readonly #slotKeys = new Column()
  readonly #slotValues = new Column()
  readonly #code = new Map<string, Uint8Array>()
  /** Hashes of code seen already: a market installs one code tens of thousands of times. */
  readonly #hashes = new Map<Uint8Array, Uint8Array>()

  /** `count` accounts without code, nonce 0, each with `balance` wei. */
  accounts(addresses: Uint32Array, count: number, balance: bigint): void {
    const hash = new Uint32Array(8)
    wordFromBytes(hash, 0, EMPTY_CODE, 0)
    this.#accounts.append(5 * count).set(addresses.subarray(0, 5 * count))
    this.#nonces.append(2 * count)
    this.#balances.append(8 * count).set(repeatWord(balance, count))
    this.#codeHashes.append(8 * count).set(repeatWord(wordToBigInt(hash, 0), count))
  }

  account(address: string, balance: bigint): void {
    this.accounts(repeatAddress(address, 1), 1, balance)
  }

  /** A contract with its code and storage, nonce 1 (EIP-161). */
  program(program: Program, balance = 0n, at = program.address): void {
    let hash = this.#hashes.get(program.code)
    if (hash === undefined) {
      hash = keccak256(program.code)
      this.#hashes.set(program.code, hash)
      this.#code.set(`0x${Buffer.from(hash).toString('hex')}`, program.code)
    }
    addressFromHex(this.#accounts.append(5), 0, at)
    quantityFromBigInt(this.#nonces.append(2), 0, 1n)
    wordFromBigInt(this.#balances.append(8), 0, balance)
    wordFromBytes(this.#codeHashes.append(8), 0, hash, 0)
    for (const [key, value] of program.storage) this.slot(at, key, BigInt(value))
  }

  slot(address: string, key: string, value: bigint): void {
    addressFromHex(this.#slotAddresses.append(5), 0, address)
    wordFromHex(this.#slotKeys.append(8), 0, key)
    wordFromBigInt(this.#slotValues.append(8), 0, value)
  }

  /** The first `count` of `columns`. */
  slots(columns: SlotColumns, count = columns.count): void {
    this.#slotAddresses.append(5 * count).set(columns.addresses.subarray(0, 5 * count))
    this.#slotKeys.append(8 * count).set(columns.keys.subarray(0, 8 * count))
    this.#slotValues.append(8 * count).set(columns.values.subarray(0, 8 * count))
  }

  writes(): StateWrites {
    const accountCount = this.#accounts.length / 5
    return {
      deletedAccounts: new Uint32Array(0),
      accountCount,
      accountAddresses: this.#accounts.view(),
      accounts: {
        exists: new Uint8Array(accountCount).fill(1),
        nonce: this.#nonces.view(),
        balance: this.#balances.view(),
        codeHash: this.#codeHashes.view(),
      },
      slotCount: this.#slotAddresses.length / 5,
      slotAddresses: this.#slotAddresses.view(),
      slotKeys: this.#slotKeys.view(),
      slotValues: this.#slotValues.view(),
      code: this.#code,
    }
  }
}

/** One address, `count` times, as limbs. */
export const repeatAddress = (address: string, count: number): Uint32Array => {
  const repeated = new Uint32Array(5 * count)
  if (count === 0) return repeated
  addressFromHex(repeated, 0, address)
  for (let filled = 5; filled < repeated.length; filled *= 2) repeated.copyWithin(filled, 0, filled)
  return repeated
}

/** `count` words, all of the same value. */
export const repeatWord = (value: bigint, count: number): Uint32Array => {
  const repeated = new Uint32Array(8 * count)
  if (count === 0) return repeated
  wordFromBigInt(repeated, 0, value)
  for (let filled = 8; filled < repeated.length; filled *= 2) repeated.copyWithin(filled, 0, filled)
  return repeated
}

/** All of `parts` one after another, as a copy. */
export const joinColumns = (parts: readonly SlotColumns[]): SlotColumns => {
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  const joined = {
    count,
    addresses: new Uint32Array(5 * count),
    keys: new Uint32Array(8 * count),
    values: new Uint32Array(8 * count),
  }
  let at = 0
  for (const part of parts) {
    joined.addresses.set(part.addresses, 5 * at)
    joined.keys.set(part.keys, 8 * at)
    joined.values.set(part.values, 8 * at)
    at += part.count
  }
  return joined
}
