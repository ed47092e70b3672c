import { createKeccak } from 'hash-wasm'
import { KERNELS } from '../../kernels/linked.generated.ts'
import { HASH_MULTIPLIER } from '../../transpiler/layout/tables.ts'
import type { Binding } from './binding.ts'
import type { ComputeDevice } from './compute_device.ts'

/** A measured rate of a device. */
export interface Rate {
  readonly name: 'keccak-f' | 'mul256'
  readonly perSecond: number
  /** Wall time of the driver's compiler (pipeline and first dispatch). */
  readonly compileMs: number
  readonly laneCount: number
  readonly iterations: number
  /** Lanes whose result was recomputed on the host and found equal. */
  readonly verifiedLanes: number
}

/** A device computed something else than the host: its other results cannot be trusted either. */
class WrongResultError extends Error {
  override readonly name = 'WrongResultError'
}

interface RateKernel {
  readonly name: Rate['name']
  readonly entry: string
  /** The word of a lane after this many iterations, as kernels/entry/<entry>.wgsl defines it. */
  readonly expected: (lane: number, iterations: number) => Promise<bigint>
}

const BINDINGS: readonly Binding[] = [
  { binding: 0, type: 'uniform' },
  { binding: 1, type: 'storage' },
]
const WORKGROUP = 64
const WORD_BYTES = 32
const MOST_ITERATIONS = 4096
const LANES = { software: 1 << 12, hardware: 1 << 20 } as const
const SAMPLES = 4
/** A probe shorter than this says little. */
const PROBE_MS = 8

/**
 * Measures the rates that bound EVM execution, about `budgetMs` of device time in all, compilation aside. Throws
 * WrongResultError.
 */
export const measureRates = async (device: ComputeDevice, budgetMs = 1600): Promise<Rate[]> => {
  const rates: Rate[] = []
  for (const kernel of RATE_KERNELS) rates.push(await measureRate(device, kernel, budgetMs / RATE_KERNELS.length))
  return rates
}

const measureRate = async (
  device: ComputeDevice,
  { name, entry, expected }: RateKernel,
  budgetMs: number,
): Promise<Rate> => {
  const wgsl = KERNELS[entry]
  if (wgsl === undefined) throw new Error(`kernels/linked.generated.ts has no ${entry}`)
  const kernel = await device.kernel({ label: entry, wgsl, entryPoint: entry, bindings: BINDINGS })
  const compileMs = kernel.compileMs + (await kernel.warmUp())
  const laneCount = device.software ? LANES.software : LANES.hardware
  const parameters = device.uniform(`${entry} parameters`, 16)
  const words = device.storage(`${entry} words`, laneCount * WORD_BYTES)
  try {
    const bindGroup = device.bindGroup(kernel, [
      { binding: 0, buffer: parameters },
      { binding: 1, buffer: words },
    ])
    const dispatchMs = async (iterations: number): Promise<number> => {
      device.upload(parameters, 0, Uint32Array.of(laneCount, iterations, 0, 0))
      const { dispatchNs, elapsedMs } = await device.run(
        [{ kind: 'dispatch', kernel, bindGroup, workgroups: laneCount / WORKGROUP }],
        { timestamps: true },
      )
      const ns = dispatchNs?.[0]
      return ns === undefined || ns <= 0 ? elapsedMs : ns / 1e6
    }
    let iterations = 1
    let probeMs = await dispatchMs(iterations)
    while (probeMs < PROBE_MS && iterations < MOST_ITERATIONS) {
      iterations *= 4
      probeMs = await dispatchMs(iterations)
    }
    iterations = Math.max(1, Math.min(MOST_ITERATIONS, Math.floor((iterations * budgetMs) / (SAMPLES + 1) / probeMs)))
    const times: number[] = []
    for (let i = 0; i < SAMPLES; i++) times.push(await dispatchMs(iterations))
    times.sort((a, b) => a - b)
    const medianMs = (times[1]! + times[2]!) / 2
    const lanes = [0, 1, WORKGROUP, laneCount - 1]
    const { reads } = await device.run([], {
      reads: lanes.map((lane) => ({ buffer: words, byteOffset: lane * WORD_BYTES, byteLength: WORD_BYTES })),
    })
    for (const [i, lane] of lanes.entries()) {
      const found = limbsToWord(reads[i]!)
      const right = await expected(lane, iterations)
      if (found !== right) {
        throw new WrongResultError(
          `${device.name} computes ${entry} wrongly: lane ${lane} gives 0x${found.toString(16)}, not 0x${right.toString(16)}`,
        )
      }
    }
    const perSecond = (laneCount * iterations * 1000) / medianMs
    return { name, perSecond, compileMs, laneCount, iterations, verifiedLanes: lanes.length }
  } finally {
    parameters.destroy()
    words.destroy()
  }
}

const limbsToWord = (limbs: Uint32Array): bigint => limbs.reduceRight((word, limb) => (word << 32n) | BigInt(limb), 0n)

const expectedKeccak = async (lane: number, iterations: number): Promise<bigint> => {
  const keccak = await createKeccak(256)
  let bytes = new Uint8Array(WORD_BYTES)
  new DataView(bytes.buffer).setUint32(WORD_BYTES - 4, lane)
  for (let i = 0; i < iterations; i++) bytes = new Uint8Array(keccak.init().update(bytes).digest('binary'))
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

const expectedMul = async (lane: number, iterations: number): Promise<bigint> => {
  const limbs = Uint32Array.from({ length: 8 }, (_, k) => Math.imul(8 * lane + k + 1, HASH_MULTIPLIER))
  const y = limbsToWord(limbs)
  let x = y
  for (let i = 0n; i < BigInt(iterations); i++) x = BigInt.asUintN(256, x * y) ^ i
  return x
}

const RATE_KERNELS: readonly RateKernel[] = [
  { name: 'keccak-f', entry: 'keccak_rate', expected: expectedKeccak },
  { name: 'mul256', entry: 'mul_rate', expected: expectedMul },
]
