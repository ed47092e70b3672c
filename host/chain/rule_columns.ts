import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { ColumnSource } from '../primitives/column_pool.ts'

/**
 * The gas of each transaction that does not depend on execution. Doubles are exact: calldata is below 2^32 bytes.
 *
 * intrinsic   f64[n]   charged before the first step (YP 6.2; EIP-2, 2028, 2930, 3860, 7702)
 * floor       f64[n]   least gas used in the end (EIP-7623, Prague); 0 before
 */
export interface GasBounds {
  readonly intrinsic: Float64Array
  readonly floor: Float64Array
}

/**
 * The rules that a transaction meets whatever the state is. Words are in limb order, 8 u32 each.
 *
 * gasLimit    f64[n]     as a double: exact below 2^53, and no rule tells larger ones apart; the block's gas does,
 *                        and reads the batch's own column (settle/block_gas.ts)
 * price       u32[8 n]   wei per gas that the sender pays (EIP-1559 effective gas price)
 * priority    u32[8 n]   the part of it that the coinbase gets; the rest is burnt
 * cost        u32[8 n]   wei the sender must hold: gas limit * max fee per gas + value + blob gas * max fee per blob
 *                        gas
 * rejection   u8[n]      REJECTION code, 0 where no static rule is broken; the columns above are zero where one is
 *                        broken that makes them meaningless
 *
 * A deposit pays nothing and breaks no static rule: its price, priority and cost are zero.
 */
export interface RuleColumns extends GasBounds {
  readonly gasLimit: Float64Array
  readonly price: Uint32Array
  readonly priority: Uint32Array
  readonly cost: Uint32Array
  readonly rejection: Uint8Array
}

/** Bytes of the columns of a transaction. */
export const RULE_BYTES = 3 * 32 + 3 * 8 + 1

export const ruleColumns = (count: number, from: ColumnSource): RuleColumns => ({
  intrinsic: from.f64(count),
  floor: from.f64(count),
  gasLimit: from.f64(count),
  price: from.u32(LIMBS_PER_WORD * count),
  priority: from.u32(LIMBS_PER_WORD * count),
  cost: from.u32(LIMBS_PER_WORD * count),
  rejection: from.u8(count),
})

/** What the gas of a transaction depends on beside itself. */
export interface GasTerms {
  readonly nonZeroGas: number
  readonly createGas: number
  readonly initcodeWordGas: number
  readonly hasFloor: boolean
  /** The whole little-endian words of the memory of calldata, from the one that data begins in. */
  readonly words: Uint32Array
}

/** What the rules of a transaction depend on beside itself. */
export interface RuleTerms extends GasTerms {
  readonly highestType: number
  readonly gasCap: number
  readonly initcodeCap: number
  readonly baseFee: Uint32Array
  /** The same where it is below 2^64. */
  readonly base: bigint | undefined
  /** The same as a number. */
  readonly baseNumber: number
}
