import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import { EMPTY_CODE_HASH, keccak256Hex } from '../../host/primitives/keccak.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import type { StateDump } from './report.ts'

/** The state in the form of go-ethereum's dumps: balances in decimal, storage without 0x, the key of each account. */
export const dumpState = (memory: MemoryState): StateDump => {
  const trie = createStateTrie(memory)
  const accounts = Object.entries(memory.dump()).map(([address, { nonce, balance, codeHash, storage }]) => {
    const slots = Object.entries(storage).map(([key, value]) => [key, value.replace(/^0x0*(?=.)/, '')])
    return [
      address,
      {
        balance: balance.toString(),
        nonce: Number(nonce),
        root: trie.proof(address).storageHash,
        codeHash,
        ...(codeHash === EMPTY_CODE_HASH ? {} : { code: bytesToHex(memory.code(codeHash)) }),
        ...(slots.length === 0 ? {} : { storage: Object.fromEntries(slots) }),
        address,
        key: keccak256Hex(hexToBytes(address)),
      },
    ] as const
  })
  return { root: trie.root.slice(2), accounts: Object.fromEntries(accounts) }
}
