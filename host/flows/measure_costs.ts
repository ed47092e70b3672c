import { codeSkeleton, lowerPath, parsePath } from '../../transpiler/index.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { DeviceCosts } from '../batch/cost.ts'
import { createOpenBatch } from '../batch/open_batch.ts'
import { loadParties } from '../batch/route.ts'
import { encodeBatch } from '../chain/encode_batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { transactionRules } from '../chain/rules.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { Precompiles } from '../precompiles/precompiles.ts'
import { DeviceSession } from '../session/device_session.ts'
import { BlockGas } from '../settle/block_gas.ts'
import { PARTIES } from '../settle/device/columns.ts'
import { SettleKernels } from '../settle/device/kernels.ts'
import { DeviceSweep } from '../settle/device/sweep.ts'
import { UploadWords } from '../settle/device/upload_words.ts'
import { FeeSum } from '../settle/fees.ts'
import { MemoryState } from '../state/memory_state.ts'
import { ResidentState } from '../state/tables/resident_tables.ts'
import { VmRunner } from '../tiers/lane_vm/runner.ts'
import type { PathSource } from '../tiers/path/columns.ts'
import { type PathPlan, planPath } from '../tiers/path/plan.ts'
import { ProgramRunner } from '../tiers/path/programs/runner.ts'

const FORK = 'osaka'
const CHAIN_ID = 1n
const CALLER = '0x00000000000000000000000000000000000000a1'
const CALLED = '0x00000000000000000000000000000000000000c1'
/** n times: PUSH1 1 SWAP1 SUB DUP1 PUSH1 3 JUMPI, for n = CALLDATALOAD(0). */
const LOOP = '0x6000355b60019003806003570000'
const ENV: BlockEnvironment = {
  number: 1n,
  timestamp: 1n,
  coinbase: CALLED,
  prevRandao: 0n,
  gasLimit: 1n << 40n,
  baseFeePerGas: 0n,
}
const SHORT = 64
const LONG = 1024
const SAMPLES = 5
const WORKGROUPS = 64
const LANES = { software: 1 << 12, hardware: 1 << 16 } as const
const MIB = 1 << 20

/**
 * Measures on the device what its waves cost: differences between short and long programs, in one lane and in many.
 * Takes about a second, compilation of the two kernels aside. Rejects with a fault of the device or ShaderCompileError.
 */
export const measureCosts = async (device: ComputeDevice): Promise<DeviceCosts> => {
  const state = MemoryState.from({ [CALLER]: { balance: 1n << 100n }, [CALLED]: { code: LOOP, nonce: 1n } })
  const resident = new ResidentState(state, codeSkeleton)
  const session = new DeviceSession(device, resident)
  session.begin(false)
  try {
    const paths = await measurePrograms(new ProgramRunner(session, CHAIN_ID), resident, device.software)
    const vm = new VmRunner(session, {
      fork: FORK,
      chainId: CHAIN_ID,
      precompiles: new Precompiles(FORK, CHAIN_ID),
    })
    try {
      return {
        ...paths,
        ...(await measureVm(vm, resident, device.software)),
        ...(await measureSettling(session)),
        ...(await measureTransfers(device)),
      }
    } finally {
      vm.destroy()
    }
  } finally {
    session.close()
  }
}

/** Least wall microseconds of a few runs: what disturbs one only adds to it. */
const leastUs = async (run: () => Promise<unknown>): Promise<number> => {
  await run()
  let least = Infinity
  for (let n = 0; n < SAMPLES; n++) {
    const startedMs = performance.now()
    await run()
    least = Math.min(least, 1000 * (performance.now() - startedMs))
  }
  return least
}

/** Of two measurements, per unit; noise may make it less than nothing. */
const slope = (moreUs: number, lessUs: number, units: number): number => Math.max(0, (moreUs - lessUs) / units)

const measurePrograms = async (runner: ProgramRunner, resident: ResidentState, software: boolean) => {
  await runner.compile()
  const [short, long] = [chainPlan(SHORT), chainPlan(LONG)]
  const batch = encodeBatch([callOf(0)])
  const toIds = new Int32Array(1)
  await resident.accountIds(batch.to, 1, toIds)
  const gasPrice = new Uint32Array(LIMBS_PER_WORD)
  const source: PathSource = { batch, executionGas: Float64Array.of(1e6), toIds, gasPrice }
  const wave = (plan: PathPlan, lanes: number, jobs = 1): Promise<number> => {
    // Every lane is the same transaction.
    const list = Array.from({ length: jobs }, () => ({ plan, transactions: new Int32Array(lanes) }))
    return leastUs(async () => (await runner.start(list, source, ENV)).finish())
  }
  const more = LONG - SHORT
  const many = software ? LANES.software : LANES.hardware
  const one = await wave(short, 1)
  const pathInstructionUs = slope(await wave(long, 1), one, more)
  const laneInstructionUs = slope(await wave(long, many), await wave(short, many), more * many)
  const perWorkgroup = slope(await wave(long, 1, WORKGROUPS), await wave(short, 1, WORKGROUPS), more * WORKGROUPS)
  return {
    waveUs: Math.max(1, one - SHORT * pathInstructionUs),
    pathInstructionUs,
    workgroupInstructionUs: Math.max(0, perWorkgroup - laneInstructionUs),
    laneInstructionUs,
  }
}

/** A path of so many operations, each on the one before. */
const chainPlan = (operations: number): PathPlan => {
  const lines = ['v0:u256 = calldata 4', 'v1:u32 = gas', 'v2:u32 = entry', 'v3:u256 = calldata 36']
  for (let n = 4; n < operations + 4; n++) lines.push(`v${n}:u256 = ${n % 2 === 0 ? 'add' : 'xor'} v${n - 1} v0`)
  const text = [
    'path prague skeleton=none selector=1 calldata=100 value=zero',
    ...lines,
    `log v2 [] bytes=32 [v${operations + 3}]`,
    'end success gas=v1 refund=v1 bytes=0 []',
  ]
  return planPath(lowerPath(parsePath(text.join('\n')), { steps: 0, recordedValues: 0 }))
}

const callOf = (loops: number) => ({
  type: 0 as const,
  from: CALLER,
  to: CALLED,
  nonce: 0n,
  gasLimit: 1n << 30n,
  gasPrice: 0n,
  value: 0n,
  data: `0x${loops.toString(16).padStart(64, '0')}`,
})

const measureVm = async (runner: VmRunner, resident: ResidentState, software: boolean) => {
  await runner.compile()
  const batch = encodeBatch([callOf(SHORT), callOf(LONG)])
  const openBatch = createOpenBatch(batch, ENV, transactionRules(batch, FORK, ENV))
  await loadParties(openBatch, resident)
  const { rules, executionGas, fromIds, toIds, coinbaseId } = openBatch
  const request = { batch, env: ENV, rules, executionGas, fromIds, toIds, coinbaseId }
  const wave = (transaction: number, lanes: number): Promise<number> =>
    leastUs(() => runner.run({ ...request, transactions: new Int32Array(lanes).fill(transaction) }))
  const instructionsOf = async (transaction: number): Promise<number> => {
    runner.begin()
    await runner.run({ ...request, transactions: Int32Array.of(transaction) })
    return runner.steps
  }
  const few = await instructionsOf(0)
  const more = (await instructionsOf(1)) - few
  const many = (software ? LANES.software : LANES.hardware) / 4
  const one = await wave(0, 1)
  const vmPathInstructionUs = slope(await wave(1, 1), one, more)
  const vmLikeInstructionUs = slope(await wave(1, many), await wave(0, many), more * many)
  return {
    vmWaveUs: Math.max(1, one - few * vmPathInstructionUs),
    vmPathInstructionUs,
    // A lane alone keeps its SIMD group to itself; that group is no slower than a wave of one lane.
    vmInstructionUs: Math.max(vmLikeInstructionUs, Math.min(vmPathInstructionUs, SIMD_LANES * vmLikeInstructionUs)),
    vmLikeInstructionUs,
  }
}

/** Of the groups that run in step: 32 on NVIDIA, 8 on lavapipe. */
const SIMD_LANES = 32

/** Payments of which the first does not stand, so every pass runs and none is entered. */
const measureSettling = async (session: DeviceSession) => {
  const { device, resident } = session
  const kernels = await SettleKernels.compile(device)
  const uploads = { columns: new UploadWords(), lanes: new UploadWords() }
  const most = device.software ? LANES.software : LANES.hardware
  const payment = { ...callOf(0), value: 1n, data: '0x', nonce: 1n << 20n, gasPrice: 1n }
  const batch = encodeBatch(Array.from({ length: most }, () => payment))
  const openBatch = createOpenBatch(batch, ENV, transactionRules(batch, FORK, ENV))
  await loadParties(openBatch, resident)
  const form = new DeviceSweep(session, kernels, { batch: openBatch, refundQuotient: 5, uploads })
  const taken = { gas: new BlockGas(ENV.gasLimit), fees: new FeeSum(), vaults: undefined, blobGas: 0 }
  const range = (count: number): Promise<number> => leastUs(() => form.settle(0, count, taken))
  const few = most / 16
  const [less, more] = [await range(few), await range(most)]
  const settleEntryUs = slope(more, less, PARTIES * (most - few))
  return { settleUs: Math.max(1, less - PARTIES * few * settleEntryUs), settleEntryUs }
}

const measureTransfers = async (device: ComputeDevice) => {
  const buffer = device.storage('transfers', 16 * MIB)
  try {
    const words = new Uint32Array(4 * MIB)
    const small = words.subarray(0, MIB / 4)
    const up = (part: Uint32Array) =>
      leastUs(async () => {
        device.upload(buffer, 0, part)
        await device.run([])
      })
    const down = (byteLength: number) =>
      leastUs(() => device.run([], { reads: [{ buffer, byteOffset: 0, byteLength }], consume: () => undefined }))
    return {
      uploadUsPerByte: slope(await up(words), await up(small), 15 * MIB),
      readbackUsPerByte: slope(await down(16 * MIB), await down(MIB), 15 * MIB),
    }
  } finally {
    buffer.destroy()
  }
}
