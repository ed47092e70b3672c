import { createBlockFromRLP } from '@ethereumjs/block'
import { type Common, createCustomCommon, Mainnet } from '@ethereumjs/common'
import { Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { Account, Address, hexToBytes, setLengthLeft } from '@ethereumjs/util'
import { createVM, runBlock, type VM } from '@ethereumjs/vm'
import { headerHash } from '../../host/chain/header.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { ethereumjsHardfork, type Fork } from '../../transpiler/spec/forks.ts'
import type { PeerResult } from '../report/schema.ts'
import { encodeBlock, type SignedBlock } from './signed_chain.ts'

type Hex = `0x${string}`

/**
 * `runBlock` of @ethereumjs/vm as it comes, on the block after `genesis`: from the RLP of the block to its roots, all
 * of which it checks against the header. It throws where they are not the header's.
 */
export const runVmPeer = async (fork: Fork, genesis: MemoryState, signed: SignedBlock): Promise<PeerResult> => {
  const common = createCustomCommon({ chainId: 1 }, Mainnet, { hardfork: ethereumjsHardfork(fork) })
  const state = genesis.clone()
  state.setBlockHash(signed.parent.number, headerHash(signed.parent))
  const vm = await vmOn(common, state)
  const rlp = encodeBlock(signed)
  const startedMs = performance.now()
  const block = createBlockFromRLP(rlp, { common })
  const { gasUsed } = await runBlock(vm, { block, skipHeaderValidation: true })
  const elapsedMs = performance.now() - startedMs
  const count = signed.signed.length
  return {
    name: '@ethereumjs/vm runBlock',
    level: 'from signed bytes',
    txCount: count,
    txPerSecond: (1000 * count) / elapsedMs,
    mgasPerSecond: Number(gasUsed) / 1000 / elapsedMs,
    note: 'as it comes, its first block; every root of the header checked',
  }
}

/** A VM whose state is that of `state`, and which knows blocks by the hashes that it has. */
export const vmOn = async (common: Common, state: MemoryState): Promise<VM> => {
  const manager = new MerkleStateManager({ common, caches: new Caches() })
  await manager.checkpoint()
  for (const [hex, { nonce, balance, codeHash, storage }] of Object.entries(state.dump())) {
    const address = new Address(hexToBytes(hex as Hex))
    await manager.putAccount(address, new Account(nonce, balance))
    const code = state.readCode(codeHash)
    if (code.length > 0) await manager.putCode(address, code)
    for (const [key, value] of Object.entries(storage)) {
      const bytes = hexToBytes(`0x${BigInt(value).toString(16).padStart(64, '0')}`)
      await manager.putStorage(address, setLengthLeft(hexToBytes(key as Hex), 32), bytes)
    }
  }
  await manager.commit()
  const blockchain = {
    getBlock: async (number: number) => ({
      hash: () => hexToBytes((state.blockHash(BigInt(number)) ?? `0x${'0'.repeat(64)}`) as Hex),
    }),
    putBlock: async () => {},
    shallowCopy() {
      return this
    },
  }
  return createVM({ common, stateManager: manager, blockchain: blockchain as never })
}
