import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { EMPTY_CODE_HASH } from '../primitives/keccak.ts'
import {
  addressFromHex,
  quantityFromBigInt,
  quantityToBigInt,
  wordFromBigInt,
  wordToBigInt,
} from '../primitives/word.ts'
import type { AccountView, SnapshotWrites, StateSnapshot } from './snapshot.ts'
import {
  HOST_LIMBS,
  HOST_MARKS,
  HOST_NONCE,
  MARK_NEW_CODE,
  ROW_BALANCE,
  ROW_LIMBS,
  STATE_BARE,
} from './tables/account_table.ts'
import type { ResidentState } from './tables/resident_tables.ts'

/**
 * Who must know that an address has another account id, or that a code changed: the sweep, in the middle of a batch.
 */
export interface RenewSink {
  codeChanged: boolean
  renew(from: number, to: number): void
}

/**
 * The tables as the CPU tier sees them: the running values at the present place of the sweep. What is not resident is
 * loaded; a value loaded in the middle of a batch is a base value, since everything written is resident.
 */
export class RunningState implements StateSnapshot {
  readonly #resident: ResidentState
  readonly #address = new Uint32Array(5)
  readonly #key = new Uint32Array(LIMBS_PER_WORD)
  readonly #id = new Int32Array(1)

  constructor(resident: ResidentState) {
    this.#resident = resident
  }

  account(address: string): AccountView | undefined | Promise<AccountView | undefined> {
    const id = this.#accountId(address)
    return typeof id === 'number' ? this.viewOf(id) : id.then((loaded) => this.viewOf(loaded))
  }

  storage(address: string, key: bigint): bigint | Promise<bigint> {
    const account = this.#accountId(address)
    if (typeof account !== 'number') return account.then((loaded) => this.#storage(loaded, key))
    return this.#storage(account, key)
  }

  code(codeHash: string): Uint8Array | Promise<Uint8Array> {
    const { codes } = this.#resident
    const loaded = this.#resident.loadCode(codeHash)
    const bytes = () => codes.codes[codes.findHash(codeHash)]!.bytes
    return loaded === undefined ? bytes() : loaded.then(bytes)
  }

  blockHash(number: bigint): string | undefined | Promise<string | undefined> {
    return this.#resident.state.blockHash(number)
  }

  /** An account without nonce and code has run none in this batch, so its storage is as the State has it. */
  hasStorage(address: string): boolean | Promise<boolean> {
    const has = (id: number): boolean | Promise<boolean> => {
      const { accounts, state } = this.#resident
      if ((accounts.states[id]! & STATE_BARE) !== 0) return false
      return state.hasStorage?.(address) ?? false
    }
    const id = this.#accountId(address)
    return typeof id === 'number' ? has(id) : id.then(has)
  }

  /** Enters the writes of one transaction as running values. */
  async apply(writes: SnapshotWrites, sweep: RenewSink): Promise<void> {
    const { accounts, codes } = this.#resident
    for (const [hash, bytes] of writes.code) codes.add(hash, bytes)
    for (const { address, account, cleared } of writes.accounts) {
      let id = await this.#accountId(address)
      if (cleared) {
        const fresh = accounts.renew(id)
        sweep.renew(id, fresh)
        id = fresh
      }
      accounts.write(id)
      accounts.setExists(id, account !== undefined)
      wordFromBigInt(accounts.rows, id * ROW_LIMBS + ROW_BALANCE, account?.balance ?? 0n)
      quantityFromBigInt(accounts.hosts, id * HOST_LIMBS + HOST_NONCE, account?.nonce ?? 0n)
      const codeHash = account?.codeHash ?? EMPTY_CODE_HASH
      await this.#resident.loadCode(codeHash)
      const code = codes.findHash(codeHash)
      if (code !== accounts.code(id)) {
        this.#resident.setCode(id, code)
        accounts.hosts[id * HOST_LIMBS + HOST_MARKS]! |= MARK_NEW_CODE
        sweep.codeChanged = true
      }
    }
    for (const { address, key, value } of writes.slots) {
      const owner = await this.#accountId(address)
      const slot = await this.#slotId(owner, key)
      this.#resident.slots.write(slot)
      wordFromBigInt(this.#resident.slots.values, slot * LIMBS_PER_WORD, value)
    }
  }

  /** The account with this id in the table. */
  viewOf(id: number): AccountView | undefined {
    const { accounts, codes } = this.#resident
    if (!accounts.exists(id)) return undefined
    return {
      nonce: quantityToBigInt(accounts.hosts, id * HOST_LIMBS + HOST_NONCE),
      balance: wordToBigInt(accounts.rows, id * ROW_LIMBS + ROW_BALANCE),
      codeHash: codes.codes[accounts.code(id)]!.hash,
    }
  }

  #storage(account: number, key: bigint): bigint | Promise<bigint> {
    const slot = this.#slotId(account, key)
    const value = (id: number) => wordToBigInt(this.#resident.slots.values, id * LIMBS_PER_WORD)
    return typeof slot === 'number' ? value(slot) : slot.then(value)
  }

  #accountId(address: string): number | Promise<number> {
    addressFromHex(this.#address, 0, address)
    const ids = this.#id
    const loaded = this.#resident.accountIds(this.#address, 1, ids)
    const id = ids[0]!
    return loaded === undefined ? id : loaded.then(() => id)
  }

  #slotId(owner: number, key: bigint): number | Promise<number> {
    wordFromBigInt(this.#key, 0, key)
    const ids = this.#id
    const owners = Int32Array.of(owner)
    const loaded = this.#resident.slotIds(owners, this.#key, 1, ids)
    const id = ids[0]!
    return loaded === undefined ? id : loaded.then(() => id)
  }
}
