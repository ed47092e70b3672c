import { createMPT } from '@ethereumjs/mpt'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { Account, createAddressFromString } from '@ethereumjs/util'
import { describe, expect, it } from 'vitest'
import { compareWithSerial, runSerial } from '../../bench/oracle.ts'
import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { createCpuTier } from '../../host/tiers/cpu/ethereumjs/transaction.ts'
import { runOnCpuTier } from '../fixtures/cpu_run.ts'
import { addressOf, worldOf } from '../fixtures/cpu_world.ts'

const CHAIN_ID = 1337n
const ALICE = addressOf('alice')

describe('the serial reference', () => {
  it('reaches the state root that a Merkle state manager reaches', async () => {
    for (const [fork, seed] of [
      ['london', 3],
      ['cancun', 4],
      ['osaka', 5],
    ] as const) {
      const world = worldOf(fork, seed, 40)
      const serial = await runSerial({ fork, chainId: CHAIN_ID, ...world })
      const merkle = await merkleStateOf(world.state)
      const rerun = await runSerial({ fork, chainId: CHAIN_ID, ...world, stateManager: merkle })
      await merkle.flush()
      expect(rerun.receipts).toEqual(serial.receipts)
      const after = await merkleStateOf(serial.state.toMemoryState())
      expect(bytesToHex(await after.getStateRoot())).toBe(bytesToHex(await merkle.getStateRoot()))
    }
  })

  it('finds a planted difference in every part of a receipt and of the state', async () => {
    const world = worldOf('osaka', 6, 30)
    const serial = await runSerial({ fork: 'osaka', chainId: CHAIN_ID, ...world })
    const state = world.state.clone()
    const tier = await createCpuTier({ fork: 'osaka', chainId: CHAIN_ID })
    const receipts = await runOnCpuTier(tier, 'osaka', world.env, state, world.transactions)
    expect(compareWithSerial({ receipts, state }, serial)).toBeUndefined()
    const i = serial.receipts.findIndex((receipt) => receipt !== undefined && receipt.logs.length > 0)
    const log = serial.receipts[i]!.logs[0]!
    const changes = {
      status: { status: 0 },
      gasUsed: { gasUsed: 1n },
      output: { output: '0x77' },
      contractAddress: { contractAddress: ALICE },
      'log 0 address': { logs: [{ ...log, address: ALICE }] },
      'log 0 data': { logs: [{ ...log, data: '0x99' }] },
      'log 0 topics': { logs: [{ ...log, topics: [...log.topics, `0x${'11'.repeat(32)}`] }] },
      'number of logs': { logs: [] },
      logsBloom: { logsBloom: '0x' },
      cumulativeGasUsed: { cumulativeGasUsed: 5n },
    }
    for (const [name, change] of Object.entries(changes)) {
      const wrong = serial.receipts.map((receipt, n) => (n === i ? { ...receipt!, ...change } : receipt))
      expect(compareWithSerial({ receipts, state }, { ...serial, receipts: wrong as never })).toMatch(
        `transaction ${i}: ${name}`,
      )
    }
    const address = serial.receipts[i]!.logs[0]!.address
    const later = state.clone()
    later.setAccount(address, { balance: 12345n })
    expect(compareWithSerial({ receipts, state: later }, serial)).toMatch(`account ${address}: `)
    expect(compareWithSerial({ receipts, state: later }, serial, { state: 'none' })).toBeUndefined()
    const extra = state.clone()
    extra.setAccount(addressOf('extra'), { balance: 1n })
    expect(compareWithSerial({ receipts, state: extra }, serial)).toMatch(`account ${addressOf('extra')}: exists`)
    expect(compareWithSerial({ receipts, state: extra }, serial, { state: 'touched' })).toBeUndefined()
  })
})

const merkleStateOf = async (state: MemoryState): Promise<MerkleStateManager> => {
  const merkle = new MerkleStateManager({ trie: await createMPT({ useKeyHashing: true }) })
  for (const [address, account] of Object.entries(state.dump())) {
    const at = createAddressFromString(address)
    await merkle.putAccount(at, new Account(account.nonce, account.balance))
    const code = state.readCode(account.codeHash)
    if (code.length > 0) await merkle.putCode(at, code)
    for (const [key, value] of Object.entries(account.storage)) {
      const digits = BigInt(value).toString(16)
      await merkle.putStorage(
        at,
        hexToBytes(key),
        hexToBytes(`0x${digits.padStart(digits.length + (digits.length % 2), '0')}`),
      )
    }
  }
  await merkle.flush()
  return merkle
}
