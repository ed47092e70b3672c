import { expect, test } from 'vitest'
import { createExecutor, MemoryState } from '../../host/index.ts'

const CALLER = `0x${'fe'.repeat(20)}`
const CONTRACT = `0x${'c0'.repeat(20)}`
/** PUSH20 CALLER, CALLER, EQ, PUSH0, SSTORE. */
const CODE = `0x73${CALLER.slice(2)}33145f55`

/** As databases answer. */
class BufferState extends MemoryState {
  override readCode(codeHash: string): Uint8Array {
    return Buffer.from(super.readCode(codeHash))
  }
}

test('code that a State gives as a Buffer executes as its bytes do', async () => {
  const state = new BufferState()
  state.setAccount(CALLER, { balance: 10n ** 18n })
  state.setAccount(CONTRACT, { nonce: 1n, code: CODE })
  const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
  await executor.execute({
    env: { number: 1n, timestamp: 1n, coinbase: CONTRACT, gasLimit: 30_000_000n, baseFeePerGas: 1n, prevRandao: 0n },
    transactions: [{ from: CALLER, to: CONTRACT, nonce: 0n, gasLimit: 100_000n, gasPrice: 1n }],
  })
  executor.close()
  expect(state.storage(CONTRACT, 0n)).toBe(1n)
})
