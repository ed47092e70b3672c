import { expect, test } from 'vitest'
import { MemoryState, openDevice, type TransactionObject } from '../../host/index.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { BATCH_ENV, sender, stranger } from '../fixtures/batch_world.ts'

/** Who is paid the fees; it is gone with the first call. */
const COINBASE = stranger(90)
const LOOKER = stranger(91)
/** The slot is missed: of a lane that is on its way, what follows runs in a later dispatch. */
const LOOK = 'PUSH0 CALLDATALOAD SLOAD POP COINBASE EXTCODEHASH POP STOP'

const world = (): MemoryState =>
  MemoryState.from({
    [COINBASE]: { nonce: 1n, code: assemble('CALLER SELFDESTRUCT') },
    [LOOKER]: { nonce: 1n, code: assemble(LOOK) },
    ...Object.fromEntries([0, 1].map((n) => [sender(n), { balance: 10n ** 18n }])),
  })

const calls: readonly TransactionObject[] = [COINBASE, LOOKER].map((to, n) => ({
  from: sender(n),
  to,
  nonce: 0n,
  gasLimit: 100_000n,
  gasPrice: BATCH_ENV.baseFeePerGas + 1n,
  data: `0x${n.toString(16).padStart(64, '0')}`,
}))

test('a coinbase that was destroyed in the batch is warm in lanes that look at it after that (EIP-3651)', async () => {
  const device = await openDevice()
  const check = new BatchCheck({ fork: 'shanghai', device, laneVm: 'always', range: 1, explain: true })
  const { difference, result } = await check.run(world(), calls, { ...BATCH_ENV, coinbase: COINBASE })
  check.executor.close()
  device.destroy()
  expect(difference).toBeUndefined()
  expect(result.faults).toEqual([])
  // The lane was on its way when the account went, and looked at the one that is there now.
  expect(result.explain!.map(({ tier }) => tier)).toEqual(['cpu', 'laneVm'])
}, 120_000)
