import { ENVIRONMENT_WORDS } from '../../transpiler/layout/environment.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { wordFromBigInt } from '../primitives/word.ts'

/**
 * The block as its transactions see it. Addresses are 0x-hex; `prevRandao` is a word.
 *
 * Example: {@link ExecuteRequest}.
 */
export interface BlockEnvironment {
  readonly number: bigint
  /** Seconds. */
  readonly timestamp: bigint
  readonly coinbase: string
  readonly gasLimit: bigint
  /** Wei per gas; 0n before London. */
  readonly baseFeePerGas: bigint
  /** PREVRANDAO after the merge, DIFFICULTY before it. */
  readonly prevRandao: bigint
  /** Wei per blob gas; 1n where not given. */
  readonly blobBaseFee?: bigint
  /** Blobs that the block may hold (EIP-7892); what the fork brought with it where not given. */
  readonly maxBlobs?: number
}

/** The words of ENVIRONMENT_WORDS by name. */
export const environmentValues = (env: BlockEnvironment, chainId: bigint) => ({
  number: env.number,
  timestamp: env.timestamp,
  coinbase: BigInt(env.coinbase),
  prevrandao: env.prevRandao,
  gaslimit: env.gasLimit,
  chainid: chainId,
  basefee: env.baseFeePerGas,
  blobbasefee: env.blobBaseFee ?? 1n,
})

/** The words of ENVIRONMENT_WORDS in limbs, one after another. */
export const environmentWords = (env: BlockEnvironment, chainId: bigint): Uint32Array => {
  const words = new Uint32Array(ENVIRONMENT_WORDS.length * LIMBS_PER_WORD)
  const values = environmentValues(env, chainId)
  ENVIRONMENT_WORDS.forEach((name, i) => {
    wordFromBigInt(words, LIMBS_PER_WORD * i, values[name])
  })
  return words
}
