import { BLOCK_HASH_WINDOW } from '../../../../transpiler/spec/gas.ts'
import type { Operation } from './instructions.ts'

/**
 * What blockchains of @ethereumjs packages answer. The one that an EVM declares takes doubles alone;
 * `Blockchain.getBlock` of
 * @ethereumjs/blockchain takes bigints too.
 */
export interface Ancestors {
  getBlock(number: number | bigint): Promise<{ hash(): Uint8Array }>
}

/** The hash of a block; by bigint only where a double does not hold its number. */
export const ancestorHash = async (ancestors: Ancestors, number: bigint): Promise<Uint8Array> => {
  const isDouble = number <= BigInt(Number.MAX_SAFE_INTEGER)
  return (await ancestors.getBlock(isDouble ? Number(number) : number)).hash()
}

/**
 * BLOCKHASH (YP H.2, 0x40) at the full width of block numbers; of its future form, which reads a contract (EIP-7709),
 * the stock one.
 */
export const pushAncestorHash =
  (stock: Operation['opHandler']): Operation['opHandler'] =>
  async (runState, common) => {
    if (common.isActivatedEIP(7709)) return stock(runState, common)
    const { stack, interpreter, blockchain } = runState
    const number = stack.pop()
    const distance = interpreter.getBlockNumber() - number
    const isAncestor = distance > 0n && distance <= BigInt(BLOCK_HASH_WINDOW)
    const hash = isAncestor ? await ancestorHash(blockchain as Ancestors, number) : new Uint8Array(0)
    stack.push(hash.length === 0 ? 0n : BigInt(`0x${Buffer.from(hash).toString('hex')}`))
  }
