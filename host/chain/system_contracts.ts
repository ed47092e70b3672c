/** Roots of beacon blocks, from Cancun on (EIP-4788). */
export const BEACON_ROOTS_CONTRACT = '0x000f3df6d732807ef1319fb7b8bb8522d0beac02'
/** Hashes of ancestors, from Prague on (EIP-2935). */
export const HISTORY_CONTRACT = '0x0000f90827f1c53a10cb7a02335b175320002935'
/** Requests for withdrawals, from Prague on (EIP-7002). */
export const WITHDRAWALS_CONTRACT = '0x00000961ef480eb55e80d19ad83579a64c007002'
/** Requests for consolidations, from Prague on (EIP-7251). */
export const CONSOLIDATIONS_CONTRACT = '0x0000bbddc7ce488642fb579f8b00f3a590007251'
