import { createHash } from 'node:crypto'
import type { Log } from './log.ts'

/**
 * Requests of a block to the consensus layer: one byte string for each type, without the type (EIP-7685).
 *
 * Example: {@link BlockInput}.
 */
export interface Requests {
  readonly deposits: Uint8Array
  readonly withdrawals: Uint8Array
  readonly consolidations: Uint8Array
}

/** Deposit contracts by chain id, as the configurations of the networks name them: mainnet, Sepolia, Holesky, Hoodi. */
const DEPOSIT_CONTRACTS: ReadonlyMap<bigint, string> = new Map([
  [1n, '0x00000000219ab540356cbb839cbe05303d7705fa'],
  [11_155_111n, '0x7f02c3e3c98b133055b8b348b2ac625669ed295d'],
  [17_000n, '0x4242424242424242424242424242424242424242'],
  [560_048n, '0x00000000219ab540356cbb839cbe05303d7705fa'],
])
const DEPOSIT_TOPIC = '0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5'

/**
 * Hash of the requests (EIP-7685): SHA-256 of the SHA-256 of each type byte with its data, in the order of the types; a
 * type without data does not count.
 */
export const requestsHash = ({ deposits, withdrawals, consolidations }: Requests): string => {
  const outer = createHash('sha256')
  for (const [type, data] of [deposits, withdrawals, consolidations].entries()) {
    if (data.length > 0) outer.update(createHash('sha256').update(Uint8Array.of(type)).update(data).digest())
  }
  return `0x${outer.digest('hex')}`
}

const NOTHING = new Uint8Array(0)

/** Requests of a block that makes none. */
export const NO_REQUESTS: Requests = { deposits: NOTHING, withdrawals: NOTHING, consolidations: NOTHING }
export const NO_REQUESTS_HASH = requestsHash(NO_REQUESTS)

/**
 * A log of the deposit contract that is no DepositEvent as the contract emits it: such a block is invalid (EIP-6110).
 */
class DepositLogError extends Error {
  override readonly name = 'DepositLogError'
}

/**
 * Fields of a DepositEvent: name, position of its offset, offset, bytes. Data is 576 bytes: five offsets, then each
 * field as length and bytes, padded to whole words.
 */
const DEPOSIT_FIELDS = [
  ['public key', 160, 48],
  ['withdrawal credentials', 256, 32],
  ['amount', 320, 8],
  ['signature', 384, 96],
  ['index', 512, 8],
] as const
const DEPOSIT_LOG_BYTES = 576

/**
 * The contract whose logs are deposits (EIP-6110), 0x-hex in lower case; undefined where the chain has none, as on
 * every chain that is not named here: no log is then a deposit.
 */
export const depositContractAt = (chainId: bigint): string | undefined => DEPOSIT_CONTRACTS.get(chainId)

/** The deposit request of a log, or undefined where it is not a log of a deposit by `contract` (EIP-6110). */
export const depositOfLog = ({ address, topics, data }: Log, contract: string): Uint8Array | undefined => {
  if (address !== contract || topics[0] !== DEPOSIT_TOPIC) return undefined
  const bytes = Buffer.from(data.slice(2), 'hex')
  if (bytes.length !== DEPOSIT_LOG_BYTES)
    throw new DepositLogError(`deposit log: ${bytes.length} bytes of data, expected ${DEPOSIT_LOG_BYTES}`)
  const parts: Uint8Array[] = []
  for (const [n, [name, offset, length]] of DEPOSIT_FIELDS.entries()) {
    if (!isWord(bytes, 32 * n, offset)) throw new DepositLogError(`deposit log: ${name} is not at offset ${offset}`)
    if (!isWord(bytes, offset, length)) throw new DepositLogError(`deposit log: ${name} has not ${length} bytes`)
    parts.push(bytes.subarray(offset + 32, offset + 32 + length))
  }
  return new Uint8Array(Buffer.concat(parts))
}

const isWord = (bytes: Buffer, at: number, value: number): boolean => {
  for (let n = 0; n < 28; n++) if (bytes[at + n] !== 0) return false
  return bytes.readUInt32BE(at + 28) === value
}
