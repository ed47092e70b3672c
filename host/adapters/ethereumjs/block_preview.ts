import type { Common, StateManagerInterface } from '@ethereumjs/common'
import { Account, Address } from '@ethereumjs/util'
import { encodeBatch } from '../../chain/encode_batch.ts'
import type { ExecutionResult } from '../../flows/execution_result.ts'
import type { Executor } from '../../flows/executor_interface.ts'
import { hexToBytes } from '../../primitives/hex.ts'
import { EMPTY_CODE_HASH } from '../../primitives/keccak.ts'
import type { TransactionChanges } from '../../state/changes.ts'
import type { AccountView } from '../../state/snapshot.ts'
import { codeHashOf, type ManagedState } from './managed_state.ts'
import { type SlotWriter, slotWriterOf } from './slot_writer.ts'
import {
  effectivePrice,
  environmentOf,
  senderOf,
  TYPE_BLOB,
  TYPE_SET_CODE,
  transactionOf,
  type VmBlock,
} from './vm_block.ts'

/**
 * Why a call was left to the stock EVM.
 *
 * Example: {@link GpuEvm}.
 */
export type DelegationReason =
  | 'outside a block'
  | 'unknown VM'
  | 'few transactions'
  | 'rules'
  | 'observed'
  | 'not of the block'
  | 'authorizations'
  | 'creation'
  | 'not included'
  | 'halt'
  | 'code or deletion'
  | 'state differs'
  | 'previews used up'
  | 'fault'

/** What one transaction's call did, ready to be entered. @internal */
export interface PreviewedCall {
  readonly output: Uint8Array
  readonly executionGas: bigint
  readonly gasRefund: bigint
  readonly exception: string | undefined
  readonly logs: readonly (readonly [Uint8Array, Uint8Array[], Uint8Array])[]
}

const GAS_PER_BLOB = 131_072n

/** What runTx has taken from its sender before it calls: gas and blob gas, bought. */
const boughtGas = (block: VmBlock, i: number): bigint => {
  const tx = block.transactions[i]!
  const price = effectivePrice(tx, block.header.baseFeePerGas ?? 0n)
  const gas = tx.gasLimit * price
  // Headers before Cancun throw when they are asked for a blob gas price.
  if (tx.type !== TYPE_BLOB) return gas
  return gas + BigInt(tx.blobVersionedHashes?.length ?? 0) * GAS_PER_BLOB * (block.header.getBlobGasPrice() ?? 0n)
}

/** A call of runTx, and what it needs of the EVM. */
export interface VmCall {
  /** Position of the transaction in its block. */
  readonly i: number
  /** Whether the caller has counted the sender's nonce already; else the call does. */
  readonly nonceCounted: boolean
  readonly putAccount: (address: Address, account: Account) => Promise<void>
}

/**
 * The transactions of a block from `first` on, executed ahead. `take` gives the result of one at its place and enters
 * its writes, if everything that it read is still so.
 *
 * @internal
 */
export class BlockPreview {
  readonly #block: VmBlock
  readonly #first: number
  readonly #manager: StateManagerInterface
  readonly #putSlot: SlotWriter
  readonly #result: ExecutionResult
  /** Accounts before the first transaction, as far as they were read. */
  readonly #ground: ReadonlyMap<string, AccountView | undefined>
  /** The same before the transaction that is next. */
  #accounts: Map<string, AccountView | undefined>
  readonly #coinbase: string
  readonly #paysBaseFee: boolean
  #next: number

  private constructor(
    block: VmBlock,
    first: number,
    manager: StateManagerInterface,
    result: ExecutionResult,
    ground: ReadonlyMap<string, AccountView | undefined>,
    paysBaseFee: boolean,
  ) {
    this.#block = block
    this.#first = first
    this.#next = first
    this.#manager = manager
    this.#putSlot = slotWriterOf(manager)
    this.#result = result
    this.#ground = ground
    this.#accounts = new Map(ground)
    this.#coinbase = block.header.coinbase.toString()
    this.#paysBaseFee = paysBaseFee
  }

  /**
   * Executes the block from the transaction of `call` on, whose sender has bought its gas already. Undefined where the
   * state is not that before it.
   */
  static async make(
    block: VmBlock,
    { i: first, nonceCounted }: VmCall,
    parts: {
      readonly common: Common
      readonly manager: StateManagerInterface
      readonly state: ManagedState
      readonly executor: Executor
    },
  ): Promise<BlockPreview | undefined> {
    const { common, manager, state, executor } = parts
    const tx = block.transactions[first]!
    const sender = senderOf(tx)
    const account = await manager.getAccount(sender.address)
    if (account?.nonce !== (nonceCounted ? tx.nonce + 1n : tx.nonce)) return undefined
    state.begin({
      address: sender.hex,
      nonce: tx.nonce,
      balance: account.balance + boughtGas(block, first),
    })
    executor.forget()
    const end = block.transactions.findIndex(({ type }, i) => i >= first && type === TYPE_SET_CODE)
    const transactions = block.transactions.slice(first, end < 0 ? undefined : end).map(transactionOf)
    const env = environmentOf(block, common)
    const result = await executor.execute({ env, transactions: encodeBatch(transactions), changes: true })
    const paysBaseFee = common.isActivatedEIP(1559)
    return new BlockPreview(block, first, manager, result, new Map(state.accounts), paysBaseFee)
  }

  covers(i: number): boolean {
    return i >= this.#first && i < this.#first + this.#result.receipts.count
  }

  /** Whether all transactions before place i were asked for, in order, and i was not. */
  isNext(i: number): boolean {
    return i === this.#next
  }

  get tiers(): ExecutionResult['tiers'] {
    return this.#result.tiers
  }

  /**
   * The result of a call that the preview covers, its writes entered through `putAccount` and the state manager; or why
   * there is none. In the order of the block it costs what the transaction touched; a step back costs as much as the
   * block.
   */
  async take(call: VmCall): Promise<PreviewedCall | DelegationReason> {
    const { i } = call
    if (i < this.#next) {
      this.#accounts = new Map(this.#ground)
      this.#next = this.#first
    }
    while (this.#next < i) this.#pass(this.#next++)
    const found = await this.#take(call)
    this.#pass(i)
    this.#next = i + 1
    return found
  }

  async #take(call: VmCall): Promise<PreviewedCall | DelegationReason> {
    const { i } = call
    const n = i - this.#first
    const { receipts, changes } = this.#result
    const { to } = this.#block.transactions[i]!
    if (to === undefined) return 'creation'
    if (receipts.status[n] === 2) return 'not included'
    const outcome = receipts.callOutcome(n)
    if (outcome === undefined) return 'halt'
    const changed = changes![n]!
    if (!isPlain(changed)) return 'code or deletion'
    if (!(await this.#holds(call, changed))) return 'state differs'
    if (!call.nonceCounted) await this.#countNonce(call)
    if (outcome.exception === undefined) await this.#enter(call, n, changed)
    return {
      output: receipts.output(n),
      ...outcome,
      logs: receipts
        .logs(n)
        .map(({ address, topics, data }) => [bytesOf(address), topics.map(bytesOf), bytesOf(data)] as const),
    }
  }

  /** Whether everything that the transaction read is as it was when it was executed ahead. */
  async #holds(call: VmCall, { accounts, slots, readAccounts, readSlots }: TransactionChanges): Promise<boolean> {
    const sender = senderOf(this.#block.transactions[call.i]!).hex
    for (const { address } of accounts) if (!(await this.#accountHolds(call, address, sender))) return false
    for (const address of readAccounts) if (!(await this.#accountHolds(call, address, sender))) return false
    for (const { address, key, before } of slots) if (!(await this.#slotHolds(address, key, before))) return false
    for (const { address, key, value } of readSlots) if (!(await this.#slotHolds(address, key, value))) return false
    return true
  }

  async #accountHolds({ i, nonceCounted }: VmCall, address: string, sender: string): Promise<boolean> {
    if (!this.#accounts.has(address)) return false
    const expected = this.#accounts.get(address)
    const account = await this.#manager.getAccount(addressOf(address))
    if (address === sender) {
      if (account === undefined) return false
      const { nonce, balance, codeHash } = expected ?? NOTHING
      return (
        account.nonce === (nonceCounted ? nonce + 1n : nonce) &&
        account.balance === balance - boughtGas(this.#block, i) &&
        codeHashOf(account) === codeHash
      )
    }
    if (expected === undefined || account === undefined) return expected === account
    return (
      account.balance === expected.balance &&
      account.nonce === expected.nonce &&
      codeHashOf(account) === expected.codeHash
    )
  }

  async #slotHolds(address: string, key: bigint, value: bigint): Promise<boolean> {
    const found = await this.#manager.getStorage(addressOf(address), wordBytes(key))
    return (found.length === 0 ? 0n : BigInt(`0x${Buffer.from(found).toString('hex')}`)) === value
  }

  /** Before 10.1.3 runTx leaves the nonce to the call, which counts it whatever becomes of the rest. */
  async #countNonce({ i, putAccount }: VmCall): Promise<void> {
    const { address } = senderOf(this.#block.transactions[i]!)
    const account = (await this.#manager.getAccount(address)) ?? new Account()
    account.nonce += 1n
    await putAccount(address, account)
  }

  /** Enters what the call itself changed: the fees are moved by runTx, and the nonce is counted. */
  async #enter({ i, putAccount }: VmCall, n: number, { accounts, slots }: TransactionChanges): Promise<void> {
    const tx = this.#block.transactions[i]!
    const baseFee = this.#block.header.baseFeePerGas ?? 0n
    const price = effectivePrice(tx, baseFee)
    const gasUsed = BigInt(this.#result.receipts.gasUsed[n]!)
    const sender = senderOf(tx).hex
    for (const { address, before = NOTHING, after = NOTHING } of accounts) {
      let moved = after.balance - before.balance
      let counted = after.nonce - before.nonce
      if (address === sender) {
        moved += boughtGas(this.#block, i) - (tx.gasLimit - gasUsed) * price
        counted -= 1n
      }
      if (address === this.#coinbase) moved -= gasUsed * (this.#paysBaseFee ? price - baseFee : price)
      if (moved === 0n && counted === 0n) continue
      const target = addressOf(address)
      const account = (await this.#manager.getAccount(target)) ?? new Account()
      account.balance += moved
      account.nonce += counted
      await putAccount(target, account)
    }
    for (const { address, key, after } of slots) {
      const put = this.#putSlot(addressOf(address), wordBytes(key), shortBytes(after))
      if (put !== undefined) await put
    }
  }

  /** The accounts behind transaction i. */
  #pass(i: number): void {
    const changes = this.#result.changes![i - this.#first]
    for (const { address, after } of changes?.accounts ?? []) this.#accounts.set(address, after)
  }
}

const NOTHING: AccountView = { nonce: 0n, balance: 0n, codeHash: EMPTY_CODE_HASH }

/** It moved balances, nonces and slots, and nothing else. */
const isPlain = ({ accounts, cleared, code }: TransactionChanges): boolean => {
  if (cleared !== undefined || code !== undefined) return false
  for (const { before, after } of accounts) {
    if (after === undefined) return false
    if ((before?.codeHash ?? EMPTY_CODE_HASH) !== after.codeHash) return false
  }
  return true
}

const MOST_ADDRESSES = 65_536
const addresses = new Map<string, Address>()

const addressOf = (hex: string): Address => {
  let address = addresses.get(hex)
  if (address === undefined) {
    if (addresses.size === MOST_ADDRESSES) addresses.clear()
    address = new Address(hexToBytes(hex))
    addresses.set(hex, address)
  }
  return address
}

const bytesOf = (hex: string): Uint8Array => hexToBytes(hex)

const wordBytes = (word: bigint): Uint8Array => new Uint8Array(Buffer.from(word.toString(16).padStart(64, '0'), 'hex'))

/** Without leading zeros; no bytes for zero: as SSTORE gives it to the state manager. */
const shortBytes = (word: bigint): Uint8Array => {
  if (word === 0n) return new Uint8Array(0)
  const hex = word.toString(16)
  return new Uint8Array(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
}
