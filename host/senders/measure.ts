import type { Signatures } from '../chain/signatures.ts'
import { keccak256 } from '../primitives/keccak.ts'
import type { SenderRecovery } from './sender_recovery.ts'

/** What a form takes for n rows: fixedUs + n * rowUs, in microseconds of wall time. */
export interface RecoveryRate {
  readonly fixedUs: number
  readonly rowUs: number
}

/** x of 1 G to 4 G: with any hash and s, a signature of one key each. */
const POINTS = [
  '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798',
  'c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5',
  'f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9',
  'e493dbf1c10d80f3581e4904930b1404cc6c13900ee0758474fa94abe8c4cd13',
].map((hex) => Buffer.from(hex, 'hex'))

/** So many signatures with a public key each: the first rows are the same for every count. */
const probeSignatures = (count: number): Signatures => {
  const hash = new Uint8Array(32 * count)
  const rs = new Uint8Array(64 * count)
  const parity = new Uint8Array(count)
  let seed = new Uint8Array(32)
  for (let i = 0; i < count; i++) {
    seed = keccak256(seed) as Uint8Array<ArrayBuffer>
    hash.set(seed, 32 * i)
    rs.set(POINTS[i % POINTS.length]!, 64 * i)
    rs.set(seed, 64 * i + 32)
    // Below half of the order, and not zero.
    rs[64 * i + 32] = (seed[0]! & 0x3f) | 1
    parity[i] = seed[1]! & 1
  }
  return { hash, rs, parity }
}

/** Shared columns, and a message to each thread. */
export const WORKERS_FIXED_US = 150
/** Rows with which forms are measured; a device also with few: what is left of them is what a call takes. */
const MANY: Readonly<Record<SenderRecovery['name'], number>> = { thread: 64, workers: 512, device: 2048 }
const FEW = 32
/** No device is faster: keeps a rate where rows cost nothing beside dispatches. */
const LEAST_ROW_US = 0.01

/** What a form takes now, over signatures of its own. The first rows start, or compile, what it needs. */
export const measureRecovery = async (recovery: SenderRecovery): Promise<RecoveryRate> => {
  const many = MANY[recovery.name]
  const all = probeSignatures(many)
  const few = probeSignatures(FEW)
  await recovery.recover(few)
  if (recovery.name !== 'device') {
    const fixedUs = recovery.name === 'workers' ? WORKERS_FIXED_US : 0
    return { fixedUs, rowUs: Math.max(LEAST_ROW_US, ((await timeOf(recovery, all)) - fixedUs) / many) }
  }
  const fewUs = await timeOf(recovery, few)
  const rowUs = Math.max(LEAST_ROW_US, ((await timeOf(recovery, all)) - fewUs) / (many - FEW))
  return { fixedUs: Math.max(0, fewUs - FEW * rowUs), rowUs }
}

/** The better of two: whatever else runs only adds to it. */
const timeOf = async (recovery: SenderRecovery, signatures: Signatures): Promise<number> => {
  let bestUs = Infinity
  for (let n = 0; n < 2; n++) {
    const startedMs = performance.now()
    await recovery.recover(signatures)
    bestUs = Math.min(bestUs, 1000 * (performance.now() - startedMs))
  }
  return bestUs
}
