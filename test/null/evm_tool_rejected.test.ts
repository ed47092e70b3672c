import { describe, expect, test } from 'vitest'
import { unreadableText } from '../../service/evm_tool/rejected.ts'
import {
  ALICE,
  BOB,
  CONTRACT,
  capped,
  ENV,
  MINER,
  outputOf,
  type TransitionCase,
  unsigned,
} from '../fixtures/t8n_input.ts'

const FROM = 'address 0xd41c057fd1c78805AAC12B0A94a405c0461A6FBb'
const HASH = `0x01${'0'.repeat(62)}`
const blobs = (fields: object) =>
  capped({ type: '0x3', maxFeePerBlobGas: '0x1', blobVersionedHashes: [HASH], maxPriorityFeePerGas: '0x0', ...fields })
const PRAGUE = { fork: 'Prague', args: ['--state-test'] }
const OSAKA = { fork: 'Osaka', args: ['--state-test'] }
const { currentExcessBlobGas: _, ...noExcess } = ENV
const zeros = `0x${'00'.repeat(400)}`

/** What go-ethereum says, with its numbers: tools look for the words. */
const REJECTIONS: readonly (readonly [tx: object, error: string, rest?: TransitionCase])[] = [
  [
    capped({ type: '0x1', gasPrice: '0xa' }),
    'transaction type not supported',
    { fork: 'Istanbul', env: { ...ENV, currentDifficulty: 1 } },
  ],
  [blobs({}), 'blob tx used but field env.ExcessBlobGas missing', { env: noExcess }],
  [unsigned({ nonce: '0x5' }), `nonce too high: ${FROM}, tx: 5 state: 0`],
  [
    unsigned({ nonce: '0xffffffffffffffff' }),
    `nonce has max value: ${FROM}, nonce: 18446744073709551615`,
    { alloc: { [ALICE]: { balance: '0xde0b6b3a7640000', nonce: '0xffffffffffffffff' } } },
  ],
  [unsigned({ gas: '0x1000001' }), 'transaction gas limit too high (cap: 16777216, tx: 16777217)', OSAKA],
  [
    unsigned(),
    `sender not an eoa: ${FROM}, len(code): 1`,
    { alloc: { [ALICE]: { balance: '0xde0b6b3a7640000', code: '0x00' } } },
  ],
  [
    capped({ maxPriorityFeePerGas: '0x65' }),
    `max priority fee per gas higher than max fee per gas: ${FROM}, maxPriorityFeePerGas: 101, maxFeePerGas: 100`,
  ],
  [unsigned({ gasPrice: '0x6' }), `max fee per gas less than block base fee: ${FROM}, maxFeePerGas: 6, baseFee: 7`],
  [blobs({ blobVersionedHashes: [] }), 'blob transaction missing blob hashes'],
  [blobs({ blobVersionedHashes: new Array(7).fill(HASH) }), 'blob gas (917504) would exceed maximum allowance 786432'],
  [
    blobs({ blobVersionedHashes: new Array(7).fill(HASH) }),
    'blob transaction has too many blobs',
    { ...OSAKA, fork: 'BPO2' },
  ],
  [blobs({ blobVersionedHashes: [HASH, `0x02${HASH.slice(4)}`] }), 'blob 1 has invalid hash version'],
  [
    blobs({ maxFeePerBlobGas: '0x0' }),
    `max fee per blob gas less than block blob gas fee: ${FROM} blobGasFeeCap: 0, blobBaseFee: 1`,
  ],
  [
    capped({ type: '0x4', authorizationList: [] }),
    `EIP-7702 transaction with empty auth list (sender ${FROM.slice(8)})`,
    PRAGUE,
  ],
  [
    unsigned({ value: '0xde0b6b3a7640000' }),
    `insufficient funds for gas * price + value: ${FROM} have 1000000000000000000 want 1000000000001000000`,
  ],
  [
    capped({ maxFeePerGas: `0x${'ff'.repeat(32)}` }),
    `insufficient funds for gas * price + value: ${FROM} required balance exceeds 256 bits`,
  ],
  [unsigned({ gas: '0x1c9c381' }), 'gas limit reached'],
  [unsigned({ gas: '0x5207' }), 'intrinsic gas too low: have 20999, want 21000'],
  [
    unsigned({ gas: '0x5f00', input: zeros }),
    'insufficient gas for floor data gas cost: have 24320, want 25000',
    PRAGUE,
  ],
  [
    unsigned({ to: null, gas: '0x100000', input: `0x${'00'.repeat(49_153)}` }),
    'max initcode size exceeded: code size 49153 limit 49152',
  ],
  [unsigned({ secretKey: null }), 'invalid transaction v, r, s values'],
  [unsigned({ v: '0x1b', r: '0x5', s: '0x1' }), 'invalid transaction v, r, s values'],
  [unsigned({ v: '0x27', r: '0x1', s: '0x1' }), 'invalid chain id for signer: have 2 want 1'],
  [capped({ chainId: '0x7', v: '0x1', r: '0x1', s: '0x1' }), 'invalid chain id for signer: have 7 want 1'],
]

describe('evm t8n rejects', () => {
  test.each(REJECTIONS.map(([tx, error, rest = {}]) => [tx, error, rest] as const))(
    '%o: %s',
    async (tx, error, rest) => {
      const after = unsigned({ secretKey: `0x${'00'.repeat(31)}08`, to: MINER })
      const given = { alloc: { [ALICE]: { balance: '0xde0b6b3a7640000' } }, ...rest }
      const alloc = { ...(given.alloc as object), [BOB]: { balance: '0xde0b6b3a7640000' } }
      const { result } = await outputOf({ ...given, alloc, txs: [tx as never, after] })
      expect(result.rejected).toEqual([{ index: 0, error }])
      // What follows has its place all the same.
      expect(result.receipts).toMatchObject([{ transactionIndex: '0x0' }])
    },
  )

  test('with what the transactions before it have left', async () => {
    const txs = [
      unsigned({ value: '0xde0b6b3a6000000', to: CONTRACT }),
      unsigned({ nonce: '0x1', value: '0xde0b6b3a6000000' }),
      unsigned(),
    ]
    const { rejected } = (await outputOf({ txs })).result
    expect(rejected).toEqual([
      { index: 1, error: `insufficient funds for gas * price + value: ${FROM} have 23120816 want 999999999977669184` },
      { index: 2, error: `nonce too low: ${FROM}, tx: 0 state: 1` },
    ])
  })

  test('bytes that are no transaction, in the words of go-ethereum where it has some', () => {
    expect(unreadableText('type 5 is not supported', 1n)).toBe('transaction type not supported')
    expect(unreadableText('s is in the upper half of the order', 1n)).toBe('invalid transaction v, r, s values')
    expect(unreadableText('nonce has leading zeros', 1n)).toBe('nonce has leading zeros')
  })
})
