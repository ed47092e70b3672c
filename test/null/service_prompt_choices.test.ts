import { expect, it } from 'vitest'
import type { DecodedBlock } from '../../host/chain/decode_block.ts'
import { headerHash } from '../../host/chain/header.ts'
import { type BlockVerdict, type ChainBlock, ForkChoiceError, type HeadUpdate, parseGenesis } from '../../host/index.ts'
import { promptEngine } from '../../service/listener/prompt_engine.ts'
import { NodeMetrics } from '../../service/metrics.ts'
import { Engine, type EngineParts } from '../../service/node/engine.ts'
import type {
  EngineCalls,
  ForkchoiceState,
  PayloadAttributes,
  PayloadExtras,
  SentPayload,
} from '../../service/node/engine_types.ts'
import { blockOfPayload } from '../../service/node/payload_block.ts'
import { RpcError } from '../../service/rpc_error.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'
import { Random } from '../fixtures/random_programs.ts'

const ZERO = `0x${'0'.repeat(64)}`
const UNKNOWN = `0x${'9'.repeat(64)}`
const { config, header: genesisHeader } = parseGenesis(builtGenesis())
const EXTRAS: PayloadExtras = { versionedHashes: [], parentBeaconBlockRoot: ZERO, requests: [] }

interface TreeBlock extends ChainBlock {
  readonly payload: SentPayload
  readonly isInvalid: boolean
}

const genesis: ChainBlock = { hash: headerHash(genesisHeader), header: genesisHeader }

/** Payloads on the genesis and on each other, some of which may not stand. */
const treeOf = (random: Random, count: number): readonly TreeBlock[] => {
  const blocks: TreeBlock[] = []
  for (let n = 0; n < count; n++) {
    const parent = n === 0 || random.chance(15) ? genesis : blocks[Math.max(0, n - 1 - random.below(3))]!
    const unnamed: SentPayload = {
      parentHash: parent.hash,
      feeRecipient: `0x${'0'.repeat(40)}`,
      stateRoot: ZERO,
      receiptsRoot: ZERO,
      logsBloom: `0x${'0'.repeat(512)}`,
      prevRandao: ZERO,
      blockNumber: parent.header.number + 1n,
      gasLimit: 30_000_000n,
      gasUsed: 0n,
      timestamp: parent.header.timestamp + 1n + BigInt(n),
      extraData: '0x',
      baseFeePerGas: 7n,
      blockHash: ZERO,
      transactions: { bytes: new Uint8Array(0), offsets: Uint32Array.of(0) },
      withdrawals: [],
      blobGasUsed: 0n,
      excessBlobGas: 0n,
    }
    const { header } = blockOfPayload(unnamed, EXTRAS)
    const hash = headerHash(header)
    blocks.push({ hash, header, payload: { ...unnamed, blockHash: hash }, isInvalid: random.chance(15) })
  }
  return blocks
}

/** A chain of such blocks that executes one when it is told to, and what was chosen, choice by choice. */
class TreeChain {
  readonly config = config
  forkChoice: { head: ChainBlock; safe: ChainBlock | undefined; finalized: ChainBlock | undefined }
  readonly chosen: string[] = []
  readonly #invalid: ReadonlySet<string>
  readonly #known = new Map([[genesis.hash, genesis]])
  readonly #executed: (work: () => void) => void

  constructor(tree: readonly TreeBlock[], executed: (work: () => void) => void) {
    this.#invalid = new Set(tree.filter(({ isInvalid }) => isInvalid).map(({ hash }) => hash))
    this.#executed = executed
    this.forkChoice = { head: genesis, safe: undefined, finalized: undefined }
  }

  get head(): ChainBlock {
    return this.forkChoice.head
  }

  block(hash: string): ChainBlock | undefined {
    return this.#known.get(hash)
  }

  isCanonical(hash: string): boolean {
    let at: ChainBlock | undefined = this.head
    while (at !== undefined && at.hash !== hash) at = this.#known.get(at.header.parentHash)
    return at !== undefined
  }

  rulesAfter() {
    return { fork: 'osaka', blobSchedule: undefined }
  }

  addBlock({ header }: DecodedBlock): Promise<BlockVerdict> {
    return new Promise((resolve) => {
      this.#executed(() => resolve(this.#verdict({ hash: headerHash(header), header }) as BlockVerdict))
    })
  }

  #verdict(block: ChainBlock): unknown {
    const parent = this.#known.get(block.header.parentHash)
    if (parent === undefined) return { status: 'unknownParent', ...block }
    if (this.#invalid.has(block.hash)) return { status: 'invalid', ...block, latestValid: parent, reason: 'no' }
    this.#known.set(block.hash, block)
    return { status: 'valid', ...block, fork: 'osaka', result: undefined }
  }

  async setHead({ head, safe, finalized }: HeadUpdate) {
    const named = (hash: string | undefined, fault: 'unknownSafe' | 'unknownFinalized') => {
      const block = hash === undefined ? undefined : this.#known.get(hash)
      if (hash !== undefined && block === undefined) throw new ForkChoiceError(fault, `${hash} is not known`)
      return block
    }
    const before = this.forkChoice
    this.forkChoice = {
      head: this.#known.get(head)!,
      safe: named(safe, 'unknownSafe') ?? before.safe,
      finalized: named(finalized, 'unknownFinalized') ?? before.finalized,
    }
    this.chosen.push([head, safe, finalized].join())
    return { undone: [], applied: [] }
  }
}

const engineOf = (chain: TreeChain): Engine =>
  new Engine({
    chain,
    pool: {},
    builder: { start: () => ({ built: new Promise(() => undefined) }), rootOf: () => undefined },
    metrics: new NodeMetrics(),
    onHead: () => undefined,
  } as unknown as EngineParts)

type Ask = (engine: EngineCalls) => Promise<unknown>

/** Calls of a consensus client that is not a good one. */
const randomCalls = (random: Random, tree: readonly TreeBlock[]): readonly Ask[] => {
  const choices: ForkchoiceState[] = []
  const attributesOf = (): PayloadAttributes => ({
    // In some cases not above the time of the parent.
    timestamp: random.chance(50) ? 0n : 1n << 40n,
    prevRandao: ZERO,
    suggestedFeeRecipient: `0x${'0'.repeat(40)}`,
    withdrawals: [],
    parentBeaconBlockRoot: ZERO,
  })
  return Array.from({ length: 24 }, (): Ask => {
    if (random.chance(25)) {
      const { payload } = random.pick(tree)
      return (engine) => engine.newPayload(4, payload, EXTRAS)
    }
    const near = tree.slice(0, 1 + random.below(tree.length))
    const named = (percent: number): string =>
      random.chance(percent) ? random.pick([genesis, ...near]).hash : random.pick([ZERO, ZERO, ZERO, UNKNOWN])
    const fresh: ForkchoiceState = {
      headBlockHash: named(95),
      safeBlockHash: named(15),
      finalizedBlockHash: random.chance(5) ? genesis.hash : ZERO,
    }
    // Mostly what was asked for lately.
    const state = choices.length > 0 && random.chance(70) ? random.pick(choices.slice(-3)) : fresh
    choices.push(state)
    const attributes = random.chance(25) ? attributesOf() : undefined
    return (engine) => engine.forkchoiceUpdated(3, state, attributes)
  })
}

/** What a call was answered, but for what it waited for. */
const toldOf = async (reply: Promise<unknown>): Promise<string> => {
  try {
    const { hasWaited: _, chosen: __, ...told } = (await reply) as Record<string, unknown>
    return JSON.stringify(told)
  } catch (thrown) {
    if (thrown instanceof RpcError) return `${thrown.code} ${thrown.message}`
    throw thrown
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * The node's engine behind messages that come in their order, and replies that come when they are let through, as
 * between two threads.
 */
const acrossThreads = (
  engine: EngineCalls,
  queues: { readonly sent: (() => void)[]; readonly replies: (() => void)[] },
) =>
  new Proxy({} as EngineCalls, {
    get:
      (_, name) =>
      (...values: readonly unknown[]) =>
        new Promise((resolve, reject) => {
          const { sent, replies } = queues
          const call = (engine as unknown as Record<string, (...of: readonly unknown[]) => Promise<unknown>>)[
            String(name)
          ]!.bind(engine)
          sent.push(() => {
            call(...values).then(
              (value) => replies.push(() => resolve(value)),
              (thrown) => replies.push(() => reject(thrown)),
            )
          })
        }),
  })

it('random calls are answered as the node would have answered them one at a time, and leave what it would have chosen', async () => {
  const random = new Random(54)
  let prompt = 0
  for (let n = 0; n < 80; n++) {
    const tree = treeOf(random, 5)
    const calls = randomCalls(random, tree)
    const serial = new TreeChain(tree, (work) => work())
    const one = engineOf(serial)
    const wanted: string[] = []
    for (const call of calls) wanted.push(await toldOf(call(one)))

    const queues = { sent: [] as (() => void)[], replies: [] as (() => void)[], executed: [] as (() => void)[] }
    const { sent, replies, executed } = queues
    const chain = new TreeChain(tree, (work) => executed.push(work))
    const engine = promptEngine(acrossThreads(engineOf(chain), queues), (wait) => {
      if (wait === 'nothing') prompt++
    })
    const told: Promise<string>[] = []
    // Between two calls everything may have come to its end.
    let isQuiet = false
    while (told.length < calls.length || sent.length + replies.length + executed.length > 0) {
      const queue = random.pick([sent, sent, replies, replies, executed, undefined])
      if (isQuiet) isQuiet = sent.length + replies.length + executed.length > 0
      if (queue === undefined && !isQuiet && told.length < calls.length) {
        told.push(toldOf(calls[told.length]!(engine)))
        isQuiet = random.chance(50)
      }
      queue?.shift()?.()
      if (random.chance(70)) await turn()
      // What was just let through may lead to more.
      if (isQuiet || told.length === calls.length) await turn()
    }
    expect(await Promise.all(told), `case ${n}`).toStrictEqual(wanted)
    expect(chain.chosen, `case ${n}`).toStrictEqual(serial.chosen)
  }
  expect(prompt).toBeGreaterThan(60)
})
