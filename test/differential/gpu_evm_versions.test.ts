import { readFileSync } from 'node:fs'
import { runBlock } from '@ethereumjs/vm'
import { describe, expect, test } from 'vitest'
import { KNOWN_VM } from '../../host/adapters/ethereumjs/vm_call.ts'
import { blockOutcome } from '../fixtures/vm_blocks.ts'
import { mixedBlock, type VmPackage, vmWorld } from '../fixtures/vm_world.ts'

/**
 * Every version of @ethereumjs/vm in the peer range that npm has; the tests know the older ones by names of their own.
 */
const VERSIONS = ['10.1.0', '10.1.1', '10.1.2', '10.1.3']
const PINNED = '10.1.3'

const OPTIONS = { generate: true, skipHeaderValidation: true, skipBlockValidation: true } as const

const packageAt = async (version: string): Promise<VmPackage> =>
  (await import(version === PINNED ? '@ethereumjs/vm' : `ethereumjs-vm-${version}`)) as VmPackage

const runAt = async (version: string, options: Parameters<typeof vmWorld>[0]) => {
  const vmPackage = await packageAt(version)
  const one = await vmWorld(options, false, undefined, vmPackage)
  const block = mixedBlock(one.vm)
  const result = await vmPackage.runBlock(one.vm, {
    block,
    ...OPTIONS,
  })
  return { outcome: blockOutcome(result), evm: one.evm }
}

describe('createGpuEvm under @ethereumjs/vm', () => {
  test('knows the versions of the declared peer range', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, string>>
    expect(manifest['peerDependencies']).toMatchObject({ '@ethereumjs/vm': '~10.1.0' })
    expect(manifest['optionalDependencies']!['@ethereumjs/vm']).toBe(PINNED)
    expect(KNOWN_VM).toBe(`${VERSIONS[0]} to ${VERSIONS.at(-1)}`)
  })

  test.each(VERSIONS)('%s serves a block to the same receipts and state', async (version) => {
    const ours = await runAt(version, {})
    // The stock EVM of today does not work under the oldest of them.
    const stock = await runAt(PINNED, undefined)
    expect(ours.outcome).toBe(stock.outcome)
    expect(ours.evm!.report).toMatchObject({ blocks: 1, served: 22, faults: [] })
    expect(ours.evm!.report.delegated).toEqual({})
  })

  test.each(VERSIONS)('%s takes what is delegated, self-destructions included', async (version) => {
    const ours = await runAt(version, { leastTransactions: 1000 })
    const stock = await runAt(PINNED, undefined)
    expect(ours.outcome).toBe(stock.outcome)
    expect(ours.evm!.report.delegated).toEqual({ 'few transactions': 22 })
  })

  test('that calls in a way not known here is exact, and warned of once with the reason', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    const outcomes: string[] = []
    for (const change of [{ stateGasLeft: 5n }, { gasPrice: 1n }]) {
      for (let n = 0; n < 2; n++) {
        const one = await vmWorld({})
        const evm = one.evm!
        const runCall = evm.runCall.bind(evm)
        evm.runCall = (opts) => runCall(opts.message === undefined ? { ...opts, ...change } : opts)
        const block = mixedBlock(one.vm)
        outcomes.push(blockOutcome(await runBlock(one.vm, { block, ...OPTIONS })))
        expect(evm.report).toMatchObject({ blocks: 0, served: 0, delegated: { 'unknown VM': 22 } })
      }
    }
    expect(new Set(outcomes)).toEqual(new Set([(await runAt(PINNED, undefined)).outcome]))
    // A warning is emitted when no promise is left to settle.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', onWarning)
    const own = warnings.filter(({ name }) => name === 'WgevmWarning').map(({ message }) => message.split(': ')[2])
    expect(own).toEqual(["the call has the option 'stateGasLeft'; its blocks run on the stock EVM, at its speed"])
  })

  test('does not take a call for one of runTx that nothing was warmed for', async () => {
    const { vm, evm, manager } = await vmWorld({})
    const block = mixedBlock(vm)
    const tx = block.transactions[0]!
    const caller = tx.getSenderAddress()
    const account = (await manager.getAccount(caller))!
    account.balance -= tx.gasLimit * 9n
    await manager.putAccount(caller, account)
    await evm!.runCall({
      block,
      gasPrice: 9n,
      caller,
      gasLimit: tx.gasLimit - tx.getIntrinsicGas(),
      ...(tx.to === undefined ? {} : { to: tx.to }),
      value: tx.value,
      data: tx.data,
      blobVersionedHashes: [],
      accessWitness: undefined!,
    })
    expect(evm!.report).toMatchObject({ blocks: 0, served: 0, delegated: { 'outside a block': 1 } })
  })
})
