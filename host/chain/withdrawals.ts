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
