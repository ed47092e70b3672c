import { type Form, runForm } from '../bench/forms.ts'
import type { OpenAdapter } from '../host/device/adapter.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import { deviceOn } from '../host/device/device.ts'
import { addressOfPublicKey, recoverPublicKey } from '../host/primitives/secp256k1.ts'
import { addressFromBytes } from '../host/primitives/word.ts'
import { createDeviceRecovery } from '../host/senders/device_recovery.ts'

/**
 * The executor on the WebGPU of the runtime itself, in place of Dawn's: under Deno that is wgpu with the compiler naga.
 * scripts/second_webgpu.sh runs it. Arguments: forms (kernel, program, laneVm), and senders.
 */
const ADAPTER_NAMES = /llvmpipe|lavapipe/i

const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu
const adapter = await gpu?.requestAdapter()
if (gpu === undefined || !adapter) throw new Error('this runtime has no WebGPU adapter')
const { description, device: model, vendor } = adapter.info
const name = description || model
const software = ADAPTER_NAMES.test(name)
const open: OpenAdapter = {
  instance: gpu,
  adapter,
  kind: software ? 'lavapipe' : 'gpu',
  name,
  driver: '',
  vendor: String(vendor),
  software,
}
const device = await deviceOn(open)
console.log(`${name}, features ${[...device.features].join(' ')}`)
const workloads = { kernel: ['erc20', 256], program: ['mixed', 256], laneVm: ['mixed', 256] } as const

/** Recovers signatures, half of which have no point, and compares each with the host. */
const verifySenders = async (target: ComputeDevice, count: number): Promise<void> => {
  const startedMs = performance.now()
  const [hash, rs] = [new Uint8Array(32 * count), new Uint8Array(64 * count)]
  const parity = Uint8Array.from({ length: count }, (_, i) => i & 1)
  for (const bytes of [hash, rs]) {
    for (let i = 0; i < bytes.length; i++) bytes[i] = (Math.imul(i + 1, 0x9e3779b1) >>> 16) & 255
  }
  const recovery = createDeviceRecovery(target)
  const { addresses, found } = await recovery.recover({ hash, rs, parity })
  const expected = { addresses: new Uint32Array(5 * count), found: new Uint8Array(count) }
  for (let i = 0; i < count; i++) {
    const signature = rs.subarray(64 * i, 64 * (i + 1))
    const key = recoverPublicKey(hash.subarray(32 * i, 32 * (i + 1)), signature, i % 2 === 0 ? 0 : 1)
    if (key === undefined) continue
    expected.found[i] = 1
    addressFromBytes(expected.addresses, 5 * i, addressOfPublicKey(key), 0)
  }
  if (!expected.found.includes(1) || `${found}` !== `${expected.found}` || `${addresses}` !== `${expected.addresses}`) {
    throw new Error('senders: the device and the host differ')
  }
  recovery.close()
  console.log(`senders: ${count} verified in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
}

for (const form of process.argv.slice(2) as (Form | 'senders')[]) {
  if (form === 'senders') {
    await verifySenders(device, 256)
    continue
  }
  const startedMs = performance.now()
  const [workload, size] = workloads[form]
  const tiers = await runForm(device, form, { workload, size, blocks: 2 })
  const expected = { kernel: 'pathKernel', program: 'pathProgram', laneVm: 'laneVm' }[form]
  if (tiers.some((counts) => !counts[expected])) throw new Error(`${form}: nothing ran as ${expected}`)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  console.log(`${form}: ${workload}, 2 blocks of ${size} verified in ${seconds} s: ${JSON.stringify(tiers[1])}`)
}
device.destroy()
process.exit(0)
