import { bytesToHex } from '../../primitives/hex.ts'
import { refuse } from '../../primitives/input.ts'
import { type BlockHeader, nextBaseFeeBy } from '../header.ts'
import { isOpActive, type OpBaseFee, type OpChain, opForkAt } from './op_chain.ts'
import { isOpAtLeast, type OpFork } from './op_forks.ts'

/** What the header of a block says of the base fee of the one after it: 9 bytes from Holocene on, 17 from Jovian on. */
interface BaseFeeTerms {
  readonly denominator: bigint
  readonly elasticity: bigint
  readonly minBaseFee: bigint
}

/** The version that extra data begins with. */
const HOLOCENE_VERSION = 0
const JOVIAN_VERSION = 1

/** What is wrong with the extra data of a block at this fork, in words; undefined where nothing is. */
export const extraDataFault = (extraData: string, fork: OpFork): string | undefined => {
  const bytes = Buffer.from(extraData.slice(2), 'hex')
  if (!isOpAtLeast(fork, 'holocene')) return bytes.length === 0 ? undefined : 'no bytes before holocene'
  const isJovian = isOpAtLeast(fork, 'jovian')
  const length = isJovian ? 17 : 9
  const version = isJovian ? JOVIAN_VERSION : HOLOCENE_VERSION
  if (bytes.length !== length || bytes[0] !== version) return `${length} bytes of version ${version} at ${fork}`
  if (bytes.readUInt32BE(1) === 0 || bytes.readUInt32BE(5) === 0) return 'a denominator and an elasticity above 0'
  return undefined
}

/** Extra data that was checked, of a block at a fork from Holocene on. */
const termsOf = (extraData: string): BaseFeeTerms => {
  const bytes = Buffer.from(extraData.slice(2), 'hex')
  return {
    denominator: BigInt(bytes.readUInt32BE(1)),
    elasticity: BigInt(bytes.readUInt32BE(5)),
    minBaseFee: bytes.length === 17 ? bytes.readBigUInt64BE(9) : 0n,
  }
}

/** Attributes of a block that its extra data is made of. */
export interface BaseFeeAttributes {
  /** 8 bytes, 0x-hex: denominator and elasticity, big-endian u32 each; both zero: what the chain has. */
  readonly eip1559Params?: string
  /** From Jovian on: wei per gas. */
  readonly minBaseFee?: bigint
}

/** The extra data of a block with these attributes. Throws InputError where the fork wants others. */
export const extraDataOf = ({ baseFee }: OpChain, fork: OpFork, attributes: BaseFeeAttributes): string => {
  const { eip1559Params, minBaseFee } = attributes
  const isHolocene = isOpAtLeast(fork, 'holocene')
  if (isHolocene !== (eip1559Params !== undefined))
    refuse('eip1559Params', eip1559Params, isHolocene ? '8 bytes from holocene on' : 'nothing before holocene')
  const isJovian = isOpAtLeast(fork, 'jovian')
  if (isJovian !== (minBaseFee !== undefined))
    refuse('minBaseFee', minBaseFee, isJovian ? 'a number from jovian on' : 'nothing before jovian')
  if (eip1559Params === undefined) return '0x'
  if (!/^0x[0-9a-fA-F]{16}$/.test(eip1559Params)) refuse('eip1559Params', eip1559Params, '8 bytes, 0x-hex')
  const given = Buffer.from(eip1559Params.slice(2), 'hex')
  const [denominator, elasticity] = [given.readUInt32BE(0), given.readUInt32BE(4)]
  if ((denominator === 0) !== (elasticity === 0))
    refuse('eip1559Params', eip1559Params, 'a denominator and an elasticity, both above 0 or both 0')
  const bytes = Buffer.alloc(isJovian ? 17 : 9)
  bytes[0] = isJovian ? JOVIAN_VERSION : HOLOCENE_VERSION
  bytes.writeUInt32BE(denominator || Number(baseFee.denominatorCanyon), 1)
  bytes.writeUInt32BE(elasticity || Number(baseFee.elasticity), 5)
  if (minBaseFee !== undefined) {
    if (minBaseFee < 0n || minBaseFee >> 64n !== 0n) refuse('minBaseFee', minBaseFee, 'below 2^64')
    bytes.writeBigUInt64BE(minBaseFee, 9)
  }
  return bytesToHex(bytes)
}

type Parent = Pick<BlockHeader, 'baseFeePerGas' | 'gasLimit' | 'gasUsed' | 'blobGasUsed' | 'extraData' | 'timestamp'>

/**
 * Base fee of the block after `parent`: by what the parent's header says from Holocene on. From Jovian on a parent
 * counts as full as the larger of its gas and its DA footprint, and the fee does not fall below the header's minimum.
 * Throws InputError where the parent is no block of this chain.
 */
export const opNextBaseFee = (chain: OpChain, parent: Parent, timestamp: bigint): bigint => {
  const fork = opForkAt(chain, parent.timestamp)
  const wrong = isOpAtLeast(fork, 'holocene') ? extraDataFault(parent.extraData, fork) : undefined
  if (wrong !== undefined) refuse('parent.extraData', parent.extraData, wrong)
  const least = leastGasLimit(chain, fork, parent.extraData)
  if (parent.gasLimit < least) refuse('parent.gasLimit', parent.gasLimit, `at least the elasticity ${least}`)
  if (!isOpAtLeast(fork, 'holocene')) return nextBaseFeeBy(parent, chainTerms(chain, timestamp))
  const { denominator, elasticity, minBaseFee } = termsOf(parent.extraData)
  const footprint = isOpAtLeast(fork, 'jovian') ? (parent.blobGasUsed ?? 0n) : 0n
  const gasUsed = footprint > parent.gasUsed ? footprint : parent.gasUsed
  const fee = nextBaseFeeBy({ ...parent, gasUsed }, { denominator, elasticity })
  if (fee > minBaseFee) return fee
  return minBaseFee
}

/** Gas limit below which a block has no target, by which the base fee of the next one is reckoned. */
export const leastGasLimit = ({ baseFee }: OpChain, fork: OpFork, extraData: string): bigint =>
  isOpAtLeast(fork, 'holocene') ? termsOf(extraData).elasticity : baseFee.elasticity

const chainTerms = (chain: OpChain, timestamp: bigint): Pick<OpBaseFee, 'elasticity' | 'denominator'> => {
  const { elasticity, denominator, denominatorCanyon } = chain.baseFee
  return { elasticity, denominator: isOpActive(chain, 'canyon', timestamp) ? denominatorCanyon : denominator }
}
