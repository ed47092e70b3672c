import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DeviceTimes } from '../../host/device/clock.ts'
import type { ChainOptions } from '../../host/flows/chain/chain_interface.ts'
import { ethereumjsHardfork, type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { SYSTEM_CONTRACTS } from '../contracts/system.ts'
import { AnvilError, findAnvil } from '../peers/anvil_node.ts'
import { runSignedAnvil } from '../peers/anvil_signed.ts'
import {
  type BlockForm,
  DURABLE_FORMS,
  type DurableForm,
  MEMORY_FORMS,
  type PeerResult,
  type WorkloadResult,
} from '../report/schema.ts'
import { median, medianIndex } from '../report/statistics.ts'
import { grouped, rounded } from '../report/text.ts'
import type { RunOptions } from '../run.ts'
import { VERIFIED_SAMPLE } from '../verify.ts'
import type { Workload } from '../workloads/workload.ts'
import { beginDurable, type DurableChain } from './durable_chain.ts'
import { MeasuredChain, STREAM_BLOCKS, type TimedBlock } from './measured_chain.ts'
import { SignedChain } from './signed_chain.ts'
import { runVmPeer } from './vm_peer.ts'

/** Transactions of a block where no size is given. */
const DEFAULT_SIZE = 8_192
/** What @ethereumjs/vm takes 3 to 8 ms for each, and anvil 0.3 ms. */
const VM_TRANSACTIONS = 500
const ANVIL_TRANSACTIONS = 10_000
/** The first meets empty tables; by the third the paths have their kernels. */
const WARM_UP_BLOCKS = 3

/** The fork of blocks where none is asked for: 8 MiB of RLP at most is a rule from Osaka on (EIP-7934). */
export const BLOCK_FORK: Fork = 'prague'

/**
 * Runs one workload as blocks over the wire, a row for each form: warm-up, a block for the device's times, and
 * `samples` blocks of each form in turn, all on one executor and each on the state that the one before left. A sample
 * is one `executeBlock` call from bytes to committed state, receipts with blooms and three roots that are the header's;
 * of a stream, several blocks. Making and signing a block, and verifying it, are outside. With `data` the
 * forms are `cold` and, of the same blocks, those through chains in folders below it.
 */
export const runBlockWorkload = async (workload: Workload, options: RunOptions): Promise<WorkloadResult[]> => {
  const { progress, samples, native } = options
  const forms = formsOf(options)
  progress.start(workload.name, WARM_UP_BLOCKS + 2 + forms.length * samples + (native ? 1 : 0))
  try {
    const peers = [await vmPeer(workload, options)]
    if (native) peers.push(await anvilPeer(workload, options))
    const ran = await runBlocks(workload, options)
    return forms.map((form) => rowOf(workload, options, ran, form, peers))
  } finally {
    progress.stop()
  }
}

const formsOf = ({ data }: RunOptions): readonly BlockForm[] =>
  data === undefined ? MEMORY_FORMS : ['cold', ...DURABLE_FORMS]

const isDurable = (form: BlockForm): form is DurableForm => DURABLE_FORMS.some((one) => one === form)

const sizeOf = ({ size }: RunOptions): number => size ?? DEFAULT_SIZE

const openChain = (workload: Workload, options: RunOptions, size: number, blocks: number): Promise<SignedChain> => {
  const { fork, seed } = options
  return SignedChain.open(workload, { fork, size, seed, blocks, executor: executorOptions(workload, options) })
}

const executorOptions = (
  { kernels }: Workload,
  { device, tiers }: RunOptions,
): NonNullable<ChainOptions['executor']> => ({
  compile: 'wait',
  ...tiers,
  ...(kernels === undefined ? {} : { kernels }),
  ...(device === undefined ? {} : { device }),
})

interface RanBlocks {
  readonly warmUp: readonly TimedBlock[]
  readonly samples: ReadonlyMap<BlockForm, readonly TimedBlock[]>
  readonly deviceTimes: DeviceTimes | undefined
  readonly programs: readonly string[]
  readonly notes: readonly string[]
}

const runBlocks = async (workload: Workload, options: RunOptions): Promise<RanBlocks> => {
  const { progress, samples: count } = options
  progress.step(`signing ${sizeOf(options)} transactions per block`)
  const blocks = WARM_UP_BLOCKS + 1 + (2 + STREAM_BLOCKS) * count
  const chain = await openChain(workload, options, sizeOf(options), blocks)
  const measured = new MeasuredChain(chain, workload.shares, options.seed, options.device, (device) =>
    executorOptions(workload, { ...options, device }),
  )
  try {
    const { data } = options
    const ran =
      data === undefined
        ? await runMeasured(measured, options, undefined)
        : await withDurable(data, chain, executorOptions(workload, options), (durable) =>
            runMeasured(measured, options, durable),
          )
    const { programs, notes } = chain.scenario
    return { ...ran, programs, notes }
  } finally {
    measured.close()
    chain.close()
  }
}

type DurableChains = Readonly<Record<DurableForm, DurableChain>>

/** Gives `run` chains in a new folder below `data`, which is removed after it. */
const withDurable = async <Result>(
  data: string,
  chain: SignedChain,
  executor: NonNullable<ChainOptions['executor']>,
  run: (durable: DurableChains) => Promise<Result>,
): Promise<Result> => {
  mkdirSync(data, { recursive: true })
  const folder = mkdtempSync(join(data, 'wgevm-bench-'))
  try {
    const durable = await beginDurable(folder, chain, executor)
    try {
      return await run(durable)
    } finally {
      for (const form of DURABLE_FORMS) await durable[form].close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const runMeasured = async (
  measured: MeasuredChain,
  options: RunOptions,
  durable: DurableChains | undefined,
): Promise<Pick<RanBlocks, 'warmUp' | 'samples' | 'deviceTimes'>> => {
  const { progress, samples: count } = options
  const warmUp: TimedBlock[] = []
  const samples = new Map<BlockForm, TimedBlock[]>(formsOf(options).map((form) => [form, []]))
  let deviceTimes: DeviceTimes | undefined
  const follow = async (): Promise<void> => {
    if (durable !== undefined) for (const form of DURABLE_FORMS) await durable[form].run(measured.latest!)
  }
  for (let n = 0; n < WARM_UP_BLOCKS; n++) {
    progress.step(`warming up ${n + 1} of ${WARM_UP_BLOCKS}`)
    warmUp.push(await measured.run('cold'))
    await follow()
  }
  if (options.device !== undefined) {
    progress.step('timing the device')
    const timed = await measured.onDevice()
    warmUp.push(timed.block)
    deviceTimes = timed.deviceTimes
    await follow()
  }
  for (let n = 0; n < count; n++)
    for (const form of samples.keys()) {
      progress.step(`sample ${n + 1} of ${count}, ${form}`)
      const sample = isDurable(form) ? durable![form].run(measured.latest!) : measured.verified(form, n)
      samples.get(form)!.push(await sample)
    }
  for (const chain of durable === undefined ? [] : Object.values(durable)) await chain.verify(measured.latest!)
  return { warmUp, samples, deviceTimes }
}

const rowOf = (
  workload: Workload,
  options: RunOptions,
  ran: RanBlocks,
  form: BlockForm,
  peers: readonly PeerResult[],
): WorkloadResult => {
  const { warmUp, deviceTimes } = ran
  const samples = ran.samples.get(form)!
  const size = sizeOf(options)
  const samplesMs = samples.map(({ elapsedMs }) => elapsedMs)
  const medianMs = median(samplesMs)
  const { result, gas, bytes } = samples[medianIndex(samplesMs)]!
  const { tiers, rounds, exits, timings, chunks, deviceBytesPerTransaction } = result
  return {
    workload: workload.name,
    form,
    txCount: size,
    gas,
    verified: true,
    verifiedCount: samples.reduce((sum, { verified }) => sum + verified, 0),
    verification: isDurable(form) ? DURABLE_VERIFICATION : verificationText(size, samples.length, peers[0]!.txCount),
    samplesMs,
    medianMs,
    txPerSecond: (1000 * size) / medianMs,
    mgasPerSecond: gas / 1000 / medianMs,
    tiers,
    rounds,
    exits,
    stagesMs: timings,
    ...(deviceTimes === undefined || form !== 'cold' ? {} : { deviceTimes }),
    compileMs: { cold: 0, warm: warmUp.reduce((sum, one) => sum + one.result.compileMs, 0) },
    deviceBytesPerTx: deviceBytesPerTransaction,
    peers,
    firstBlockMs: warmUp[0]!.elapsedMs - warmUp[0]!.result.compileMs,
    chunks,
    warmUpBlocks: warmUp.length,
    seed: options.seed,
    programs: [...new Set(ran.programs)],
    notes: [
      ...ran.notes,
      ...(form === 'stream'
        ? [`${STREAM_BLOCKS} blocks at once, time by block; stages overlap: their sum is more than it`]
        : []),
      ...(isDurable(form) ? [againstMemory(ran, samples)] : []),
      `blocks of ${options.fork}, ${grouped(bytes)} bytes of RLP${isAtLeast(options.fork, 'osaka') ? '' : ': a block may have 8 MiB from osaka on (EIP-7934)'}`,
      ...new Set(samples.flatMap((sample) => sample.result.faults.map((fault) => `device fault: ${fault}`))),
    ],
  }
}

const DURABLE_VERIFICATION =
  "every block: its roots are its header's, and it is one that the row of cold senders verified. The folder was opened " +
  'again at the end: its accounts and slots, hashed anew, have the root of the last block'

/** Of the same blocks, one by one. */
const againstMemory = ({ samples }: RanBlocks, durable: readonly TimedBlock[]): string => {
  const memory = samples.get('cold')!
  const times = median(durable.map(({ elapsedMs }, n) => memory[n]!.elapsedMs / elapsedMs))
  return `RLP to roots and on disk, ${rounded(times)} times as fast as the same blocks in memory`
}

const verificationText = (size: number, samples: number, vmSize: number): string =>
  `every block: its roots are its header's; every sender, nonce, balance and modelled slot; ` +
  `${grouped(Math.min(size, VERIFIED_SAMPLE))} transactions of ${samples === 1 ? 'it' : `each of ${samples}`} equal serial ` +
  `@ethereumjs/vm. The first block's three roots made anew from its transactions, its receipts and the whole state. ` +
  `A block of ${vmSize} of the same traffic through runBlock of @ethereumjs/vm, every root`

/** One block of the same traffic on the genesis, small enough for a peer. */
const peerBlock = async (workload: Workload, options: RunOptions, most: number) => {
  const chain = await openChain(workload, options, Math.min(sizeOf(options), most), 1)
  try {
    return { chain, signed: await chain.next() }
  } finally {
    chain.close()
  }
}

const vmPeer = async (workload: Workload, options: RunOptions): Promise<PeerResult> => {
  options.progress.step('@ethereumjs/vm')
  const { chain, signed } = await peerBlock(workload, options, VM_TRANSACTIONS)
  return runVmPeer(options.fork, chain.genesis, signed)
}

const anvilPeer = async (workload: Workload, options: RunOptions): Promise<PeerResult> => {
  options.progress.step('anvil')
  const binary = findAnvil()
  if (binary === undefined) throw new AnvilError('the anvil binary is gone')
  const { chain, signed } = await peerBlock(workload, options, ANVIL_TRANSACTIONS)
  const { genesis, chainId } = chain.scenario
  const { header } = signed.block
  const hardfork = ethereumjsHardfork(options.fork)
  const { env } = signed.work
  return runSignedAnvil(binary, {
    genesis,
    code: SYSTEM_CONTRACTS,
    env,
    chainId,
    hardfork,
    signed: signed.signed,
    gasUsed: header.gasUsed,
  })
}
