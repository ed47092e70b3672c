import type { Builder } from '../ir/builder.ts'
import type { ValueId } from '../ir/path_ir.ts'
import { describeValue } from '../ir/text.ts'
import { bytesToWord, type CodeSkeleton, codeSkeleton } from '../skeleton.ts'
import { delegateOf, isDelegation } from '../spec/delegation.ts'
import { isAtLeast } from '../spec/forks.ts'
import { keysByAddress } from './access_list.ts'
import type { Guards } from './guards.ts'
import type { Word } from './memory.ts'
import { type RecordedTransaction, type RecordState, Unsupported } from './transaction.ts'

/** Addresses up to here are precompiles, or may become some (EIP-7951 uses 0x100). */
const LAST_LOW_ADDRESS = 0x1ffn
const ADDRESS_MASK = (1n << 160n) - 1n

/**
 * An account the path touches. Two addresses of one path that were equal in the recorded transaction share one; guards
 * make that so for every lane, and keep different accounts different.
 */
export interface PathAccount {
  readonly address: Word
  /** u32 value: its id in the account table. */
  readonly id: ValueId
  readonly exists: boolean
  readonly balance: bigint
  readonly code: Uint8Array
  readonly skeleton: CodeSkeleton | undefined
  /**
   * The account whose code runs in its place (EIP-7702). Its skeleton, which has nothing lifted, says so in every lane.
   */
  readonly delegate?: bigint
  readonly isSender: boolean
  /** Warm before the first access (entry, sender, coinbase from Shanghai on, what the access list names). */
  readonly startsWarm: boolean
  /** Storage keys that the access list names for it. */
  readonly listedKeys: ReadonlySet<bigint>
}

const NO_KEYS: ReadonlySet<bigint> = new Set()

export class PathAccounts {
  readonly all: PathAccount[] = []
  private readonly builder: Builder
  private readonly guards: Guards
  private readonly transaction: RecordedTransaction
  private readonly state: RecordState
  private readonly listed: ReadonlyMap<bigint, ReadonlySet<bigint>>

  constructor(builder: Builder, guards: Guards, transaction: RecordedTransaction, state: RecordState) {
    this.builder = builder
    this.guards = guards
    this.transaction = transaction
    this.state = state
    this.listed = keysByAddress(transaction.accessList)
  }

  /** The called account: its id is an input, so one path serves every instance of the same skeleton. */
  async entry(): Promise<PathAccount> {
    const id = this.builder.make('entry', [])
    const address = { concrete: this.transaction.to, value: this.builder.make('address', [id]) }
    const record = await this.state.account(address.concrete)
    // Only an account that runs another's code may send a transaction and be called by it.
    const mayBeSender = record !== undefined && this.delegateOf(record.code) !== undefined
    const sender = this.builder.make('caller', [])
    const isSender = mayBeSender && this.relation(address, sender, this.transaction.from, 'the sender')
    const account = await this.load(address, id, isSender, true, this.keysOf(address, true))
    this.all.push(account)
    return account
  }

  /** The account that `word` names by its low 160 bits; made, with its alias guards, when it is new. */
  async resolve(word: Word, pc: number): Promise<PathAccount> {
    const address: Word = {
      concrete: word.concrete & ADDRESS_MASK,
      value: this.builder.make('and', [word.value, this.builder.constant(ADDRESS_MASK)]),
    }
    if (address.concrete <= LAST_LOW_ADDRESS) throw new Unsupported('low address', pc)
    const known = this.all.find((account) => account.address.concrete === address.concrete)
    if (known !== undefined) {
      this.guards.equal(
        address.value,
        known.address.value,
        () => `account ${this.name(address)} is ${this.name(known.address)}`,
      )
      return known
    }
    return this.add(address)
  }

  private name(address: Word): string {
    return describeValue(this.builder.values, address.value)
  }

  private async add(address: Word): Promise<PathAccount> {
    const { builder, guards, transaction } = this
    const low = builder.make('lt', [builder.constant(LAST_LOW_ADDRESS), address.value])
    guards.require(low, () => `${this.name(address)} is no precompile`)
    const isSender = this.relation(address, builder.make('caller', []), transaction.from, 'the sender')
    const coinbase = builder.make('environment', [], 'coinbase')
    const isCoinbase = this.relation(address, coinbase, transaction.environment.coinbase, 'the coinbase')
    const id = builder.make('account', [address.value])
    for (const other of this.all) {
      const same = builder.make('eq', [address.value, other.address.value])
      if (builder.constantOf(same) === 0n) continue
      guards.requireNot(
        builder.make('eq32', [id, other.id]),
        () => `account ${this.name(address)} is not ${this.name(other.address)}`,
      )
    }
    const warmCoinbase = isCoinbase && isAtLeast(transaction.fork, 'shanghai')
    const isWarm = isSender || warmCoinbase
    const keys = this.keysOf(address, isWarm)
    const account = await this.load(address, id, isSender, isWarm || this.listed.has(address.concrete), keys)
    this.all.push(account)
    return account
  }

  /**
   * The keys that the access list names for an account, under guards that it is the entry's address, or no entry's. Of
   * an account that is warm anyway only entries with keys matter.
   */
  private keysOf(address: Word, isWarm: boolean): ReadonlySet<bigint> {
    const own = this.listed.get(address.concrete)
    for (const [listed, keys] of own === undefined ? this.listed : [[address.concrete, own] as const]) {
      if (isWarm && keys.size === 0) continue
      this.relation(address, this.builder.constant(listed), listed, 'in the access list')
    }
    return own ?? NO_KEYS
  }

  private delegateOf(code: Uint8Array): bigint | undefined {
    return isAtLeast(this.transaction.fork, 'prague') && isDelegation(code) ? bytesToWord(delegateOf(code)) : undefined
  }

  /** Guards that `address` equals `other`, or does not, as in the recorded transaction. */
  private relation(address: Word, other: ValueId, concrete: bigint, what: string): boolean {
    const equal = this.builder.make('eq', [address.value, other])
    const same = address.concrete === concrete
    if (same) this.guards.require(equal, () => `${this.name(address)} is ${what}`)
    else this.guards.requireNot(equal, () => `${this.name(address)} is not ${what}`)
    return same
  }

  private async load(
    address: Word,
    id: ValueId,
    isSender: boolean,
    startsWarm: boolean,
    listedKeys: ReadonlySet<bigint>,
  ): Promise<PathAccount> {
    const record = await this.state.account(address.concrete)
    const code = record?.code ?? new Uint8Array(0)
    const delegate = this.delegateOf(code)
    return {
      ...(delegate === undefined ? {} : { delegate }),
      address,
      id,
      exists: record !== undefined,
      balance: record?.balance ?? 0n,
      code,
      skeleton: code.length === 0 ? undefined : codeSkeleton(code),
      isSender,
      startsWarm,
      listedKeys,
    }
  }
}
