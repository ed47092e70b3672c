import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { OpenBatch } from '../batch/open_batch.ts'
import { TYPE_DEPOSIT } from '../chain/batch.ts'
import { REJECTION, type Rejection } from '../chain/rejection.ts'
import { quantityToBigInt, wordCompare } from '../primitives/word.ts'
import { type AccountTable, HOST_CODE, HOST_LIMBS, ROW_BALANCE, ROW_LIMBS } from '../state/tables/account_table.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import type { BlockGas } from './block_gas.ts'

/** Why transactions of a batch may not be included at their places (REJECTION), by the running values there. */
export class Refusals {
  readonly #openBatch: OpenBatch
  readonly #accounts: AccountTable
  /** Where accounts that run another one's code may send (EIP-7702): the codes by id; undefined before Prague. */
  readonly #delegations: ResidentState['codes'] | undefined

  constructor(fork: Fork, openBatch: OpenBatch, resident: ResidentState) {
    this.#openBatch = openBatch
    this.#accounts = resident.accounts
    this.#delegations = isAtLeast(fork, 'prague') ? resident.codes : undefined
  }

  /**
   * Why transaction i, whose sender has the account `from` now, may not be included where the transactions before it
   * have taken `block` and `blobGasUsed`; 0 where it may.
   */
  of(i: number, from: number, block: BlockGas, blobGasUsed: number): Rejection | 0 {
    const { batch, rules } = this.#openBatch
    const { rows, hosts } = this.#accounts
    const { nonce } = batch
    const { gasLimit, cost, rejection, blobGas } = rules
    const delegations = this.#delegations
    const account = from * HOST_LIMBS
    const code = hosts[account + HOST_CODE]!
    let refusal: Rejection | 0 = 0
    if (batch.type[i] === TYPE_DEPOSIT) refusal = this.ofDeposit(i, block)
    else if (blobGas.length !== 0 && blobGasUsed + blobGas[i]! > rules.maxBlobGas) refusal = REJECTION.blobGasReached
    else if (hosts[account] !== nonce[2 * i] || hosts[account + 1] !== nonce[2 * i + 1])
      refusal = nonceRefusal(hosts, account, nonce, 2 * i)
    else if (
      code !== 0 &&
      this.#openBatch.simulated === undefined &&
      (delegations === undefined || !delegations.codes[code]!.delegation)
    )
      refusal = REJECTION.senderNotEoa
    else if (wordCompare(rows, from * ROW_LIMBS + ROW_BALANCE, cost, i * LIMBS_PER_WORD) < 0)
      refusal = REJECTION.insufficientFunds
    else if (block.used + gasLimit[i]! > block.sure && !this.#fits(i, block)) refusal = REJECTION.gasLimitReached
    const fixed = rejection[i] as Rejection | 0
    return refusal === 0 || (fixed !== 0 && fixed < refusal) ? fixed : refusal
  }

  /** The same of a deposit, whose sender need not be known. */
  ofDeposit(i: number, block: BlockGas): Rejection | 0 {
    const { batch, rules } = this.#openBatch
    const { deposit } = batch.extras.get(i)!
    const isOver = !deposit!.isSystem && block.used + rules.gasLimit[i]! > block.sure && !this.#fits(i, block)
    return isOver ? REJECTION.gasLimitReached : 0
  }

  /** Whether transaction i fits into the block where doubles do not say so. */
  #fits(i: number, block: BlockGas): boolean {
    return block.fits(quantityToBigInt(this.#openBatch.batch.gasLimit, 2 * i))
  }
}

const nonceRefusal = (have: Uint32Array, hi: number, given: Uint32Array, gi: number): Rejection => {
  const high = given[gi + 1]! - have[hi + 1]!
  return (high !== 0 ? high : given[gi]! - have[hi]!) < 0 ? REJECTION.nonceTooLow : REJECTION.nonceTooHigh
}
