import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, MemoryState, openDevice, type TransactionObject } from '../../host/index.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { BATCH_ENV, sender, stranger } from '../fixtures/batch_world.ts'

const ENDING = stranger(90)
const LOOKER = stranger(91)
/** A slot that is missed first: what follows runs in a later dispatch. */
const LOOK = `PUSH0 CALLDATALOAD SLOAD POP PUSH20 ${ENDING} EXTCODEHASH POP STOP`

const world = (): MemoryState =>
  MemoryState.from({
    [ENDING]: { nonce: 1n, code: assemble('CALLER SELFDESTRUCT') },
    [LOOKER]: { nonce: 1n, code: assemble(LOOK) },
    ...Object.fromEntries([0, 1].map((n) => [sender(n), { balance: 10n ** 18n }])),
  })

const call = (n: number, to: string): TransactionObject => ({
  ...{ type: 1, from: sender(n), to, nonce: 0n, gasLimit: 100_000n, gasPrice: BATCH_ENV.baseFeePerGas + 1n },
  data: `0x${n.toString(16).padStart(64, '0')}`,
})

/** The lane of the second is on its way when the first destroys the account. */
describe('an account that was destroyed in the batch stays warm for a lane that was on its way', () => {
  let device: ComputeDevice
  beforeAll(async () => {
    device = await openDevice()
  })
  afterAll(() => device.destroy())

  const run = async (transactions: readonly TransactionObject[], coinbase = BATCH_ENV.coinbase): Promise<void> => {
    const check = new BatchCheck({ fork: 'shanghai', device, laneVm: 'always', range: 1, explain: true })
    const { difference, result } = await check.run(world(), transactions, { ...BATCH_ENV, coinbase })
    check.executor.close()
    expect(difference).toBeUndefined()
    expect(result.faults).toEqual([])
    expect(result.explain!.map(({ tier }) => tier)).toEqual(['cpu', 'laneVm'])
  }

  test('where it is the coinbase (EIP-3651)', () => run([call(0, ENDING), call(1, LOOKER)], ENDING), 120_000)

  test('where the access list names it (EIP-2930)', () => {
    const accessList = [{ address: ENDING, storageKeys: [] }]
    return run([call(0, ENDING), { ...call(1, LOOKER), accessList }])
  }, 120_000)
})
