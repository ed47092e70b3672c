import { checkCount, checkHex, checkNames, checkObject, checkUnsigned, type Names } from '../primitives/input.ts'
import type { BlockEnvironment } from './environment.ts'

const NAMES: Names<BlockEnvironment> = {
  number: true,
  timestamp: true,
  coinbase: true,
  gasLimit: true,
  baseFeePerGas: true,
  prevRandao: true,
  blobBaseFee: true,
  maxBlobs: true,
}

/** The environment, where its values are what transactions can see: words, and an address. Throws InputError. */
export const checkEnvironment = (value: unknown, field = 'env'): BlockEnvironment => {
  const env = checkObject(value, field, 'a block environment')
  checkNames(env, NAMES, `field of ${field}`)
  for (const name of ['number', 'timestamp', 'gasLimit', 'baseFeePerGas', 'prevRandao'])
    checkUnsigned(env[name], 256, `${field}.${name}`)
  checkHex(env['coinbase'], 20, `${field}.coinbase`)
  if (env['blobBaseFee'] !== undefined) checkUnsigned(env['blobBaseFee'], 256, `${field}.blobBaseFee`)
  if (env['maxBlobs'] !== undefined) checkCount(env['maxBlobs'], 0, `${field}.maxBlobs`)
  return value as BlockEnvironment
}
