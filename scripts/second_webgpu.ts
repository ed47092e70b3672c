import { type Form, runForm } from '../bench/forms.ts'
import type { OpenAdapter } from '../host/device/adapter.ts'
import { deviceOn } from '../host/device/device.ts'

/**
 * The executor on the WebGPU of the runtime itself, in place of Dawn's: under Deno that is wgpu with the compiler naga.
 * scripts/second_webgpu.sh runs it. Arguments: forms (kernel, program, laneVm).
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
for (const form of process.argv.slice(2) as Form[]) {
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
