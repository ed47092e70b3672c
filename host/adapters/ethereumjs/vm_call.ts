import type { EVMResult, EVMRunCallOpts } from '@ethereumjs/evm'
import { effectivePrice, senderOf, type VmBlock } from './vm_block.ts'

/** Versions of @ethereumjs/vm whose `runTx` is known here: the peer range of the package. */
export const KNOWN_VM = '10.1.0 to 10.1.3'

/** What `runTx` of every known version gives its call. */
const KNOWN_OPTIONS = [
  'block',
  'gasPrice',
  'caller',
  'gasLimit',
  'to',
  'value',
  'data',
  'blobVersionedHashes',
  'accessWitness',
] as const
/** From 10.1.3 on runTx counts the sender's nonce itself and says so. */
const COUNTS_NONCE = 'skipNonceIncrement'

const known = new Set<string>([...KNOWN_OPTIONS, COUNTS_NONCE])

/** A call that `runTx` makes for a transaction of a block. */
export interface RecognizedCall {
  /** Position of the transaction. */
  readonly i: number
  /** Whether the sender's nonce is counted before the call. */
  readonly nonceCounted: boolean
}

/** A call that runTx of no known version makes: what is different, for people. */
export interface UnknownCall {
  readonly unknown: string
}

/**
 * The transaction of the block that `runTx` calls for. Undefined for any other call. Positions are searched from
 * `expected` on, so of equal transactions the next one is found.
 */
export const recognizeCall = (
  block: VmBlock,
  opts: EVMRunCallOpts,
  expected: number,
): RecognizedCall | UnknownCall | undefined => {
  const i = placeOf(block, opts, expected)
  if (i < 0) return undefined
  for (const name of KNOWN_OPTIONS) if (!(name in opts)) return undefined
  for (const [name, value] of Object.entries(opts))
    if (value !== undefined && !known.has(name)) return { unknown: `the call has the option '${name}'` }
  const tx = block.transactions[i]!
  const gasLimit = tx.gasLimit - tx.getIntrinsicGas()
  if (opts.gasLimit !== gasLimit) return { unknown: `the call has ${opts.gasLimit} gas, not ${gasLimit}` }
  const price = effectivePrice(tx, block.header.baseFeePerGas ?? 0n)
  if (opts.gasPrice !== price) return { unknown: `the call has the gas price ${opts.gasPrice}, not ${price}` }
  return { i, nonceCounted: opts[COUNTS_NONCE] === true }
}

/** Position of the transaction whose parts the call has; -1 where it is none of the block's. */
const placeOf = ({ transactions }: VmBlock, opts: EVMRunCallOpts, expected: number): number => {
  for (let n = 0; n < transactions.length; n++) {
    const i = (expected + n) % transactions.length
    const tx = transactions[i]!
    if (
      tx.data === opts.data &&
      tx.to === opts.to &&
      tx.value === opts.value &&
      opts.caller !== undefined &&
      senderOf(tx).address.equals(opts.caller)
    )
      return i
  }
  return -1
}

/**
 * The result as every known runTx takes it. Before 10.1.2 the EVM gave the Set of addresses that destroyed themselves,
 * since then a Map by address: iterated over, this one gives the addresses, and its `entries` are those of the Map.
 */
export const forEveryVm = (result: EVMResult, opts: EVMRunCallOpts): EVMResult => {
  const { selfdestruct } = result.execResult
  if (selfdestruct === undefined || !('accessWitness' in opts) || opts[COUNTS_NONCE] === true) return result
  const addresses = new Map(selfdestruct)
  Object.defineProperty(addresses, Symbol.iterator, { value: addresses.keys })
  result.execResult.selfdestruct = addresses
  return result
}

let hasWarned = false

/** Tells once in a process that blocks are not executed ahead, and why. */
export const warnOfUnknownVm = ({ unknown }: UnknownCall): void => {
  if (hasWarned) return
  hasWarned = true
  process.emitWarning(
    `createGpuEvm does not know this @ethereumjs/vm (known: ${KNOWN_VM}): ${unknown}; ` +
      'its blocks run on the stock EVM, at its speed',
    { type: 'WgevmWarning', code: 'WGEVM_UNKNOWN_VM' },
  )
}
