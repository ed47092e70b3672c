import { type Block, createBlockFromRLP } from '@ethereumjs/block'
import { runBlock } from '@ethereumjs/vm'
import { FixtureError } from '../../conformance/json_field.ts'
import { decodeBlock } from '../../host/chain/decode_block.ts'
import { adapterRequest } from '../../host/device/adapter.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import type { BlockResult } from '../../host/flows/block.ts'
import { deviceCosts } from '../../host/flows/device_costs.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import type { Executor } from '../../host/flows/executor_interface.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { collectGarbage } from '../garbage.ts'
import { commitOfCheckout, machine } from '../machine.ts'
import { SwitchedState } from '../replay_state.ts'
import type { BlockLevelReport, RealBlock } from '../report/real_blocks_schema.ts'
import type { NotRun } from '../report/replay_schema.ts'
import { median, medianIndex } from '../report/statistics.ts'
import { adapterOf } from '../session.ts'
import { stockCommonOf } from '../stock_oracle.ts'
import type { TierChoice } from '../tier_choice.ts'
import { type FixtureBlock, sealFixture } from './fixture_block.ts'
import { vmOn } from './vm_peer.ts'

export interface RealBlocksOptions {
  readonly files: readonly string[]
  /** As `openDevice` takes it; absent = the best that answers; `none` = no device. */
  readonly adapter?: string
  readonly samples: number
  readonly workers?: number
  readonly tiers?: TierChoice
  readonly step: (block: string) => void
  readonly onBlock: (block: RealBlock) => void
}

/** Passes of each side before the measured ones: paths are recorded in the first and compiled by the third. */
const WARM_PASSES = 3

/**
 * Real blocks from their RLP to committed state and three roots, beside `runBlock` of @ethereumjs/vm as it comes: both
 * recover every sender, and both check every root of the header. A pass that throws is a block that is not run.
 */
export const runRealBlocks = async (options: RealBlocksOptions): Promise<BlockLevelReport> => {
  const { files, samples, adapter, step, onBlock } = options
  const asked = adapter === 'none' ? undefined : adapterRequest(adapter)
  const device = adapter === 'none' ? undefined : await openDevice(asked === undefined ? {} : { adapter: asked })
  const costs = device === undefined ? {} : { costs: await deviceCosts(device) }
  const followers = new Map<string, Follower>()
  const blocks: RealBlock[] = []
  const notRun: NotRun[] = []
  try {
    for (const file of files) {
      try {
        const sealed = await sealFixture(file)
        const { fork, chainId, name } = sealed.fixture
        step(name)
        const key = `${fork} ${chainId}`
        const follower =
          followers.get(key) ?? new Follower(sealed, device, { ...options, tiers: { ...options.tiers, ...costs } })
        followers.set(key, follower)
        const block = await measured(sealed, follower, samples)
        blocks.push(block)
        onBlock(block)
      } catch (thrown) {
        const reason = thrown instanceof Error ? thrown.message.replaceAll(/\s*\n\s*/g, ' ') : String(thrown)
        notRun.push({ block: file, cause: thrown instanceof FixtureError ? 'file' : 'failed', reason })
      }
    }
  } finally {
    for (const follower of followers.values()) follower.close()
  }
  const report: BlockLevelReport = {
    schema: 'wgevm-real-blocks/1',
    commit: commitOfCheckout(),
    date: new Date().toISOString(),
    machine: machine(),
    adapter:
      device === undefined
        ? { kind: 'none', name: 'no device', driver: '-', reason: 'asked for: none' }
        : adapterOf(device, asked),
    node: process.version,
    samples,
    blocks,
    notRun,
  }
  device?.destroy()
  return report
}

/** An executor of one fork, which is given one block after the other, each on its own state. */
class Follower {
  readonly #state = new SwitchedState()
  readonly #executor: Executor

  constructor(
    { fixture: { fork, chainId } }: FixtureBlock,
    device: ComputeDevice | undefined,
    { tiers, workers }: Pick<RealBlocksOptions, 'tiers' | 'workers'>,
  ) {
    this.#executor = createExecutor({
      fork,
      chainId,
      state: this.#state,
      recordFrom: 1,
      compile: 'wait',
      kernels: 'never',
      // Every pass recovers its senders.
      senderCache: false,
      ...tiers,
      ...(device === undefined ? {} : { device }),
      ...(workers === undefined ? {} : { workers }),
    })
  }

  /** From RLP to committed state. */
  async run({ fixture, rlp, state: before }: FixtureBlock): Promise<{ elapsedMs: number; result: BlockResult }> {
    const state = before.clone()
    const parentState = createStateTrie(state.dump())
    this.#state.use(state, fixture)
    this.#executor.forget()
    collectGarbage()
    const startedMs = performance.now()
    const result = await this.#executor.executeBlock(decodeBlock(rlp), { parentState })
    return { elapsedMs: performance.now() - startedMs, result }
  }

  close(): void {
    this.#executor.close()
  }
}

const runPeer = async ({ fixture: { fork, chainId }, rlp, state }: FixtureBlock): Promise<number> => {
  const common = stockCommonOf(fork, chainId)
  const vm = await vmOn(common, state)
  collectGarbage()
  const startedMs = performance.now()
  const block: Block = createBlockFromRLP(rlp, { common })
  await runBlock(vm, { block, skipHeaderValidation: true })
  return performance.now() - startedMs
}

const measured = async (sealed: FixtureBlock, follower: Follower, samples: number): Promise<RealBlock> => {
  const first = await follower.run(sealed)
  for (let n = 1; n < WARM_PASSES; n++) await follower.run(sealed)
  await runPeer(sealed)
  const passes: Awaited<ReturnType<Follower['run']>>[] = []
  const peerSamplesMs: number[] = []
  for (let n = 0; n < samples; n++) {
    peerSamplesMs.push(await runPeer(sealed))
    passes.push(await follower.run(sealed))
  }
  const samplesMs = passes.map(({ elapsedMs }) => elapsedMs)
  const { result } = passes[medianIndex(samplesMs)]!
  const [medianMs, peerMedianMs] = [median(samplesMs), median(peerSamplesMs)]
  const { name, forkName, env } = sealed.fixture
  return {
    block: name,
    fork: forkName,
    number: Number(env.number),
    txCount: result.receipts.count,
    gas: Number(result.gasUsed),
    tiers: result.tiers,
    stagesMs: result.timings,
    firstMs: first.elapsedMs,
    samplesMs,
    medianMs,
    peerSamplesMs,
    peerMedianMs,
    ratio: peerMedianMs / medianMs,
  }
}
