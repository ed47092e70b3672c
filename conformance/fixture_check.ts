import { rejectionText } from '../host/chain/rejection.ts'
import { bytesToHex } from '../host/primitives/hex.ts'
import type { Receipts } from '../host/receipts/receipts.ts'
import { receiptsRoot } from '../host/roots/roots.ts'
import { isAtLeast } from '../transpiler/spec/forks.ts'
import type { BlockFixture } from './block_fixture.ts'

/** How the receipts of a fixture's transactions compare with its header. */
export interface FixtureCheck {
  /** The first field that is another; undefined where all are equal. */
  readonly difference: string | undefined
  /** What was compared, in words; empty where the fixture has nothing. */
  readonly against: string
}

/** The block's own header: gas used, bloom, and from Byzantium on the receipts root. */
export const checkFixture = (
  { expected, fork, transactions }: Pick<BlockFixture, 'expected' | 'fork' | 'transactions'>,
  receipts: Receipts,
): FixtureCheck => {
  const compared: string[] = []
  const fields: (readonly [string, unknown, unknown])[] = []
  const compare = <T>(name: string, wanted: T | undefined, found: () => T) => {
    if (wanted === undefined) return
    compared.push(name)
    fields.push([name, found(), wanted])
  }
  for (let i = 0; i < receipts.count; i++) {
    const code = receipts.rejection(i)
    if (code !== 0) fields.push([`transaction ${i}`, `rejected (${rejectionText(code)})`, 'included'])
  }
  compare('gasUsed', expected.gasUsed, () => receipts.blockGasUsed)
  if (isAtLeast(fork, 'byzantium')) {
    const deposits = new Map(
      transactions.flatMap(({ deposit, nonce }, i) => (deposit === undefined ? [] : [[i, { nonce, version: 1n }]])),
    )
    compare('receiptsRoot', expected.receiptsRoot, () => receiptsRoot(receipts, { deposits }))
  }
  compare('logsBloom', expected.logsBloom, () => bytesToHex(receipts.blockBloom()))
  const wrong = fields.find(([, found, wanted]) => found !== wanted)
  return {
    difference: wrong === undefined ? undefined : `${wrong[0]} is ${String(wrong[1])}, expected ${String(wrong[2])}`,
    against: compared.length === 0 ? '' : `${compared.join(', ')} of the header`,
  }
}
