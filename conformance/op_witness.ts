import { basename } from 'node:path'
import type { BlockHeader } from '../host/chain/header.ts'
import { type OpChain, readOpChain } from '../host/chain/op/op_chain.ts'
import type { BlockAttributes } from '../host/flows/build_request.ts'
import { hexToBytes } from '../host/primitives/hex.ts'
import { InputError } from '../host/primitives/input.ts'
import {
  type At,
  addressOf,
  bytesOf,
  field,
  hashOf,
  indexOf,
  listOf,
  matching,
  type ObjectAt,
  objectOf,
  optional,
  refuse,
  textOf,
} from './json_field.ts'
import { readJsonFile } from './json_file.ts'

const WITNESS_SCHEMA = 'op-block-witness/1'

/**
 * A block of a chain of the OP stack before it is built: its parent, its attributes, and every trie node, code and
 * header that it touches.
 */
export interface OpWitness {
  readonly file: string
  /** The file without its folder and endings. */
  readonly name: string
  readonly chain: OpChain
  readonly chainId: bigint
  readonly parent: BlockHeader
  readonly attributes: BlockAttributes
  readonly expectedHash: string
  readonly preimages: readonly Uint8Array[]
}

/** Reads `op-block-witness/1`, as JSON or gzip of it. Throws FixtureError. */
export const readOpWitness = (file: string): OpWitness =>
  parseOpWitness(readJsonFile(file, `JSON, or gzip of it, with schema '${WITNESS_SCHEMA}'`))

/** Whether a file says that it is one. Throws FixtureError where it cannot be read. */
export const isOpWitness = (file: string): boolean => {
  const { value } = readJsonFile(file, 'JSON, or gzip of it')
  return typeof value === 'object' && value !== null && 'schema' in value && value.schema === WITNESS_SCHEMA
}

/** The same of a file that was read. */
const parseOpWitness = (at: At): OpWitness => {
  const root = objectOf(at)
  const schema = field(root, 'schema')
  if (schema.value !== WITNESS_SCHEMA) refuse(schema, `'${WITNESS_SCHEMA}'`)
  const config = objectOf(field(root, 'rollupConfig'))
  return {
    file: at.file,
    name: basename(at.file).replace(/\.json(\.gz)?$/, ''),
    chain: chainOf(config),
    chainId: BigInt(indexOf(field(config, 'l2_chain_id'))),
    parent: headerOf(objectOf(field(root, 'parentHeader'))),
    attributes: attributesOf(objectOf(field(root, 'payload'))),
    expectedHash: hashOf(field(root, 'expectedBlockHash')),
    preimages: listOf(field(root, 'preimages')).map((one) =>
      hexToBytes(`0x${matching(one, /^([0-9a-f]{2})*$/, 'bytes in hex without 0x')}`),
    ),
  }
}

const chainOf = (config: ObjectAt): OpChain => {
  try {
    return readOpChain(config.value, 'rollupConfig')
  } catch (thrown) {
    if (thrown instanceof InputError) return refuse(config, `a chain of the OP stack: ${thrown.message}`)
    throw thrown
  }
}

const quantityOf = (at: At): bigint => BigInt(matching(at, /^0x[0-9a-f]{1,64}$/, 'a quantity, 0x-hex'))

const headerOf = (at: ObjectAt): BlockHeader => {
  const text = (name: string): string => bytesOf(field(at, name))
  const quantity = (name: string): bigint => quantityOf(field(at, name))
  const has = (name: string): boolean => optional(at, name) !== undefined
  return {
    parentHash: text('parentHash'),
    uncleHash: text('sha3Uncles'),
    coinbase: text('miner'),
    stateRoot: text('stateRoot'),
    transactionsRoot: text('transactionsRoot'),
    receiptsRoot: text('receiptsRoot'),
    logsBloom: text('logsBloom'),
    difficulty: quantity('difficulty'),
    number: quantity('number'),
    gasLimit: quantity('gasLimit'),
    gasUsed: quantity('gasUsed'),
    timestamp: quantity('timestamp'),
    extraData: text('extraData'),
    mixHash: text('mixHash'),
    nonce: text('nonce'),
    ...(has('baseFeePerGas') ? { baseFeePerGas: quantity('baseFeePerGas') } : {}),
    ...(has('withdrawalsRoot') ? { withdrawalsRoot: text('withdrawalsRoot') } : {}),
    ...(has('blobGasUsed') ? { blobGasUsed: quantity('blobGasUsed') } : {}),
    ...(has('excessBlobGas') ? { excessBlobGas: quantity('excessBlobGas') } : {}),
    ...(has('parentBeaconBlockRoot') ? { parentBeaconBlockRoot: text('parentBeaconBlockRoot') } : {}),
    ...(has('requestsHash') ? { requestsHash: text('requestsHash') } : {}),
  }
}

const attributesOf = (at: ObjectAt): BlockAttributes => {
  const beaconRoot = optional(at, 'parentBeaconBlockRoot')
  const params = optional(at, 'eip1559Params')
  const minBaseFee = optional(at, 'minBaseFee')
  return {
    timestamp: quantityOf(field(at, 'timestamp')),
    coinbase: addressOf(field(at, 'suggestedFeeRecipient')),
    prevRandao: hashOf(field(at, 'prevRandao')),
    gasLimit: quantityOf(field(at, 'gasLimit')),
    transactions: listOf(field(at, 'transactions')).map((raw) => hexToBytes(textOf(raw))),
    noTxPool: true,
    ...(beaconRoot === undefined ? {} : { parentBeaconBlockRoot: hashOf(beaconRoot) }),
    ...(params === undefined ? {} : { eip1559Params: bytesOf(params) }),
    ...(minBaseFee === undefined ? {} : { minBaseFee: quantityOf(minBaseFee) }),
  }
}
