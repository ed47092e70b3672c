import { type BlockFixture, readBlockFixture } from '../conformance/block_fixture.ts'
import { FixtureError } from '../conformance/json_field.ts'
import { adapterRequest } from '../host/device/adapter.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import { openDevice } from '../host/device/device.ts'
import { deviceCosts } from '../host/flows/device_costs.ts'
import { openPathStore } from '../host/tiers/path/store/store.ts'
import { conflictMap, type Footprint } from './conflict_map.ts'
import { commitOfCheckout, machine } from './machine.ts'
import { type ReplayDetail, Replayer } from './replay.ts'
import { mergeableBlocks, replayMerged } from './replay_merge.ts'
import type { Progress } from './report/progress.ts'
import type { BlockReplay, MergedReplay, NotRun, ReplayReport } from './report/replay_schema.ts'
import { type TierChoice, tierChoiceText } from './tier_choice.ts'

export interface ReplaySessionOptions {
  /** Fixture files. Each is read and checked before the first one runs. */
  readonly files: readonly string[]
  /** As `openDevice` takes it; absent = the best that answers; `none` = no device. */
  readonly adapter?: string
  readonly samples: number
  readonly workers?: number
  readonly tiers?: TierChoice
  readonly serial: boolean
  /** Keep recorded paths in the user's cache folder, and use those that are there. */
  readonly keepPaths: boolean
  readonly merged: boolean
  /** Make the conflict map. */
  readonly conflicts: boolean
  readonly progress: Progress
  readonly onBlock: (replay: BlockReplay, detail: ReplayDetail, fixture: BlockFixture) => void
  readonly onMerged: (replay: MergedReplay) => void
}

/**
 * Replays fixtures one after another on one device. A block that fails stands in `notRun` with its reason, and the next
 * one is run. Throws FixtureError before anything runs, and NoAdapterError.
 */
export const runReplay = async (options: ReplaySessionOptions): Promise<ReplayReport> => {
  const { files, adapter, samples, workers, tiers = {}, serial, keepPaths, merged } = options
  for (const file of files) readBlockFixture(file)
  const asked = adapter === 'none' ? undefined : adapterRequest(adapter)
  const device = adapter === 'none' ? undefined : await openDevice(asked === undefined ? {} : { adapter: asked })
  const costs = device === undefined ? {} : { costs: await deviceCosts(device) }
  const pathStore = keepPaths ? openPathStore() : undefined
  const replayer = new Replayer({
    device,
    samples,
    serial,
    tiers: { ...tiers, ...costs },
    ...(workers === undefined ? {} : { workers }),
    ...(pathStore === undefined ? {} : { pathStore }),
  })
  const blocks: BlockReplay[] = []
  const merges: MergedReplay[] = []
  const notRun: NotRun[] = []
  const footprints: Footprint[][] = []
  options.progress.start('replay', files.length)
  try {
    if (merged) {
      for (const blocks of mergeableBlocks(files.map(readBlockFixture))) {
        const names = blocks.map(({ name }) => name)
        options.progress.step(`${blocks[0]!.forkName}: ${names.length} blocks`)
        const replay = await attempt(names, notRun, () => replayMerged(replayer, blocks))
        if (replay === undefined) continue
        merges.push(replay)
        options.onMerged(replay)
      }
    } else {
      for (const file of files) {
        const fixture = readBlockFixture(file)
        options.progress.step(fixture.name)
        const done = await attempt([fixture.name], notRun, () => replayer.block(fixture))
        if (done === undefined) continue
        blocks.push(done.replay)
        if (options.conflicts) footprints.push(footprintsOf(fixture, done.detail))
        options.onBlock(done.replay, done.detail, fixture)
      }
    }
  } finally {
    options.progress.stop()
    replayer.close()
    await pathStore?.flush()
  }
  const report: ReplayReport = {
    schema: 'wgevm-replay/1',
    commit: commitOfCheckout(),
    date: new Date().toISOString(),
    machine: machine(),
    adapter: adapterOf(device, asked),
    node: process.version,
    samples,
    ...(workers === undefined ? {} : { workers }),
    ...(tierChoiceText(tiers) === undefined ? {} : { tierChoice: tiers }),
    blocks,
    notRun,
    ...(merged ? { merged: merges } : {}),
    ...(options.conflicts ? { conflicts: await conflictMap(footprints) } : {}),
  }
  device?.destroy()
  return report
}

/** What `run` gives, or undefined where it fails: then the names are noted as not run. */
const attempt = async <Result>(
  names: readonly string[],
  notRun: NotRun[],
  run: () => Promise<Result>,
): Promise<Result | undefined> => {
  try {
    return await run()
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message.replaceAll(/\s*\n\s*/g, ' ') : String(thrown)
    const cause = thrown instanceof FixtureError ? 'file' : 'failed'
    for (const block of names) notRun.push({ block, cause, reason })
    return undefined
  }
}

/** The slots that each included transaction looked at and changed, by the contract that it calls. */
const footprintsOf = ({ transactions, pre }: BlockFixture, { changes }: ReplayDetail): Footprint[] =>
  changes.map(({ slots, readSlots }, i) => {
    const to = transactions[i]!.to
    const name = ({ address, key }: { readonly address: string; readonly key: bigint }) => `${address} ${key}`
    return {
      contract: to !== undefined && pre[to]?.code !== undefined ? to : undefined,
      reads: readSlots.map(name),
      writes: slots.map(name),
    }
  })

const adapterOf = (device: ComputeDevice | undefined, asked: string | undefined): ReplayReport['adapter'] =>
  device === undefined
    ? { kind: 'none', name: 'no device', driver: '-', reason: 'asked for: none' }
    : {
        kind: device.kind,
        name: device.name,
        driver: device.driver,
        reason: asked === undefined ? 'the best that answers' : `asked for: ${asked}`,
      }
