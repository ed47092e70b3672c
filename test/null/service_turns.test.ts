import { expect, it, vi } from 'vitest'
import { type Chain, type ChainBlock, type HeadUpdate, parseGenesis } from '../../host/index.ts'
import { promptEngine } from '../../service/listener/prompt_engine.ts'
import { NodeMetrics } from '../../service/metrics.ts'
import { Engine, type EngineParts } from '../../service/node/engine.ts'
import type {
  BuiltPayload,
  EngineCalls,
  ForkchoiceReply,
  ForkchoiceState,
  PayloadAttributes,
  SentPayload,
} from '../../service/node/engine_types.ts'
import { PayloadBuilder } from '../../service/node/payload_builder.ts'
import type { Pool } from '../../service/node/pool.ts'
import { RpcError } from '../../service/rpc_error.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'

const hashOf = (n: number): string => `0x${`${n}`.repeat(64)}`
const ZERO = hashOf(0)
const blockOf = (n: number): ChainBlock => ({
  hash: hashOf(n),
  header: { number: BigInt(n), timestamp: BigInt(n) } as ChainBlock['header'],
})

const NONE = { bytes: new Uint8Array(0), offsets: Uint32Array.of(0) }
const NO_EXTRAS = { versionedHashes: undefined, parentBeaconBlockRoot: undefined, requests: undefined }

it('a fork choice that changes nothing waits for no block that is executed, but for the fork choices before it', async () => {
  const chosen: HeadUpdate[] = []
  let forkChoice: Chain['forkChoice'] = { head: blockOf(5), safe: blockOf(4), finalized: undefined }
  const chain = {
    config: parseGenesis(builtGenesis()).config,
    get forkChoice() {
      return forkChoice
    },
    get head() {
      return forkChoice.head
    },
    // There are six blocks.
    block: (hash: string) => (Number(hash[2]) <= 6 ? blockOf(Number(hash[2])) : undefined),
    isCanonical: () => true,
    rulesAfter: () => ({ fork: 'osaka', blobSchedule: undefined }),
    setHead: async (to: HeadUpdate) => {
      chosen.push(to)
      forkChoice = { ...forkChoice, head: blockOf(Number(to.head[2])) }
      return { undone: [], applied: [] }
    },
  }
  let built: () => void = () => undefined
  const buildNow = (): Promise<unknown> =>
    new Promise((resolve) => {
      built = () => resolve({})
    })
  const engine = new Engine({
    chain,
    pool: {},
    builder: { buildNow, rootOf: () => undefined },
    metrics: new NodeMetrics(),
    onHead: () => undefined,
  } as unknown as EngineParts)
  const order: string[] = []
  const choose = (name: string, head: number, safe = ZERO): Promise<void> =>
    engine
      .forkchoiceUpdated(3, { headBlockHash: hashOf(head), safeBlockHash: safe, finalizedBlockHash: ZERO }, undefined)
      .then(({ payloadStatus, hasWaited }) => {
        order.push(`${name} ${payloadStatus.status}${hasWaited ? ', waited' : ''}`)
      })
  const attributes = { timestamp: 6n, prevRandao: ZERO, suggestedFeeRecipient: ZERO }
  const block = engine.buildBlock(hashOf(5), attributes, undefined, undefined).then(() => order.push('block'))
  const same = [choose('same', 5), choose('same, named', 5, hashOf(4)), choose('unknown', 7), choose('zero', 0)]
  // Its verdict is to come.
  const payload = engine.newPayload(3, { transactions: NONE, blockHash: hashOf(8) } as SentPayload, NO_EXTRAS)
  const refused = expect(payload).rejects.toThrow(RpcError)
  const waiting = [
    choose('the payload', 8),
    choose('another', 6),
    choose('that again', 6),
    choose('another safe', 6, hashOf(5)),
    // What is the head by now is not what will be when its turn comes.
    choose('back', 5),
    choose('unknown after others', 7),
  ]
  await new Promise((resolve) => setImmediate(resolve))
  expect(order).toStrictEqual(['same VALID', 'same, named VALID', 'unknown SYNCING', 'zero INVALID'])
  expect(chosen).toStrictEqual([])
  built()
  await Promise.all([block, refused, ...same, ...waiting])
  expect(order.slice(4)).toStrictEqual([
    'block',
    'the payload SYNCING, waited',
    'another VALID, waited',
    'that again VALID, waited',
    'another safe VALID, waited',
    'back VALID, waited',
    'unknown after others SYNCING, waited',
  ])
  expect(chosen).toStrictEqual([{ head: hashOf(6) }, { head: hashOf(6), safe: hashOf(5) }, { head: hashOf(5) }])
})

const choiceOf = (head: number, safe = 0): ForkchoiceState => ({
  headBlockHash: hashOf(head),
  safeBlockHash: hashOf(safe),
  finalizedBlockHash: ZERO,
})

it('the listening thread answers what is chosen already, and nothing else, and not while another choice is made', async () => {
  const asked: { readonly head: string; answer(chosen: ForkchoiceState): void; refuse(): void }[] = []
  const node = {
    forkchoiceUpdated: (_: number, { headBlockHash }: ForkchoiceState) =>
      new Promise<ForkchoiceReply>((resolve, reject) => {
        const payloadStatus = { status: 'SYNCING', latestValidHash: undefined, validationError: undefined } as const
        asked.push({
          head: headBlockHash,
          answer: (chosen) => resolve({ payloadStatus, payloadId: undefined, chosen, hasWaited: true }),
          refuse: () => reject(new RpcError(-38003, 'attributes')),
        })
      }),
    bodiesByHash: async () => [undefined],
  }
  const waits: string[] = []
  const engine = promptEngine(node as unknown as EngineCalls, (wait) => waits.push(wait))
  expect(await engine.bodiesByHash([])).toStrictEqual([undefined])
  const choose = (state: ForkchoiceState, attributes?: PayloadAttributes): Promise<ForkchoiceReply> =>
    engine.forkchoiceUpdated(3, state, attributes)
  const isPrompt = async (state: ForkchoiceState, attributes?: PayloadAttributes): Promise<boolean> => {
    const before = asked.length
    const reply = choose(state, attributes)
    if (asked.length > before) {
      asked.at(-1)!.answer(choiceOf(5, 4))
      await reply
      return false
    }
    expect(await reply).toMatchObject({
      payloadStatus: { status: 'VALID', latestValidHash: state.headBlockHash },
      payloadId: undefined,
    })
    return true
  }
  // What the node is at is not known before it has said so.
  expect(await isPrompt(choiceOf(5))).toBe(false)
  expect(await isPrompt(choiceOf(5))).toBe(true)
  expect(await isPrompt(choiceOf(5, 4))).toBe(true)
  expect(await isPrompt(choiceOf(5, 3))).toBe(false)
  expect(await isPrompt(choiceOf(6))).toBe(false)
  expect(await isPrompt(choiceOf(5), {} as PayloadAttributes)).toBe(false)
  expect(waits).toStrictEqual(['payload', 'nothing', 'nothing', 'payload', 'payload', 'payload'])
  // A payload for what is chosen changes nothing about it.
  const building = choose(choiceOf(5), {} as PayloadAttributes)
  expect(await isPrompt(choiceOf(5))).toBe(true)
  asked.at(-1)!.refuse()
  await expect(building).rejects.toThrow('attributes')
  expect(await isPrompt(choiceOf(5))).toBe(true)
  // Others do, until the last of them is answered, and one that is refused may have been made.
  const moves = [choose(choiceOf(6)), choose(choiceOf(7), {} as PayloadAttributes)]
  expect(await isPrompt(choiceOf(5))).toBe(false)
  const [first, second] = asked.slice(-3)
  first!.answer(choiceOf(6))
  await moves[0]
  expect(await isPrompt(choiceOf(6))).toBe(false)
  second!.refuse()
  await expect(moves[1]).rejects.toThrow('attributes')
  expect(await isPrompt(choiceOf(5))).toBe(false)
  expect(await isPrompt(choiceOf(5))).toBe(true)
  expect(waits.at(-3)).toBe('node')
})

it('the pending block is what was built on the head, while the head is that and the block is known', async () => {
  const chain = { head: blockOf(5), block: (hash: string) => (hash === hashOf(7) ? undefined : blockOf(6)) }
  const builder = new PayloadBuilder(chain as unknown as Chain, {} as unknown as Pool, { extraData: '0x' })
  const build = async (n: number): Promise<void> => {
    const built = { payload: { blockHash: hashOf(n) } } as unknown as BuiltPayload
    vi.spyOn(builder, 'buildNow').mockResolvedValue(built)
    const attributes = { timestamp: 6n, prevRandao: ZERO, suggestedFeeRecipient: ZERO }
    const job = builder.start({ id: `${n}`, parent: blockOf(5), fork: 'osaka', chain: undefined, attributes })
    expect(builder.pending).toBeUndefined()
    await job.built
  }
  await build(6)
  expect(builder.pending).toBe(hashOf(6))
  chain.head = blockOf(4)
  expect(builder.pending).toBeUndefined()
  chain.head = blockOf(5)
  expect(builder.pending).toBe(hashOf(6))
  // Its room was needed for others.
  await build(7)
  expect(builder.pending).toBeUndefined()
})
