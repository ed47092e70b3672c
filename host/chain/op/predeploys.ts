/** Accounts of the protocol (op-stack specification, predeploys), 0x-hex in lower case. */
export const L1_BLOCK = '0x4200000000000000000000000000000000000015'
export const MESSAGE_PASSER = '0x4200000000000000000000000000000000000016'
const BASE_FEE_VAULT = '0x4200000000000000000000000000000000000019'
const L1_FEE_VAULT = '0x420000000000000000000000000000000000001a'
const OPERATOR_FEE_VAULT = '0x420000000000000000000000000000000000001b'

/** What transactions pay beside the coinbase, in the order of the columns and sums of vaults. */
export const VAULTS = [BASE_FEE_VAULT, L1_FEE_VAULT, OPERATOR_FEE_VAULT] as const
