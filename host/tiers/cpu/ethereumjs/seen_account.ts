import { Account, equalsBytes, KECCAK256_NULL, MAX_UINT64 } from '@ethereumjs/util'
import type { AccountRead } from '../../../state/snapshot.ts'

/** What is left of an account's values when a transaction has looked at them only in part (SnapshotReads.seen). */
export interface Observed {
  nonce: bigint
  balance: bigint
  codeHash: Uint8Array
  /** Balance before the transaction. */
  readonly baseBalance: bigint
  /** The transaction would have gone the same way on every balance from here ... */
  leastBalance: bigint
  /** ... to here. */
  mostBalance: bigint
  nonceRead: AccountRead['nonce']
}

/** The transaction depends on the very balance. */
export const pinBalance = (observed: Observed): void => {
  observed.leastBalance = observed.baseBalance
  observed.mostBalance = observed.baseBalance
}

/**
 * An account that notes what is asked of it. A balance only ever has amounts added that do not depend on it, so what it
 * was before stays a summand; a comparison then bounds that summand, a look at the value pins it. Credits and debits
 * (`moveBalance`) note nothing. Code and existence are not told apart from the whole.
 */
export class SeenAccount extends Account {
  readonly #observed: Observed
  /** While set, the balance is read in order to be compared with this amount. */
  comparesWith: bigint | undefined

  constructor(observed: Observed, storageRoot?: Uint8Array) {
    super(observed.nonce, observed.balance, storageRoot, observed.codeHash)
    this.#observed = observed
  }

  isOf(observed: Observed): boolean {
    return this.#observed === observed
  }

  /** The account takes these values. */
  giveBack(): void {
    const observed = this.#observed
    observed.nonce = this._nonce!
    observed.balance = this._balance!
    observed.codeHash = this._codeHash!
  }

  isBelow(amount: bigint): boolean {
    const observed = this.#observed
    const balance = this._balance!
    const bound = observed.baseBalance + amount - balance
    if (balance < amount) {
      if (bound <= observed.mostBalance) observed.mostBalance = bound - 1n
      return true
    }
    if (bound > observed.leastBalance) observed.leastBalance = bound
    return false
  }

  /** Of a contract that creates another. False where the nonce is the last one (EIP-2681). */
  countUp(): boolean {
    const observed = this.#observed
    const nonce = this._nonce!
    if (nonce === MAX_UINT64) {
      observed.nonceRead = 'same'
      return false
    }
    if (observed.nonceRead !== 'same') observed.nonceRead = 'counted'
    this._nonce = nonce + 1n
    return true
  }

  move(amount: bigint): void {
    this._balance = this._balance! + amount
  }

  override get balance(): bigint {
    if (this.comparesWith !== undefined) this.isBelow(this.comparesWith)
    else pinBalance(this.#observed)
    return this._balance!
  }

  override set balance(balance: bigint) {
    pinBalance(this.#observed)
    this._balance = balance
  }

  override get nonce(): bigint {
    this.#observed.nonceRead = 'same'
    return this._nonce!
  }

  override set nonce(nonce: bigint) {
    this.#observed.nonceRead = 'same'
    this._nonce = nonce
  }

  /** EIP-161. */
  override isEmpty(): boolean {
    if (!equalsBytes(this._codeHash!, KECCAK256_NULL)) return false
    if (this.#observed.nonceRead === 'any') this.#observed.nonceRead = 'zero'
    return this._nonce === 0n && this.isBelow(1n)
  }
}

/** Whether the account has less than `amount` wei. */
export const isBelow = (account: Account, amount: bigint): boolean =>
  account instanceof SeenAccount ? account.isBelow(amount) : account.balance < amount

/** Credits the account, or debits it where `amount` is negative. */
export const moveBalance = (account: Account, amount: bigint): void => {
  if (account instanceof SeenAccount) account.move(amount)
  else account.balance += amount
}
