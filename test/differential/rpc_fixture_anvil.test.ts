import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { findAnvil } from '../../bench/peers/anvil_node.ts'
import { JsonRpc } from '../../cli/json_rpc.ts'
import { makeFixture } from '../../cli/rpc_fixture.ts'

const binary = findAnvil()

/** Deploys runtime code that adds 1 to slot 0: SLOAD(0) + 1. */
const COUNTER = '0x6009600c60003960096000f36001600054016000550000'

test.skipIf(binary === undefined)(
  'a fixture of a block of anvil has what its call reads (skipped where there is no anvil)',
  async () => {
    const home = mkdtempSync(join(tmpdir(), 'wgevm-anvil-'))
    const options = ['--host', '127.0.0.1', '--port', '0', '--accounts', '1', '--hardfork', 'prague']
    const child = spawn(binary!, options, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, HOME: home } })
    try {
      let port: string | undefined
      for await (const line of createInterface(child.stdout)) {
        port = /Listening on 127\.0\.0\.1:(\d+)/.exec(line)?.[1]
        if (port !== undefined) break
      }
      const rpc = new JsonRpc(new URL(`http://127.0.0.1:${port}`))
      const [from] = (await rpc.call('eth_accounts', [])) as string[]
      const send = async (transaction: object) =>
        (await rpc.call('eth_getTransactionReceipt', [
          await rpc.call('eth_sendTransaction', [{ from, gas: '0x186a0', ...transaction }]),
        ])) as { readonly contractAddress: string; readonly gasUsed: string; readonly blockNumber: string }
      const { contractAddress } = await send({ data: COUNTER })
      await send({ to: contractAddress })
      await send({ to: contractAddress })
      // The block before the last one, so the node is asked for its past.
      const request = { rpc, block: '0x2', fork: 'prague' as const, onStep: () => {} }
      const first = await makeFixture(request)
      const second = await makeFixture({ ...request, block: 'latest' })
      for (const { against } of [first, second]) expect(against).toBe('gasUsed, receiptsRoot, logsBloom of the header')
      const storageIn = ({ fixture }: typeof first) => Object.values(fixture.pre[contractAddress]?.storage ?? {})
      expect([storageIn(first), storageIn(second)]).toEqual([[], [1n]])
      expect([first.name, second.name]).toEqual(['chain-31337-2', 'chain-31337-3'])
    } finally {
      child.kill('SIGKILL')
      rmSync(home, { recursive: true, force: true })
    }
  },
)
