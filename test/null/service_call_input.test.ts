import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openChain, parseGenesis, SenderCache } from '../../host/index.ts'
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
