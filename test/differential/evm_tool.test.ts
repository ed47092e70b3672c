import { expect, test } from 'vitest'
import { CONTRACT, capped, outputOf, runCase, unsigned } from '../fixtures/t8n_input.ts'

const TXS = [unsigned(), capped({ nonce: '0x1', to: CONTRACT }), unsigned({ nonce: '0x1' })]

test('evm t8n on the best adapter gives what it gives without one', async () => {
  const without = await outputOf({ txs: TXS, args: ['--adapter=none'] })
  expect(without.result.rejected).toHaveLength(1)
  expect(await outputOf({ txs: TXS, args: ['--adapter=auto'] })).toEqual(without)
})

test('evm t8n refuses an adapter that there is not', async () => {
  const { exitCode, stdout, stderr } = await runCase({ txs: TXS, args: ['--adapter=abacus'] })
  expect([exitCode, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^ERROR\(1\): [^\n]*abacus[^\n]*\n$/)
})
