import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import type { Chain } from '../../host/index.ts'
import type { Service } from '../../service/serve.ts'
import { type ExchangeFile, type RpcReply, rpcCompat } from '../fixtures/rpc_compat.ts'
import { servedChain } from '../fixtures/served_chain.ts'
import { call, post, token } from '../fixtures/service_ports.ts'

const data = rpcCompat()

/** Files whose reply differs, and why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'eth_simulateV1/ethSimulate-use-as-many-features-as-possible':
    'a log index there counts logs of calls that failed, which are not in the block',
}

/** Files whose replies need only have a shape, and come out equal: go-ethereum wrote them. */
const EQUAL_ALL_THE_SAME = /^debug_trace/

/** Members that a reply may have or not, as a node keeps things for ever or not. */
const OPTIONAL = new Set(['deleteStrategy'])

/** The kinds and names of a value, without what it says. */
const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return typeof value
  const members = Object.entries(value).filter(([name]) => !OPTIONAL.has(name))
  return Object.fromEntries(members.map(([name, member]) => [name, shapeOf(member)]))
}

/** What must be equal: of errors the code and the data, of other replies all of it, or their shape. */
const comparable = ({ result, error }: RpcReply, { name, isShapeOnly }: ExchangeFile): unknown => {
  if (error !== undefined) return { code: error.code, data: error.data }
  return isShapeOnly && !EQUAL_ALL_THE_SAME.test(name) ? shapeOf(result) : result
}

describe.skipIf(data === undefined)('the exchange files of execution-apis', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-compat-'))
  // What it sends would be in the blocks that others have built.
  const isLast = ({ name }: ExchangeFile): boolean => name === 'eth_sendRawTransaction/send-blob-tx'
  const files = [...(data?.exchanges() ?? [])].sort((a, b) => Number(isLast(a)) - Number(isLast(b)))
  let chain: Chain
  let service: Service

  beforeAll(async () => {
    chain = await openChain({ path: folder, genesis: parseGenesis(data!.genesis), executor: { workers: 0 } })
    for (const block of data!.blocks()) await chain.import(block)
    service = await servedChain(chain)
    const hash = data!.headHash
    const state = { headBlockHash: hash, safeBlockHash: hash, finalizedBlockHash: hash }
    const authorization = `Bearer ${await token()}`
    const { result } = await call(service.ports.auth!, 'engine_forkchoiceUpdatedV3', [state, null], { authorization })
    expect(result).toMatchObject({ payloadStatus: { status: 'VALID', latestValidHash: hash } })
  })
  afterAll(async () => {
    await service.close()
    await chain.close()
    rmSync(folder, { recursive: true })
  })

  const replies = async ({ exchanges }: ExchangeFile): Promise<readonly RpcReply[]> => {
    const found: RpcReply[] = []
    for (const { request } of exchanges) found.push(JSON.parse((await post(service.ports.http!, request)).text))
    return found
  }

  it.each(files.filter((file) => DIFFERENT[file.name] === undefined).map((file) => [file.name, file] as const))(
    '%s',
    async (_, file) => {
      const found = await replies(file)
      for (const [n, { reply }] of file.exchanges.entries()) {
        expect(comparable(found[n]!, file)).toStrictEqual(comparable(reply, file))
        expect('error' in found[n]!).toBe(reply.error !== undefined)
      }
    },
  )

  it('answers differently where that is listed, and nowhere else', async () => {
    for (const file of files.filter(({ name }) => DIFFERENT[name] !== undefined)) {
      const found = await replies(file)
      const isSame = file.exchanges.every(
        ({ reply }, n) => JSON.stringify(comparable(found[n]!, file)) === JSON.stringify(comparable(reply, file)),
      )
      expect(isSame, file.name).toBe(false)
    }
  })
})
