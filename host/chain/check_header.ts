import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { GAS_PER_BLOB } from '../../transpiler/spec/gas.ts'
import {
  type BlobSchedule,
  type BlockHeader,
  EMPTY_LIST_HASH,
  gasLimitBounds,
  headerHash,
  nextBaseFee,
  nextExcessBlobGas,
} from './header.ts'
import type { HeaderFault } from './header_fault.ts'
import { headerFields } from './header_fields.ts'
import type { OpRules } from './op/op_chain.ts'
import { opHeaderFault } from './op/op_header.ts'

const MAX_EXTRA_BYTES = 32
export const MAX_GAS_LIMIT = 2n ** 63n - 1n

/**
 * The first field of a header that breaks a rule which needs no execution; undefined where none does. The rules between
 * blocks are checked where the parent is given. Proof of work (difficulty, mix hash, nonce before Paris) is not
 * checked. `chain`: of a block of the OP stack.
 */
export const headerFault = (
  header: BlockHeader,
  fork: Fork,
  parent?: BlockHeader,
  schedule?: BlobSchedule,
  chain?: OpRules,
): HeaderFault | undefined => {
  for (const check of [ownFault, presenceFault, mergeFault]) {
    const found = check(header, fork)
    if (found !== undefined) return found
  }
  if (chain !== undefined) return opHeaderFault(header, chain, parent)
  if (header.blobGasUsed !== undefined && schedule !== undefined) {
    const most = BigInt(schedule.maxBlobs * GAS_PER_BLOB)
    if (header.blobGasUsed > most) return fault(header, 'blobGasUsed', `at most ${most}`)
    if (header.blobGasUsed % BigInt(GAS_PER_BLOB) !== 0n)
      return fault(header, 'blobGasUsed', `a multiple of ${GAS_PER_BLOB}`)
  }
  return parent === undefined ? undefined : parentFault(header, fork, parent, schedule)
}

const fault = (header: BlockHeader, field: keyof BlockHeader, actual: string): HeaderFault => ({
  field,
  stated: String(header[field] ?? 'nothing'),
  actual,
})

/** Lengths, and bounds of the header alone. */
const ownFault = (header: BlockHeader): HeaderFault | undefined => {
  for (const [field, { bytes }] of Object.entries(headerFields)) {
    const value = header[field as keyof BlockHeader]
    if (typeof value !== 'string' || bytes === undefined) continue
    if (!/^0x([0-9a-f]{2})*$/.test(value) || value.length !== 2 + 2 * bytes)
      return fault(header, field as keyof BlockHeader, `${bytes} bytes of lower-case hex`)
  }
  if (!/^0x([0-9a-f]{2})*$/.test(header.extraData) || header.extraData.length > 2 + 2 * MAX_EXTRA_BYTES)
    return fault(header, 'extraData', `at most ${MAX_EXTRA_BYTES} bytes of lower-case hex`)
  if (header.gasLimit > MAX_GAS_LIMIT) return fault(header, 'gasLimit', `at most ${MAX_GAS_LIMIT}`)
  if (header.gasUsed > header.gasLimit)
    return fault(header, 'gasUsed', `at most the block's gas limit ${header.gasLimit}`)
  return undefined
}

/** Which fields the fork has. */
const presenceFault = (header: BlockHeader, fork: Fork): HeaderFault | undefined => {
  for (const [name, { since }] of Object.entries(headerFields)) {
    if (since === undefined) continue
    const field = name as keyof BlockHeader
    const isThere = header[field] !== undefined
    if (isThere === isAtLeast(fork, since)) continue
    return fault(header, field, isThere ? `nothing before ${since}` : `a value from ${since} on`)
  }
  return undefined
}

/** EIP-3675: what proof of work needed is constant from Paris on. */
const mergeFault = (header: BlockHeader, fork: Fork): HeaderFault | undefined => {
  if (!isAtLeast(fork, 'paris')) return undefined
  if (header.difficulty !== 0n) return fault(header, 'difficulty', '0 from paris on')
  if (BigInt(header.nonce) !== 0n) return fault(header, 'nonce', '0 from paris on')
  if (header.uncleHash !== EMPTY_LIST_HASH) return fault(header, 'uncleHash', 'that of no uncles from paris on')
  return undefined
}

const parentFault = (
  header: BlockHeader,
  fork: Fork,
  parent: BlockHeader,
  schedule: BlobSchedule | undefined,
): HeaderFault | undefined => {
  if (header.number !== parent.number + 1n) return fault(header, 'number', `${parent.number + 1n}`)
  const parentHash = headerHash(parent)
  if (header.parentHash !== parentHash) return fault(header, 'parentHash', parentHash)
  if (header.timestamp <= parent.timestamp) return fault(header, 'timestamp', `above the parent's ${parent.timestamp}`)
  const { least, most } = gasLimitBounds(parent, fork)
  if (header.gasLimit < least || header.gasLimit > most)
    return fault(header, 'gasLimit', `from ${least} to ${most} behind a parent with ${parent.gasLimit}`)
  if (isAtLeast(fork, 'london')) {
    const baseFee = nextBaseFee(parent)
    if (header.baseFeePerGas !== baseFee) return fault(header, 'baseFeePerGas', `${baseFee}`)
  }
  if (schedule !== undefined) {
    const excess = nextExcessBlobGas(parent, fork, schedule)
    if (header.excessBlobGas !== excess) return fault(header, 'excessBlobGas', `${excess}`)
  }
  return undefined
}
