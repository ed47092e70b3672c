import { describe, expect, it } from 'vitest'
import { compareWithSerial, runSerial } from '../../bench/oracle.ts'
import type { Authorization, TransactionObject } from '../../host/chain/batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import { type Allocation, MemoryState } from '../../host/state/memory_state.ts'
import { createCpuTier } from '../../host/tiers/cpu/ethereumjs/transaction.ts'
import { FORKS, type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'
import { runOnCpuTier } from '../fixtures/cpu_run.ts'
import { addressOf } from '../fixtures/cpu_world.ts'
import { authorizationBy, signerOf } from '../fixtures/signed_authorization.ts'

const CHAIN_ID = 1337n
const ALICE = addressOf('alice')
const CONTRACT = addressOf('contract')
const COINBASE = addressOf('coinbase')
const SIGNER = signerOf('signer')
const OTHER = signerOf('other')
const RICH = 10n ** 20n
const BLOB = `0x01${'77'.repeat(31)}`
const SECOND_BLOB = `0x01${'88'.repeat(31)}`
const BLOB_GAS = 131_072n

const ENV: BlockEnvironment = {
  number: 100n,
  timestamp: 1_700_000_000n,
  coinbase: COINBASE,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  prevRandao: 99n,
  blobBaseFee: 3n,
}

const CAPS = { maxFeePerGas: 10n, maxPriorityFeePerGas: 2n }
const call = (nonce: bigint, fields: Partial<TransactionObject> = {}): TransactionObject => ({
  type: 2,
  from: ALICE,
  to: CONTRACT,
  nonce,
  gasLimit: 500_000n,
  ...CAPS,
  ...fields,
})
const blob = (nonce: bigint, fields: Partial<TransactionObject> = {}): TransactionObject =>
  call(nonce, { type: 3, maxFeePerBlobGas: 5n, blobVersionedHashes: [BLOB], ...fields })
const setCode = (
  nonce: bigint,
  authorizations: readonly Authorization[],
  fields: Partial<TransactionObject> = {},
): TransactionObject => call(nonce, { type: 4, authorizations, ...fields })
const by = (name: string, address: string, nonce: bigint, chainId = CHAIN_ID) =>
  authorizationBy(name, address, nonce, chainId)

const WRITE_CALLER = assemble('CALLER PUSH 0 SSTORE ADDRESS PUSH 1 SSTORE SELFBALANCE PUSH 2 SSTORE')

/**
 * Runs the transactions on the CPU tier and through an executor without a device; expects both to agree with serial
 * @ethereumjs/vm, and gives their receipts and state.
 */
const planted = async (
  fork: Fork,
  code: string,
  transactions: readonly TransactionObject[],
  others: Allocation = {},
  change: Partial<BlockEnvironment> = {},
) => {
  const env = { ...ENV, ...change }
  const state = MemoryState.from({
    [ALICE]: { balance: RICH },
    [CONTRACT]: { nonce: 1n, code: assemble(code) },
    ...others,
  })
  const request = { fork, chainId: CHAIN_ID, env, transactions }
  const serial = await runSerial({ ...request, state })
  const onTier = state.clone()
  const tier = await createCpuTier({ fork, chainId: CHAIN_ID })
  const receipts = await runOnCpuTier(tier, fork, env, onTier, transactions)
  expect(compareWithSerial({ receipts, state: onTier }, serial)).toBeUndefined()
  const executor = createExecutor({ fork, chainId: CHAIN_ID, state })
  const result = await executor.execute({ env, transactions })
  executor.close()
  expect(compareWithSerial({ receipts: result.receipts, state }, serial)).toBeUndefined()
  const rejections = transactions.map((_, i) => receipts.rejection(i))
  expect(transactions.map((_, i) => result.receipts.rejection(i))).toEqual(rejections)
  return { receipts, rejections, result, state, receipt: (i: number) => receipts.get(i)! }
}

const CANCUN_ON = FORKS.filter((fork) => isAtLeast(fork, 'cancun'))
const PRAGUE_ON = FORKS.filter((fork) => isAtLeast(fork, 'prague'))

describe.each(CANCUN_ON)('a blob transaction at %s', (fork) => {
  it('reads its hashes and the blob base fee, also in inner calls', async () => {
    const reader = assemble('PUSH 0 BLOBHASH PUSH 0 SSTORE PUSH 1 BLOBHASH PUSH 1 SSTORE PUSH 2 BLOBHASH PUSH 2 SSTORE')
    const { state } = await planted(
      fork,
      `PUSH 1 BLOBHASH PUSH 0 SSTORE BLOBBASEFEE PUSH 1 SSTORE
       PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${addressOf('reader')} GAS CALL`,
      [blob(0n, { blobVersionedHashes: [BLOB, SECOND_BLOB] })],
      { [addressOf('reader')]: { nonce: 1n, code: reader } },
    )
    expect(state.storage(CONTRACT, 0n)).toBe(BigInt(SECOND_BLOB))
    expect(state.storage(CONTRACT, 1n)).toBe(3n)
    expect([0n, 1n, 2n].map((key) => state.storage(addressOf('reader'), key))).toEqual([
      BigInt(BLOB),
      BigInt(SECOND_BLOB),
      0n,
    ])
  })

  it('burns its blob gas, where it succeeds and where it fails', async () => {
    const { state, receipt } = await planted(fork, 'INVALID', [blob(0n), blob(1n, { to: addressOf('bob'), value: 9n })])
    expect([receipt(0).status, receipt(1).status]).toEqual([0, 1])
    const gas = receipt(1).cumulativeGasUsed
    expect(state.account(ALICE)!.balance).toBe(RICH - 9n * gas - 9n - 2n * BLOB_GAS * 3n)
    expect(state.account(COINBASE)!.balance).toBe(2n * gas)
  })

  it('needs the balance for the most it may cost', async () => {
    const cost = 21_000n * 10n + BLOB_GAS * 5n
    const poor = { gasLimit: 21_000n, to: addressOf('bob') }
    const { rejections } = await planted(
      fork,
      'STOP',
      [blob(0n, { ...poor, from: addressOf('just') }), blob(0n, { ...poor, from: addressOf('short') })],
      { [addressOf('just')]: { balance: cost }, [addressOf('short')]: { balance: cost - 1n } },
    )
    expect(rejections).toEqual([0, REJECTION.insufficientFunds])
  })

  it('finds no room in a block whose blob gas is spent', async () => {
    const hashes = (count: number) => ({ blobVersionedHashes: Array.from({ length: count }, () => BLOB) })
    const transactions = [
      blob(0n, { ...hashes(3), to: addressOf('bob') }),
      blob(1n, hashes(3)),
      blob(2n, hashes(2)),
      blob(2n, hashes(1)),
    ]
    const state = MemoryState.from({ [ALICE]: { balance: RICH }, [CONTRACT]: { nonce: 1n, code: assemble('STOP') } })
    const executor = createExecutor({ fork, chainId: CHAIN_ID, state })
    const { rejected, receipts } = await executor.execute({ env: { ...ENV, maxBlobs: 7 }, transactions })
    executor.close()
    expect(rejected).toEqual([
      { index: 2, code: REJECTION.blobGasReached, reason: 'blob gas would exceed maximum allowance' },
    ])
    expect(receipts.get(3)?.status).toBe(1)
  })
})

describe.each(PRAGUE_ON)('a set-code transaction at %s', (fork) => {
  it('lets an account run the code of another from the same transaction on', async () => {
    const { state, receipt } = await planted(
      fork,
      'CALLER PUSH 0 SSTORE ADDRESS PUSH 1 SSTORE',
      [setCode(0n, [by('signer', CONTRACT, 0n)], { to: SIGNER, value: 3n }), call(1n, { to: SIGNER })],
      {},
    )
    expect([receipt(0).status, receipt(1).status]).toEqual([1, 1])
    expect(state.storage(SIGNER, 1n)).toBe(BigInt(SIGNER))
    expect(state.account(SIGNER)).toMatchObject({ nonce: 1n, balance: 3n })
    expect(Buffer.from(state.code(state.account(SIGNER)!.codeHash)).toString('hex')).toBe(`ef0100${CONTRACT.slice(2)}`)
  })

  it('refunds for authorities that existed, and skips what does not hold', async () => {
    const wrong: readonly Authorization[] = [
      by('signer', CONTRACT, 5n),
      by('signer', CONTRACT, 0n, 5n),
      { ...by('signer', CONTRACT, 0n), authority: undefined, signature: { yParity: 0n, r: 0n, s: 1n } },
      by('other', CONTRACT, 2n ** 64n - 1n),
    ]
    const { state, receipt } = await planted(
      fork,
      'STOP',
      [
        setCode(0n, [...wrong, by('signer', CONTRACT, 0n, 0n), by('signer', ALICE, 0n), by('signer', ALICE, 1n)]),
        setCode(1n, [by('other', CONTRACT, 0n)]),
        setCode(2n, wrong),
      ],
      { [SIGNER]: { balance: 1n } },
    )
    expect(state.account(SIGNER)!.nonce).toBe(2n)
    expect(Buffer.from(state.code(state.account(SIGNER)!.codeHash)).toString('hex')).toBe(`ef0100${ALICE.slice(2)}`)
    expect(receipt(0).gasUsed).toBe(21_000n + 7n * 25_000n - 2n * 12_500n)
    expect(receipt(1).gasUsed).toBe(21_000n + 25_000n)
    expect(receipt(2).gasUsed).toBe(21_000n + 4n * 25_000n)
  })

  it('clears a delegation with the zero address, and keeps one when the call fails', async () => {
    const { state } = await planted(
      fork,
      'PUSH 0 PUSH 0 REVERT',
      [
        setCode(0n, [by('signer', CONTRACT, 0n), by('other', CONTRACT, 0n)]),
        setCode(1n, [by('signer', `0x${'00'.repeat(20)}`, 1n)]),
      ],
      {},
    )
    expect(state.account(SIGNER)).toMatchObject({ nonce: 2n })
    expect(state.code(state.account(SIGNER)!.codeHash).length).toBe(0)
    expect(state.code(state.account(OTHER)!.codeHash).length).toBe(23)
  })

  it('lets a delegated account send, in the block in which it became one', async () => {
    const { rejections } = await planted(
      fork,
      'STOP',
      [
        setCode(0n, [by('signer', CONTRACT, 0n)]),
        call(1n, { from: SIGNER, to: ALICE, value: 5n }),
        call(2n, { from: SIGNER, to: SIGNER }),
        call(1n, { from: CONTRACT }),
      ],
      { [SIGNER]: { balance: RICH }, [CONTRACT]: { nonce: 1n, balance: RICH, code: assemble('STOP') } },
    )
    expect(rejections).toEqual([0, 0, 0, REJECTION.senderNotEoa])
  })

  it('may be signed by its sender, whose nonce is counted up before', async () => {
    const { state } = await planted(
      fork,
      'STOP',
      [setCode(0n, [by('signer', CONTRACT, 1n)], { from: SIGNER, to: SIGNER }), call(2n, { from: SIGNER })],
      { [SIGNER]: { balance: RICH } },
    )
    expect(state.account(SIGNER)!.nonce).toBe(3n)
  })

  it('does not touch an authority that is a contract, or whose nonce is another', async () => {
    const { state } = await planted(
      fork,
      'STOP',
      [setCode(0n, [by('signer', CONTRACT, 7n), by('other', CONTRACT, 0n)])],
      {
        [SIGNER]: { nonce: 7n, code: assemble('STOP') },
        [OTHER]: { nonce: 1n, balance: 1n },
      },
    )
    expect(state.account(SIGNER)!.nonce).toBe(7n)
    expect(state.code(state.account(SIGNER)!.codeHash).length).toBe(1)
    expect(state.account(OTHER)).toMatchObject({ nonce: 1n })
  })

  it('warms its authorities and the code that the called account runs', async () => {
    const balance = (address: string) => `PUSH20 ${address} BALANCE POP`
    const { receipt } = await planted(
      fork,
      `${balance(SIGNER)} ${balance(OTHER)} ${balance(CONTRACT)}`,
      [setCode(0n, [by('signer', CONTRACT, 0n)], { to: SIGNER }), setCode(1n, [by('other', CONTRACT, 9n)])],
      { [SIGNER]: { balance: 1n } },
    )
    const spent = 21_000n + 25_000n + 3n * 5n + 100n + 2_600n + 100n
    expect(receipt(0).gasUsed).toBe(spent - spent / 5n)
    expect(receipt(1).gasUsed).toBe(21_000n + 25_000n + 3n * 5n + 2_600n + 100n + 100n)
  })

  it('runs a delegation in the middle of an inner call, and only one deep', async () => {
    const inner = `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${SIGNER} GAS CALL PUSH 9 SSTORE`
    const { state } = await planted(
      fork,
      inner,
      [
        setCode(0n, [by('signer', addressOf('target'), 0n), by('other', SIGNER, 0n)]),
        call(1n),
        call(2n, { to: OTHER, gasLimit: 100_000n }),
      ],
      { [addressOf('target')]: { nonce: 1n, code: WRITE_CALLER } },
    )
    expect(state.storage(CONTRACT, 9n)).toBe(1n)
    expect(state.storage(SIGNER, 0n)).toBe(BigInt(CONTRACT))
    expect(state.storage(addressOf('target'), 0n)).toBe(0n)
  })
})

const deposit = (fields: Partial<TransactionObject> = {}, mint = 0n, isSystem = false): TransactionObject => ({
  type: 0x7e,
  from: SIGNER,
  to: CONTRACT,
  nonce: 0n,
  gasLimit: 200_000n,
  deposit: { sourceHash: BLOB, mint, isSystem },
  ...fields,
})

/** What op-geth does from Regolith on; @ethereumjs/vm has no deposits. */
describe('a deposit of the OP stack', () => {
  const run = async (code: string, transactions: readonly TransactionObject[], others: Allocation = {}) => {
    const state = MemoryState.from({
      [ALICE]: { balance: RICH },
      [CONTRACT]: { nonce: 1n, code: assemble(code) },
      ...others,
    })
    const executor = createExecutor({ fork: 'prague', chainId: CHAIN_ID, state })
    const result = await executor.execute({ env: ENV, transactions })
    executor.close()
    return { ...result, state }
  }

  it('is minted, executed and free, whatever its nonce says', async () => {
    const { receipts, state, exits } = await run(
      'CALLVALUE PUSH 0 SSTORE',
      [deposit({ value: 30n, nonce: 77n }, 50n), deposit({ value: 5n })],
      { [SIGNER]: { nonce: 4n } },
    )
    expect(receipts.get(0)).toMatchObject({ type: 0x7e, status: 1, depositNonce: 4n })
    expect(receipts.get(1)).toMatchObject({ status: 1, depositNonce: 5n })
    expect(receipts.get(0)!.gasUsed).toBe(21_000n + 2n + 3n + 22_100n)
    expect(state.account(SIGNER)).toMatchObject({ nonce: 6n, balance: 15n })
    expect(state.storage(CONTRACT, 0n)).toBe(5n)
    expect(state.account(COINBASE)).toBeUndefined()
    expect(exits).toEqual({ deposit: 2 })
  })

  it('that reverts keeps mint and nonce, and only the gas it used', async () => {
    const { receipts, state } = await run('PUSH 1 PUSH 0 SSTORE PUSH 0 PUSH 0 REVERT', [deposit({ value: 30n }, 50n)])
    expect(receipts.get(0)).toMatchObject({ status: 0, gasUsed: 21_000n + 22_106n + 6n, depositNonce: 0n })
    expect(state.account(SIGNER)).toMatchObject({ nonce: 1n, balance: 50n })
    expect(state.storage(CONTRACT, 0n)).toBe(0n)
  })

  it('that cannot start fails, uses all its gas, and keeps mint and nonce', async () => {
    const { receipts, state } = await run('STOP', [
      deposit({ value: 51n }, 50n),
      deposit({ gasLimit: 20_999n }, 1n),
      deposit({ gasLimit: 21_000n }, 0n),
    ])
    expect(receipts.get(0)).toMatchObject({ status: 0, gasUsed: 200_000n })
    expect(receipts.get(1)).toMatchObject({ status: 0, gasUsed: 20_999n })
    expect(receipts.get(2)).toMatchObject({ status: 1, gasUsed: 21_000n, depositNonce: 2n })
    expect(state.account(SIGNER)).toMatchObject({ nonce: 3n, balance: 51n })
  })

  it('creates a contract at the address of its sender and present nonce', async () => {
    const { to: _, ...creation } = deposit({ data: '0x' }, 5n)
    const { receipts, state } = await run('STOP', [creation], { [SIGNER]: { nonce: 4n } })
    const made = receipts.get(0)!.contractAddress!
    expect(state.account(made)).toMatchObject({ nonce: 1n })
    expect(state.account(SIGNER)).toMatchObject({ nonce: 5n, balance: 5n })
  })

  it('that is the system’s is recorded without gas and needs no room; others need it', async () => {
    const { receipts, rejected } = await run('STOP', [
      deposit({ gasLimit: 30_000_001n }, 0n, true),
      deposit({ gasLimit: 30_000_001n }, 1n),
      call(0n, { gasLimit: 21_000n }),
    ])
    expect(receipts.get(0)).toMatchObject({ status: 1, gasUsed: 0n })
    expect(rejected).toMatchObject([{ index: 1, reason: 'gas limit reached' }])
    expect(receipts.get(2)).toMatchObject({ status: 1, cumulativeGasUsed: 21_000n })
  })

  it('may come from a contract', async () => {
    const { receipts, state } = await run('STOP', [deposit({ from: CONTRACT, to: ALICE, value: 3n }, 3n)])
    expect(receipts.get(0)).toMatchObject({ status: 1, depositNonce: 1n })
    expect(state.account(ALICE)!.balance).toBe(RICH + 3n)
  })
})
