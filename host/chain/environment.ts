/** The block as its transactions see it. Addresses and hashes are 0x-hex. */
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
