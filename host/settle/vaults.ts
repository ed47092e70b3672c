import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { OpenBatch } from '../batch/open_batch.ts'
import { type OpCharges, operatorFeeWord } from '../chain/op/charges.ts'
import { isOpAtLeast } from '../chain/op/op_forks.ts'
import { wordFromBigInt, wordSub } from '../primitives/word.ts'
import { FeeSum } from './fees.ts'

const scratch = new Uint32Array(LIMBS_PER_WORD)

/**
 * Fees on their way to the vaults of a chain of the OP stack, in the order of VAULTS: base fee, L1 fee, operator fee.
 * Sums, like those of the coinbase.
 */
export class VaultSums {
  readonly charges: OpCharges
  readonly baseFee = new Uint32Array(LIMBS_PER_WORD)
  /** Vaults that each payer touches, even by nothing. */
  readonly touched: number
  readonly #sums = [new FeeSum(), new FeeSum(), new FeeSum()] as const

  /** Undefined on Ethereum. */
  static of({ rules, env }: OpenBatch): VaultSums | undefined {
    const { charges } = rules
    return charges === undefined ? undefined : new VaultSums(charges, env.baseFeePerGas)
  }

  private constructor(charges: OpCharges, baseFee: bigint) {
    this.charges = charges
    this.touched = isOpAtLeast(charges.fork, 'isthmus') ? 3 : 2
    wordFromBigInt(this.baseFee, 0, baseFee)
  }

  /** Takes the fees of transaction i from the balance at `at`; what the sender pays by gas has its base fee in it. */
  charge(i: number, gas: number, balances: Uint32Array, at: number): void {
    const { l1Fee, operator } = this.charges
    const [base, l1, paidOperator] = this.#sums
    base.add(this.baseFee, 0, gas)
    wordSub(balances, at, balances, at, l1Fee, LIMBS_PER_WORD * i)
    l1.addWord(l1Fee, LIMBS_PER_WORD * i)
    if (operator === undefined) return
    operatorFeeWord(scratch, 0, operator, gas)
    wordSub(balances, at, balances, at, scratch, 0)
    paidOperator.addWord(scratch, 0)
  }

  /** Adds to vault `n`. */
  add(n: number, amount: Uint32Array, at: number): void {
    this.#sums[n]!.addWord(amount, at)
  }

  isZero(n: number): boolean {
    return this.#sums[n]!.isZero
  }

  /** Moves the sum of vault `n` to a balance. */
  settle(n: number, balances: Uint32Array, at: number): void {
    this.#sums[n]!.settle(balances, at)
  }

  /** What a pass over columns has taken by itself: gas of its transactions, and words of L1 and operator fees. */
  addColumns(gas: number, words: Uint32Array, l1At: number, operatorAt: number): void {
    this.#sums[0].add(this.baseFee, 0, gas)
    this.#sums[1].addWord(words, l1At)
    this.#sums[2].addWord(words, operatorAt)
  }
}
