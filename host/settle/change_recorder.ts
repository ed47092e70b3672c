import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { TouchVisitor } from '../batch/executions.ts'
import { EMPTY_CODE_HASH } from '../primitives/keccak.ts'
import { addressFromHex, addressToHex, quantityToBigInt, wordFromBigInt, wordToBigInt } from '../primitives/word.ts'
import type { AccountChange, SlotChange, TransactionChanges } from '../state/changes.ts'
import type { RunningState } from '../state/running_state.ts'
import type { AccountView, SnapshotReads, SnapshotWrites } from '../state/snapshot.ts'
import { HOST_LIMBS, HOST_NONCE, ROW_BALANCE, ROW_LIMBS } from '../state/tables/account_table.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'

/**
 * Notes what each transaction of a batch changed and read, with the values at its place: for callers that asked for it
 * (ExecuteRequest.changes). Everything here is in object form and costs tens of microseconds per transaction.
 *
 * A transaction is opened before its effects enter the tables: every account and slot that it touched is noted with its
 * running value. It is closed after them, when the running values are compared.
 */
export class ChangeRecorder implements TouchVisitor {
  readonly #resident: ResidentState
  readonly #running: RunningState
  readonly #done: (TransactionChanges | undefined)[]
  readonly #accounts = new Map<string, AccountView | undefined>()
  readonly #slots = new Map<string, NotedSlot>()
  #cleared: string[] = []
  #code = new Map<string, Uint8Array>()
  readonly #address = new Uint32Array(5)
  readonly #key = new Uint32Array(LIMBS_PER_WORD)

  constructor(resident: ResidentState, running: RunningState, count: number) {
    this.#resident = resident
    this.#running = running
    this.#done = new Array<undefined>(count).fill(undefined)
  }

  /** Per transaction; one that was rejected did nothing. */
  all(): readonly TransactionChanges[] {
    return this.#done.map((changes) => changes ?? NOTHING)
  }

  /** A transaction on the tables: sender, called account and coinbase by their present ids. */
  open(from: number, to: number, coinbase: number): void {
    this.account(from)
    this.account(to)
    this.account(coinbase)
  }

  /**
   * An execution on the CPU tier, or a step of the block itself; `others` are accounts that it touches beyond its
   * reads. Several may be opened one after another, before they are closed as one.
   */
  async openOutcome(reads: SnapshotReads, writes: SnapshotWrites, others: readonly string[]): Promise<void> {
    for (const address of [...reads.accounts, ...writes.accounts.map(({ address }) => address), ...others])
      await this.#noteAddress(address)
    for (const { address, key } of [...reads.slots, ...(reads.fresh ?? []), ...writes.slots]) {
      const name = slotName(address, key)
      if (this.#slots.has(name)) continue
      await this.#noteAddress(address)
      this.#slots.set(name, { address, key, before: await this.#running.storage(address, key) })
    }
    for (const { address, cleared } of writes.accounts) if (cleared) this.#cleared.push(address)
    for (const [hash, bytes] of writes.code) this.#code.set(hash, bytes)
  }

  close(i: number): void {
    this.#done[i] = this.take()
  }

  /** Ends what was opened and returns it. */
  take(): TransactionChanges {
    const accounts: AccountChange[] = []
    const readAccounts: string[] = []
    for (const [address, before] of this.#accounts) {
      const after = this.#accountNow(address)
      if (sameView(before, after)) readAccounts.push(address)
      else accounts.push({ address, before, after })
    }
    const slots: SlotChange[] = []
    const readSlots: { address: string; key: bigint; value: bigint }[] = []
    for (const { address, key, before } of this.#slots.values()) {
      const after = this.#slotNow(address, key)
      if (before === after) readSlots.push({ address, key, value: before })
      else slots.push({ address, key, before, after })
    }
    const changes = {
      accounts,
      slots,
      readAccounts,
      readSlots,
      ...(this.#cleared.length === 0 ? {} : { cleared: this.#cleared }),
      ...(this.#code.size === 0 ? {} : { code: this.#code }),
    }
    this.#accounts.clear()
    this.#slots.clear()
    this.#cleared = []
    this.#code = new Map()
    return changes
  }

  account(id: number): void {
    if (id < 0) return
    const address = addressToHex(this.#resident.accounts.rows, id * ROW_LIMBS)
    if (!this.#accounts.has(address)) this.#accounts.set(address, this.#view(id))
  }

  /** A precompile: nothing is loaded for it, and one that is not in the table does not change. */
  precompile(low: number): void {
    const address = `0x${low.toString(16).padStart(40, '0')}`
    if (!this.#accounts.has(address)) this.#accounts.set(address, this.#accountNow(address))
  }

  async #noteAddress(address: string): Promise<void> {
    if (this.#accounts.has(address)) return
    this.#accounts.set(address, await this.#running.account(address))
  }

  slot(id: number): void {
    const { slots, accounts } = this.#resident
    const address = addressToHex(accounts.rows, slots.owners[id]! * ROW_LIMBS)
    const key = wordToBigInt(slots.keys, id * LIMBS_PER_WORD)
    const name = slotName(address, key)
    if (this.#slots.has(name)) return
    this.#slots.set(name, { address, key, before: wordToBigInt(slots.values, id * LIMBS_PER_WORD) })
    this.account(slots.owners[id]!)
  }

  #accountNow(address: string): AccountView | undefined {
    addressFromHex(this.#address, 0, address)
    return this.#view(this.#resident.accounts.find(this.#address, 0))
  }

  /** Of a slot that is not in the table: its account was made anew. */
  #slotNow(address: string, key: bigint): bigint {
    const { accounts, slots } = this.#resident
    addressFromHex(this.#address, 0, address)
    const owner = accounts.find(this.#address, 0)
    wordFromBigInt(this.#key, 0, key)
    const id = slots.find(owner, this.#key, 0)
    // An account that is gone has no slots, whatever the table still holds of them.
    return id < 0 || !accounts.exists(owner) ? 0n : wordToBigInt(slots.values, id * LIMBS_PER_WORD)
  }

  #view(id: number): AccountView | undefined {
    const { accounts, codes } = this.#resident
    if (id < 0 || !accounts.exists(id)) return undefined
    return {
      nonce: quantityToBigInt(accounts.hosts, id * HOST_LIMBS + HOST_NONCE),
      balance: wordToBigInt(accounts.rows, id * ROW_LIMBS + ROW_BALANCE),
      codeHash: codes.codes[accounts.code(id)]?.hash ?? EMPTY_CODE_HASH,
    }
  }
}

interface NotedSlot {
  readonly address: string
  readonly key: bigint
  readonly before: bigint
}

const NOTHING: TransactionChanges = { accounts: [], slots: [], readAccounts: [], readSlots: [] }

const slotName = (address: string, key: bigint): string => `${address}:${key.toString(16)}`

const sameView = (a: AccountView | undefined, b: AccountView | undefined): boolean =>
  a === b ||
  (a !== undefined && b !== undefined && a.nonce === b.nonce && a.balance === b.balance && a.codeHash === b.codeHash)
