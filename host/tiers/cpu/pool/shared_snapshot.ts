import { ACCOUNT_FLAG_EXISTS } from '../../../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../../transpiler/layout/word.ts'
import { addressFromHex, quantityToBigInt, wordFromBigInt, wordToBigInt } from '../../../primitives/word.ts'
import type { AccountView, StateSnapshot } from '../../../state/snapshot.ts'
import {
  AccountTable,
  HOST_CODE,
  HOST_LIMBS,
  HOST_NONCE,
  ROW_BALANCE,
  ROW_FLAGS,
  ROW_LIMBS,
} from '../../../state/tables/account_table.ts'
import { SlotTable } from '../../../state/tables/slot_table.ts'
import type { Answer, Foreseen, Question, SharedCode, TableHandles } from './protocol.ts'

/** Base values kept besides the tables, for one batch. */
const MAX_ASIDE = 65_536
/** Of the codes that are remembered with their bytes, where nothing else is said. */
const MOST_CODE_BYTES = 1 << 25
/** Of a code with its names. */
const CODE_ENTRY_BYTES = 512

/**
 * The resident tables as a worker reads them while the executor's thread writes: each value is one that stood there at
 * some time, or torn from two. That is enough, since an outcome is taken only where every value that it read stands at
 * its place in the order. What is not in the tables is asked for.
 */
export class SharedSnapshot implements StateSnapshot {
  readonly #ask: (about: Question) => Answer
  readonly #beat: () => void
  #accounts = new AccountTable(1)
  #slots = new SlotTable(1)
  readonly #codeById = new Map<number, SharedCode>()
  readonly #codeByHash = new Map<string, Uint8Array>()
  #codeBytes = 0
  /** Bytes of code that may be remembered from batch to batch. */
  codeBudget = MOST_CODE_BYTES
  readonly #aside = new Map<string, Answer>()
  readonly #address = new Uint32Array(LIMBS_PER_ADDRESS)
  readonly #key = new Uint32Array(LIMBS_PER_WORD)
  /** The sender is taken to have this nonce: transactions of its own that stand before it come to be executed. */
  sender: { readonly address: string; readonly nonce: bigint } | undefined

  constructor(ask: (about: Question) => Answer, beat: () => void) {
    this.#ask = ask
    this.#beat = beat
  }

  adopt(tables: TableHandles): void {
    this.#accounts.rows = tables.accountRows
    this.#accounts.hosts = tables.accountHosts
    this.#accounts.index.words = tables.accountIndex
    this.#accounts.index.mask = tables.accountIndex.length / 2 - 1
    this.#slots.keys = tables.slotKeys
    this.#slots.values = tables.slotValues
    this.#slots.index.words = tables.slotIndex
    this.#slots.index.mask = tables.slotIndex.length / 2 - 1
  }

  foresee({ accounts, slots }: Foreseen): void {
    for (const { address, view } of accounts) this.#aside.set(address, view)
    for (const { address, key, value } of slots) this.#aside.set(`${address}${key}`, value)
  }

  /** Ids of codes are others from now on, in tables that are told of next. */
  forgetCodes(): void {
    this.#codeById.clear()
    this.#codeByHash.clear()
    this.#codeBytes = 0
  }

  /** Bytes of the codes that are remembered. */
  get codeBytes(): number {
    return this.#codeBytes
  }

  learn(codes: readonly SharedCode[]): void {
    if (this.#codeBytes > this.codeBudget) this.forgetCodes()
    for (const code of codes) {
      this.#codeById.set(code.id, code)
      this.#remember(code.hash, code.bytes)
    }
  }

  /** A new batch begins: what was asked for may have changed. */
  begin(): void {
    this.#aside.clear()
    if (this.#codeBytes > this.codeBudget) this.forgetCodes()
  }

  account(address: string): AccountView | undefined {
    this.#beat()
    const view = this.#account(address)
    if (this.sender === undefined || this.sender.address !== address || view === undefined) return view
    return { ...view, nonce: this.sender.nonce }
  }

  /** Where neither tables nor known values tell, there is no account: the executor's thread checks it at the place. */
  accountForCreation(address: string): AccountView | undefined {
    addressFromHex(this.#address, 0, address)
    if (this.#accounts.find(this.#address, 0) >= 0 || this.#aside.has(address)) return this.account(address)
    this.#beat()
    return undefined
  }

  storage(address: string, key: bigint): bigint {
    this.#beat()
    addressFromHex(this.#address, 0, address)
    const owner = this.#accounts.find(this.#address, 0)
    if (owner >= 0) {
      wordFromBigInt(this.#key, 0, key)
      const slot = this.#slots.find(owner, this.#key, 0)
      if (slot >= 0) return wordToBigInt(this.#slots.values, slot * LIMBS_PER_WORD)
    }
    return this.#remembered(`${address}${key}`, { slot: address, key }) as bigint
  }

  code(codeHash: string): Uint8Array {
    this.#beat()
    let bytes = this.#codeByHash.get(codeHash)
    if (bytes === undefined) {
      bytes = this.#ask({ codeHash }) as Uint8Array
      this.#remember(codeHash, bytes)
    }
    return bytes
  }

  #remember(hash: string, bytes: Uint8Array): void {
    this.#codeByHash.set(hash, bytes)
    this.#codeBytes += CODE_ENTRY_BYTES + bytes.length
  }

  blockHash(blockNumber: bigint): string | undefined {
    return this.#remembered(`#${blockNumber}`, { blockNumber }) as string | undefined
  }

  #account(address: string): AccountView | undefined {
    addressFromHex(this.#address, 0, address)
    const id = this.#accounts.find(this.#address, 0)
    if (id < 0) return this.#remembered(address, { account: address }) as AccountView | undefined
    const { rows, hosts } = this.#accounts
    if ((rows[id * ROW_LIMBS + ROW_FLAGS]! & ACCOUNT_FLAG_EXISTS) === 0) return undefined
    return {
      nonce: quantityToBigInt(hosts, id * HOST_LIMBS + HOST_NONCE),
      balance: wordToBigInt(rows, id * ROW_LIMBS + ROW_BALANCE),
      codeHash: this.#codeHash(hosts[id * HOST_LIMBS + HOST_CODE]!),
    }
  }

  #codeHash(codeId: number): string {
    let code = this.#codeById.get(codeId)
    if (code === undefined) {
      code = this.#ask({ codeId }) as SharedCode
      this.learn([code])
    }
    return code.hash
  }

  #remembered(name: string, about: Question): Answer {
    if (this.#aside.has(name)) return this.#aside.get(name)
    const answer = this.#ask(about)
    if (this.#aside.size === MAX_ASIDE) this.#aside.clear()
    this.#aside.set(name, answer)
    return answer
  }
}
