import { expect, it } from 'vitest'
import type { Chain, ChainBlock, HeadUpdate } from '../../host/index.ts'
import { NodeMetrics } from '../../service/metrics.ts'
import { Engine, type EngineParts } from '../../service/node/engine.ts'

const hashOf = (n: number): string => `0x${`${n}`.repeat(64)}`
const ZERO = hashOf(0)
const blockOf = (n: number): ChainBlock => ({
  hash: hashOf(n),
  header: { number: BigInt(n), timestamp: BigInt(n) } as ChainBlock['header'],
})

it('a fork choice that changes nothing waits for no block that is executed, but for the fork choices before it', async () => {
  const chosen: HeadUpdate[] = []
  let forkChoice: Chain['forkChoice'] = { head: blockOf(5), safe: blockOf(4), finalized: undefined }
  const chain = {
    get forkChoice() {
      return forkChoice
    },
    get head() {
      return forkChoice.head
    },
    block: (hash: string) => blockOf(Number(hash[2])),
    isCanonical: () => true,
    rulesAfter: () => ({ fork: 'osaka', blobSchedule: undefined }),
    setHead: async (to: HeadUpdate) => {
      chosen.push(to)
      forkChoice = { ...forkChoice, head: chain.block(to.head) }
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
    builder: { buildNow },
    metrics: new NodeMetrics(),
    onHead: () => undefined,
  } as unknown as EngineParts)
  const order: string[] = []
  const choose = (name: string, head: number, safe = ZERO): Promise<void> =>
    engine
      .forkchoiceUpdated(3, { headBlockHash: hashOf(head), safeBlockHash: safe, finalizedBlockHash: ZERO }, undefined)
      .then(({ payloadStatus }) => void order.push(`${name} ${payloadStatus.status}`))
  const attributes = { timestamp: 6n, prevRandao: ZERO, suggestedFeeRecipient: ZERO }
  const block = engine.buildBlock(hashOf(5), attributes, undefined, undefined).then(() => order.push('block'))
  const same = [choose('same', 5), choose('same, named', 5, hashOf(4))]
  const waiting = [
    choose('another', 6),
    choose('that again', 6),
    choose('another safe', 6, hashOf(5)),
    // What is the head by now is not what will be when its turn comes.
    choose('back', 5),
  ]
  await new Promise((resolve) => setImmediate(resolve))
  expect(order).toStrictEqual(['same VALID', 'same, named VALID'])
  expect(chosen).toStrictEqual([])
  built()
  await Promise.all([block, ...same, ...waiting])
  expect(order.slice(2)).toStrictEqual([
    'block',
    'another VALID',
    'that again VALID',
    'another safe VALID',
    'back VALID',
  ])
  expect(chosen).toStrictEqual([{ head: hashOf(6) }, { head: hashOf(6), safe: hashOf(5) }, { head: hashOf(5) }])
})
