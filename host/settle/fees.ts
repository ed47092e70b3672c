import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { wordAdd, wordIsZero, wordMulNumber } from '../primitives/word.ts'
import { isShort } from '../state/tables/balances.ts'

const LIMB = 0x1_0000_0000

const scratch = new Uint32Array(LIMBS_PER_WORD)

/**
 * Fees on their way to the coinbase: a delta that nothing but the coinbase's own balance depends on, so it is summed
 * limb by limb without carries and settled when code looks at the balance. Exact for 2^21 fees between two settlements.
 */
export class FeeSum {
  #low = 0
  #middle = 0
  #high = 0
  #count = 0
  readonly #long = new Uint32Array(LIMBS_PER_WORD)

  /** Adds price * gas. */
  add(price: Uint32Array, at: number, gas: number): void {
    if (!isShort(price, at, gas)) {
      wordMulNumber(scratch, 0, price, at, gas)
      wordAdd(this.#long, 0, this.#long, 0, scratch, 0)
      return
    }
    const p0 = price[at]! * gas
    const c0 = Math.floor(p0 / LIMB)
    const p1 = price[at + 1]! * gas + c0
    const c1 = Math.floor(p1 / LIMB)
    this.#low += p0 - c0 * LIMB
    this.#middle += p1 - c1 * LIMB
    this.#high += c1
    if (++this.#count === MOST_FEES) this.#carry()
  }

  addWord(amount: Uint32Array, at: number): void {
    wordAdd(this.#long, 0, this.#long, 0, amount, at)
  }

  get isZero(): boolean {
    return this.#low + this.#middle + this.#high === 0 && wordIsZero(this.#long, 0)
  }

  /** Moves the sum to a balance. */
  settle(balances: Uint32Array, at: number): void {
    this.#carry()
    wordAdd(balances, at, balances, at, this.#long, 0)
    this.#long.fill(0)
  }

  #carry(): void {
    const c0 = Math.floor(this.#low / LIMB)
    const middle = this.#middle + c0
    const c1 = Math.floor(middle / LIMB)
    const high = this.#high + c1
    scratch.fill(0)
    scratch[0] = this.#low - c0 * LIMB
    scratch[1] = middle - c1 * LIMB
    scratch[2] = high % LIMB
    scratch[3] = Math.floor(high / LIMB)
    wordAdd(this.#long, 0, this.#long, 0, scratch, 0)
    this.#low = 0
    this.#middle = 0
    this.#high = 0
    this.#count = 0
  }
}

const MOST_FEES = 1 << 20
