import { checkArray, checkHex, checkObject, checkUnsigned } from '../primitives/input.ts'
import { rlpHex, rlpInteger, rlpList } from '../primitives/rlp.ts'

/**
 * A withdrawal of the beacon chain (EIP-4895). The amount is in Gwei; the address is 0x-hex.
 *
 * Example: {@link withdrawalsRoot}.
 */
export interface Withdrawal {
  readonly index: bigint
  readonly validatorIndex: bigint
  readonly address: string
  readonly amount: bigint
}

export const WEI_PER_GWEI = 1_000_000_000n

export const encodeWithdrawal = ({ index, validatorIndex, address, amount }: Withdrawal): Uint8Array =>
  rlpList([rlpInteger(index), rlpInteger(validatorIndex), rlpHex(address), rlpInteger(amount)])

/** Types and ranges of their fields. Throws InputError. */
export const checkWithdrawals = (value: unknown, field: string): void => {
  const withdrawals = checkArray(value, field, 'an array of withdrawals')
  for (let n = 0; n < withdrawals.length; n++) {
    const { index, validatorIndex, address, amount } = checkObject(withdrawals[n], `${field}[${n}]`)
    checkUnsigned(index, 64, `${field}[${n}].index`)
    checkUnsigned(validatorIndex, 64, `${field}[${n}].validatorIndex`)
    checkHex(address, 20, `${field}[${n}].address`)
    checkUnsigned(amount, 64, `${field}[${n}].amount`)
  }
}
