import { keccak_256 } from '@noble/hashes/sha3.js'
import { DeviceClock } from '../../host/device/clock.ts'
import type { HashPlan, NodeHasher } from '../../host/primitives/hash_plan.ts'
import { hashInJavaScript, SERIAL_HASHER } from '../../host/primitives/keccak_many.ts'
import { ThreadsHasher } from '../../host/primitives/threads_hasher.ts'
import { createDeviceHasher } from '../../host/roots/device_hasher.ts'
import { indexPlan } from '../../host/roots/index_trie.ts'
import { keccakCompiled } from '../../transpiler/keccak256.ts'
import { KECCAK_RATE_BYTES } from '../../transpiler/layout/word.ts'
import { createRandom } from '../random.ts'
import { type Part, type PartOptions, type PartRow, partRow } from './part.ts'

/** Bytes of a receipt of an ERC-20 payment, which is a leaf of four blocks. */
const VALUE_BYTES = 432
const BLOCKS_PER_VALUE = 4.27

/** The trie of so many receipts as a plan, about `size` permutations. */
const receiptsPlan = (seed: number, size: number): HashPlan => {
  const count = Math.max(1, Math.round(size / BLOCKS_PER_VALUE))
  const { plan, valueAt } = indexPlan(new Uint32Array(count).fill(VALUE_BYTES))
  const random = createRandom(seed, 'keccak')
  for (const at of valueAt) for (let n = 0; n < VALUE_BYTES; n += 9) plan.bytes[at + n] = random.u32()
  return plan
}

const permutationsOf = ({ lengths }: HashPlan): number =>
  lengths.reduce((sum, length) => sum + Math.floor(length / KECCAK_RATE_BYTES) + 1, 0)

/** Of @noble/hashes. */
const digestsOf = ({ count, bytes, offsets, lengths, holeStart, holeAt, holeOf }: HashPlan): Uint8Array => {
  const digests = new Uint8Array(32 * count)
  for (let m = 0; m < count; m++) {
    const message = bytes.slice(offsets[m]!, offsets[m]! + lengths[m]!)
    for (let hole = holeStart[m]!; hole < holeStart[m + 1]!; hole++) {
      const of = 32 * holeOf[hole]!
      message.set(digests.subarray(of, of + 32), holeAt[hole]! - offsets[m]!)
    }
    digests.set(keccak_256(message), 32 * m)
  }
  return digests
}

interface MeasuredForm {
  readonly name: string
  readonly isPeer: boolean
  readonly hasher: NodeHasher
  readonly samplesMs: number[]
}

const hashWasm: NodeHasher = {
  name: 'hash-wasm',
  hash: async (plan) => hashInJavaScript(plan),
  close: () => {},
}

const formsOf = ({ device }: PartOptions): readonly MeasuredForm[] => {
  const threads = new ThreadsHasher()
  const form = (name: string, hasher: NodeHasher, isPeer = false) => ({ name, isPeer, hasher, samplesMs: [] })
  return [
    form('device', createDeviceHasher(device)),
    ...(threads.threads > 1 ? [form(`WebAssembly, ${threads.threads} threads`, threads)] : []),
    form('WebAssembly, 1 thread', SERIAL_HASHER),
    form('hash-wasm, 1 thread', hashWasm, true),
  ]
}

const verify = (form: string, found: Uint8Array, expected: Uint8Array): void => {
  if (Buffer.compare(found, expected) !== 0) throw new Error(`${form}: a digest is not that of @noble/hashes`)
}

/** What dispatches take in a run of its own. */
const timedOnDevice = async (plan: HashPlan, { device }: PartOptions): Promise<number | undefined> => {
  const clock = new DeviceClock(device)
  const hasher = createDeviceHasher(clock.device)
  try {
    await hasher.hash(plan)
    clock.begin()
    await hasher.hash(plan)
    return clock.times.totalMs
  } finally {
    hasher.close()
  }
}

const run = async (options: PartOptions): Promise<readonly PartRow[]> => {
  const { size, samples, seed, step } = options
  step('hashing by @noble/hashes')
  const plan = receiptsPlan(seed, size)
  const expected = digestsOf(plan)
  await keccakCompiled
  const forms = formsOf(options)
  try {
    for (const { name, hasher } of forms) {
      step(`warming up ${name}`)
      verify(name, await hasher.hash(plan), expected)
    }
    // One after another in each sample: what else runs on the machine meets all of them.
    for (let n = 0; n < samples; n++)
      for (const { name, hasher, samplesMs } of forms) {
        step(`sample ${n + 1} of ${samples}, ${name}`)
        const startedMs = performance.now()
        const found = await hasher.hash(plan)
        samplesMs.push(performance.now() - startedMs)
        verify(name, found, expected)
      }
    step('timing the device')
    const deviceMs = await timedOnDevice(plan, options)
    const count = permutationsOf(plan)
    return forms.map(({ name, isPeer, samplesMs }) =>
      partRow({
        form: name,
        isPeer,
        count,
        samplesMs,
        verified: 'every digest of every sample is that of @noble/hashes',
        ...(name === 'device' && deviceMs !== undefined ? { deviceMs } : {}),
        note: `the trie of ${plan.levels[1]!} receipts of ${VALUE_BYTES} bytes`,
      }),
    )
  } finally {
    for (const { hasher } of forms) hasher.close()
  }
}

export const keccakPart: Part = {
  name: 'keccak',
  title: 'keccak-256 of the nodes of a trie of receipts',
  unit: 'keccak-f',
  size: 262_144,
  run,
}
