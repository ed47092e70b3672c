import type { Signatures } from '../../host/chain/signatures.ts'
import { DeviceClock } from '../../host/device/clock.ts'
import { keccak256 } from '../../host/primitives/keccak.ts'
import { hasNativeRecovery } from '../../host/primitives/secp256k1.ts'
import { createDeviceRecovery } from '../../host/senders/device_recovery.ts'
import type { RecoveredSenders, SenderRecovery } from '../../host/senders/sender_recovery.ts'
import { ThreadRecovery } from '../../host/senders/thread_recovery.ts'
import { WorkersRecovery } from '../../host/senders/workers_recovery.ts'
import { Signers } from '../block/signers.ts'
import { createRandom } from '../random.ts'
import { type Part, type PartOptions, type PartRow, partRow } from './part.ts'

/** Signatures, and who signed them: addresses of keys, five limbs each. */
interface SignedWork {
  readonly signatures: Signatures
  readonly addresses: Uint32Array
}

const SIGNERS = 1024
/** Of so many signatures noble recovers one: it takes ten times as long as the native package. */
const NOBLE_SHARE = 32

const signedWork = (seed: number, count: number): SignedWork => {
  const signers = new Signers(seed)
  const keys = Math.min(SIGNERS, count)
  const people = signers.people(keys, keys, createRandom(seed, 'senders'))
  const addresses = new Uint32Array(5 * count)
  const signatures = { hash: new Uint8Array(32 * count), rs: new Uint8Array(64 * count), parity: new Uint8Array(count) }
  const preimage = new DataView(new ArrayBuffer(8))
  for (let i = 0; i < count; i++) {
    const key = i % keys
    preimage.setUint32(0, seed)
    preimage.setUint32(4, i)
    const hash = keccak256(new Uint8Array(preimage.buffer))
    const { signature, recid } = signers.sign(hash, people, 5 * key)
    signatures.hash.set(hash, 32 * i)
    signatures.rs.set(signature, 64 * i)
    signatures.parity[i] = recid
    addresses.set(people.subarray(5 * key, 5 * key + 5), 5 * i)
  }
  return { signatures, addresses }
}

const firstRows = ({ signatures: { hash, rs, parity }, addresses }: SignedWork, count: number): SignedWork => ({
  signatures: { hash: hash.subarray(0, 32 * count), rs: rs.subarray(0, 64 * count), parity: parity.subarray(0, count) },
  addresses: addresses.subarray(0, 5 * count),
})

/** Throws where a sender is not the one who signed. */
const verify = (form: string, { addresses }: SignedWork, found: RecoveredSenders): void => {
  for (let at = 0; at < addresses.length; at++) {
    const i = Math.floor(at / 5)
    if (found.found[i] !== 1 || found.addresses[at] !== addresses[at])
      throw new Error(`${form}: signature ${i} has another sender`)
  }
}

interface MeasuredForm {
  readonly name: string
  readonly isPeer: boolean
  readonly recovery: SenderRecovery
  readonly work: SignedWork
  readonly note?: string
  readonly samplesMs: number[]
}

const formsOf = (work: SignedWork, { device }: PartOptions): readonly MeasuredForm[] => {
  const count = work.signatures.parity.length
  const workers = new WorkersRecovery()
  const form = (name: string, isPeer: boolean, recovery: SenderRecovery, note?: string): MeasuredForm => ({
    name,
    isPeer,
    recovery,
    work,
    samplesMs: [],
    ...(note === undefined ? {} : { note }),
  })
  const threads = `${workers.threads} threads`
  const native = [
    form('secp256k1, 1 thread', true, new ThreadRecovery(), 'the native package, with the hash that makes an address'),
    ...(workers.threads > 1 ? [form(`secp256k1, ${threads}`, true, workers, 'the same over shared columns')] : []),
  ]
  const noble = form('noble, 1 thread', true, new ThreadRecovery('noble'))
  return [
    form('device', false, createDeviceRecovery(device)),
    ...(hasNativeRecovery ? native : []),
    { ...noble, work: firstRows(work, Math.ceil(count / NOBLE_SHARE)) },
  ]
}

const VERIFIED = 'every address of every sample is that of the key that signed'

/** What dispatches take in a recovery of its own. */
const timedOnDevice = async (work: SignedWork, options: PartOptions): Promise<number | undefined> => {
  const clock = new DeviceClock(options.device)
  const recovery = createDeviceRecovery(clock.device)
  try {
    verify('device, timed', work, await recovery.recover(work.signatures))
    clock.begin()
    await recovery.recover(work.signatures)
    return clock.times.totalMs
  } finally {
    recovery.close()
  }
}

const run = async (options: PartOptions): Promise<readonly PartRow[]> => {
  const { size, samples, seed, step } = options
  step(`signing ${size} hashes`)
  const forms = formsOf(signedWork(seed, size), options)
  try {
    for (const { name, recovery, work } of forms) {
      step(`warming up ${name}`)
      verify(name, work, await recovery.recover(work.signatures))
    }
    // One after another in each sample: what else runs on the machine meets all of them.
    for (let n = 0; n < samples; n++)
      for (const { name, recovery, work, samplesMs } of forms) {
        step(`sample ${n + 1} of ${samples}, ${name}`)
        const startedMs = performance.now()
        const found = await recovery.recover(work.signatures)
        samplesMs.push(performance.now() - startedMs)
        verify(name, work, found)
      }
    step('timing the device')
    const deviceMs = await timedOnDevice(forms[0]!.work, options)
    return forms.map(({ name, isPeer, work, samplesMs, note }) =>
      partRow({
        form: name,
        isPeer,
        count: work.signatures.parity.length,
        samplesMs,
        verified: VERIFIED,
        ...(note === undefined ? {} : { note }),
        ...(isPeer || deviceMs === undefined ? {} : { deviceMs }),
      }),
    )
  } finally {
    for (const { recovery } of forms) recovery.close()
  }
}

/** Senders from signatures: kernels on the device beside the native package and noble. */
export const sendersPart: Part = {
  name: 'senders',
  title: 'recover who signed: device, native package on one and all threads, noble',
  unit: 'recoveries',
  size: 65_536,
  run,
}
