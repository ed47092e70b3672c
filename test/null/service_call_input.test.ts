import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openChain, parseGenesis, SenderCache } from '../../host/index.ts'
import { packedData } from '../../service/json_rpc/codec.ts'
import { callObject, stateOverrides } from '../../service/methods/call_schema.ts'
import { BlockReader } from '../../service/node/block_reader.ts'
import { Executors } from '../../service/node/executors.ts'
import { StateReader } from '../../service/node/state_reader.ts'

/** Calls whose fields are well formed one by one, and which no transaction can stand for. */
const TO = '0x000000000000000000000000000000000000c001'
const ZERO = `0x${'00'.repeat(32)}`
const path = mkdtempSync(join(tmpdir(), 'call-input-'))
const genesis = parseGenesis(`{"config": {"chainId": 7}, "difficulty": "0x1", "gasLimit": "0x1c9c380", "alloc": {}}`)
const chain = await openChain({ path, genesis, executor: { workers: 0 } })
const executors = new Executors({ chainId: 7n, workers: 0 }, chain.state, new SenderCache())
const reader = new StateReader(chain, new BlockReader(chain, executors), executors, 50_000_000n)

afterAll(async () => {
  executors.close()
  await chain.close()
  rmSync(path, { recursive: true })
})

describe('a call that cannot be made is refused as one, and is no fault of the node', () => {
  it.each([
    [{ to: TO, type: '0xff' }, {}],
    [{ to: TO, type: '0x3' }, {}],
    [{ to: TO, blobVersionedHashes: [ZERO] }, {}],
    [{ to: TO, maxFeePerBlobGas: '0x1' }, {}],
    [{ type: '0x4' }, {}],
    [{ to: TO }, { [TO]: { state: {}, stateDiff: {} } }],
  ])('%j with overrides %j', async (given, overridden) => {
    const request = {
      call: callObject.parse(given),
      at: { tag: 'latest' } as const,
      overrides: stateOverrides.parse(overridden),
      blockOverrides: undefined,
    }
    const refused = { name: 'RpcError', code: -32602 }
    await expect(reader.call(request)).rejects.toMatchObject(refused)
    await expect(reader.estimateGas(request)).rejects.toMatchObject(refused)
    await expect(reader.createAccessList(request)).rejects.toMatchObject(refused)
  })
})

describe('byte strings in one buffer', () => {
  it('lie one after another, the empty one too', () => {
    const { bytes, offsets } = packedData.parse(['0x', '0x0102', '0xFf', '0x'])
    expect([...bytes]).toStrictEqual([1, 2, 255])
    expect([...offsets]).toStrictEqual([0, 0, 2, 3, 3])
    expect([...packedData.parse([]).offsets]).toStrictEqual([0])
  })

  it.each([
    [undefined, []],
    ['0x00', []],
    [{}, []],
    [['0x00', '00'], [1]],
    [['0x00', '0x0'], [1]],
    [['0x00', '0x00', '0x0g'], [2]],
    [['0xg0'], [0]],
    [['0x00', null], [1]],
    [['0x00', 7], [1]],
  ])('%j are none', (value, path) => {
    const { error } = packedData.safeParse(value)
    expect(error?.issues.map((issue) => issue.path)).toStrictEqual([path])
  })
})
