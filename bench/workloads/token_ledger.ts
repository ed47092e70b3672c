import { wordAdd, wordFromNumber, wordSub } from '../../host/primitives/word.ts'
import type { Token } from '../contracts/tokens.ts'
import { type Genesis, mappingKeys, repeatAddress, repeatWord } from './genesis.ts'
import type { SlotColumns } from './workload.ts'

/**
 * The balances that a token must hold, kept by plain addition and subtraction: the model that every measured block is
 * checked against, slot by slot. Holders are numbered by their place in `addresses`.
 */
export class TokenLedger {
  readonly expected: SlotColumns
  readonly #funded: number
  readonly #amount = new Uint32Array(8)

  /** The first `funded` holders begin with the token's initial balance, the rest with nothing. */
  constructor(token: Token, addresses: Uint32Array, funded: number) {
    this.#funded = funded
    const count = addresses.length / 5
    const values = new Uint32Array(8 * count)
    values.set(repeatWord(token.initialBalance, funded))
    this.expected = {
      count,
      addresses: repeatAddress(token.address, count),
      keys: mappingKeys(addresses, count, token.balanceSlot),
      values,
    }
  }

  /** Writes the funded balances into the pre-state. */
  install(genesis: Genesis): void {
    genesis.slots(this.expected, this.#funded)
  }

  credit(holder: number, amount: number): void {
    wordFromNumber(this.#amount, 0, amount)
    wordAdd(this.expected.values, 8 * holder, this.expected.values, 8 * holder, this.#amount, 0)
  }

  debit(holder: number, amount: number): void {
    wordFromNumber(this.#amount, 0, amount)
    wordSub(this.expected.values, 8 * holder, this.expected.values, 8 * holder, this.#amount, 0)
  }
}
