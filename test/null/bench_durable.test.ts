import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { beginDurable } from '../../bench/block/durable_chain.ts'
import { SignedChain } from '../../bench/block/signed_chain.ts'
import { transfers } from '../../bench/workloads/transfers.ts'
import { runCommand } from '../../cli/run_command.ts'

const EXECUTOR = { workers: 0 }

test('a chain in a folder takes the blocks of a signed chain, and tells when its head is another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-durable-'))
  const signed = await SignedChain.open(transfers, { fork: 'prague', size: 8, seed: 1, blocks: 2, executor: EXECUTOR })
  const chains = await beginDurable(folder, signed, EXECUTOR)
  try {
    const first = await signed.next()
    for (const chain of Object.values(chains)) await chain.run(first)
    await chains.placeless.verify(first)
    const second = await signed.next()
    const { result } = await chains.durable.run(second)
    expect(result.stateRoot).toBe(second.block.header.stateRoot)
    expect(readdirSync(folder)).toEqual(['placeless', 'places'])
    await expect(chains.durable.verify(first)).rejects.toThrow(/^the head in the folder is 0x.*, the last block is 0x/)
  } finally {
    for (const chain of Object.values(chains)) await chain.close()
    signed.close()
    rmSync(folder, { recursive: true })
  }
})

test('a folder is for blocks', async () => {
  await expect(runCommand(['bench', 'transfers', '--data', 'x'])).rejects.toThrow('--data is for --level block')
})
