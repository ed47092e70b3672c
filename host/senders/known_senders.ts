import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { checkArray, checkHex, InputError } from '../primitives/input.ts'
import { addressFromHex } from '../primitives/word.ts'

/**
 * Senders of signed transactions that the caller knows, by transaction: u32[5 n] as in `TransactionBatch.from`, or
 * 0x-hex. One that is zero, or undefined, is recovered from its signature. Any other is **taken as given**: a wrong one
 * executes the transaction for an account that has not signed it. Deposits, which are not signed, name their sender
 * themselves; authorizations (EIP-7702) are recovered in any case.
 *
 * @example
 * import type { KnownSenders } from 'wgevm'
 *
 * const senders: KnownSenders = ['0x00000000000000000000000000000000000a11ce', undefined]
 * console.log(senders.length) // 2
 */
export type KnownSenders = Uint32Array | readonly (string | undefined)[]

/** That there are senders for so many transactions. Throws InputError. */
export const checkKnownSenders = (senders: unknown, count: number): void => {
  if (senders instanceof Uint32Array) {
    const limbs = LIMBS_PER_ADDRESS * count
    if (senders.length === limbs) return
    const expected = `${limbs} limbs for ${count} transactions`
    throw new InputError(`senders must have ${expected}, got ${senders.length}`, 'senders', senders.length)
  }
  const known = checkArray(senders, 'senders', 'a Uint32Array of limbs or an array of 0x-hex')
  if (known.length !== count)
    throw new InputError(
      `senders must be as many as the ${count} transactions, got ${known.length}`,
      'senders',
      known.length,
    )
  for (let i = 0; i < count; i++) if (known[i] !== undefined) checkHex(known[i], 20, `senders[${i}]`)
}

/** The column of checked senders: zero where one is not known. Undefined: none is. */
export const knownColumn = (senders: KnownSenders | undefined): Uint32Array | undefined => {
  if (senders === undefined || senders instanceof Uint32Array) return senders
  const column = new Uint32Array(LIMBS_PER_ADDRESS * senders.length)
  for (let i = 0; i < senders.length; i++) {
    const sender = senders[i]
    if (sender !== undefined) addressFromHex(column, LIMBS_PER_ADDRESS * i, sender)
  }
  return column
}
