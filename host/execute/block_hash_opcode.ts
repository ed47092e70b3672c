import type { EVMOpts } from '@ethereumjs/evm'
import { BLOCK_HASH_WINDOW } from '../../transpiler/spec/gas.ts'
import { baseGasAt, OPCODES } from '../../transpiler/spec/opcodes.ts'

type CustomOpcode = NonNullable<EVMOpts['customOpcodes']>[number]

/**
 * What blockchains of @ethereumjs packages answer. The one that an EVM declares takes doubles alone; `Blockchain.getBlock` of
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

const BLOCKHASH = OPCODES.find(({ mnemonic }) => mnemonic === 'BLOCKHASH')!

/**
 * BLOCKHASH (YP H.2, 0x40) at the full width of block numbers: the stock one asks for another block from 2^53 on, because it turns
 * the number into a double.
 */
export const BLOCK_HASH_OPCODE: CustomOpcode = {
  opcode: BLOCKHASH.code,
  opcodeName: BLOCKHASH.mnemonic,
  baseFee: baseGasAt(BLOCKHASH, 'frontier'),
  logicFunction: async ({ stack, interpreter, blockchain }) => {
    const number = stack.pop()
    const distance = interpreter.getBlockNumber() - number
    const isAncestor = distance > 0n && distance <= BigInt(BLOCK_HASH_WINDOW)
    const hash = isAncestor ? await ancestorHash(blockchain as Ancestors, number) : new Uint8Array(0)
    stack.push(hash.length === 0 ? 0n : BigInt(`0x${Buffer.from(hash).toString('hex')}`))
  },
}
