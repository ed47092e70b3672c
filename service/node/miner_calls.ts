/** How blocks are built, told while the node runs (`miner_` of op-geth). */
export interface MinerCalls {
  /** Extra data of blocks, 0x-hex, at most 32 bytes; on the OP stack blocks have their own. */
  setExtra(extraData: string): Promise<void>
  /** Wei per gas that a transaction of the pool must pay above the base fee to be taken. */
  setGasPrice(wei: bigint): Promise<void>
  /** What the gas limit of blocks should come to; on the OP stack attributes say it. */
  setGasLimit(gas: bigint): Promise<void>
  /**
   * On the OP stack: estimated bytes (Fjord) that one transaction of the pool, and all of them in a block, may come to
   * in a batch. 0: any.
   */
  setMaxDaSize(transactionBytes: bigint, blockBytes: bigint): Promise<void>
}
