import { expect, test } from 'vitest'
import { MANNERS } from '../fixtures/engine_rpc.ts'
import { killRounds } from '../fixtures/kill_rounds.ts'

// Takes most of a minute; 50 of them: npm run drive -- --kills 50.
test.skipIf(process.env['WGEVM_FULL'] !== '1')(
  'a service that is killed while it is driven has lost no block, and is driven on',
  async () => {
    const { blocks, transactions, waits } = await killRounds({ kills: 1, seed: 3, manner: MANNERS.lodestar })
    expect(blocks).toBeGreaterThan(2)
    expect(transactions).toBeGreaterThan(5)
    expect(waits).toBe(0)
  },
)
