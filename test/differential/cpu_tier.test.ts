import { createAddressFromString, createContractAddress } from '@ethereumjs/util'
import { describe, expect, it } from 'vitest'
import { compareWithSerial, runSerial } from '../../bench/oracle.ts'
import type { CpuExecution } from '../../host/batch/outcome.ts'
import type { TransactionObject } from '../../host/chain/batch.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { REJECTION, type Rejection, rejectionText } from '../../host/chain/rejection.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { EMPTY_CODE_HASH } from '../../host/primitives/keccak.ts'
import { type Allocation, MemoryState } from '../../host/state/memory_state.ts'
import type { StateSnapshot } from '../../host/state/snapshot.ts'
import { createCpuTier } from '../../host/tiers/cpu/ethereumjs/transaction.ts'
import { FORKS, type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'
import { runOnCpuTier } from '../fixtures/cpu_run.ts'
import { addressOf, worldOf } from '../fixtures/cpu_world.ts'

const CHAIN_ID = 1337n
const BERLIN_ON = FORKS.filter((fork) => isAtLeast(fork, 'berlin'))
const RUNS = Number(process.env['WGEVM_RUNS'] ?? 6)

interface World {
  readonly env: BlockEnvironment
  readonly state: MemoryState
  readonly transactions: readonly TransactionObject[]
}

const runBoth = async (fork: Fork, { env, state, transactions }: World) => {
  const serial = await runSerial({ fork, chainId: CHAIN_ID, env, state, transactions })
  const after = state.clone()
  const tier = await createCpuTier({ fork, chainId: CHAIN_ID })
  const receipts = await runOnCpuTier(tier, fork, env, after, transactions)
  const difference = compareWithSerial({ receipts, state: after }, serial)
  return { serial, receipts, state: after, difference }
}

const ALICE = addressOf('alice')
const BOB = addressOf('bob')
const CONTRACT = addressOf('contract')
const COINBASE = addressOf('coinbase')
const RICH = 10n ** 20n

const ENV: BlockEnvironment = {
  number: 100n,
  timestamp: 1_700_000_000n,
  coinbase: COINBASE,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  prevRandao: 99n,
}

const call = (fields: Partial<TransactionObject> = {}): TransactionObject => ({
  type: 0,
  from: ALICE,
  to: CONTRACT,
  nonce: 0n,
  gasLimit: 1_000_000n,
  gasPrice: 10n,
  ...fields,
})

/** Runs planted transactions on ALICE (rich) and CONTRACT with this code, expects agreement, returns our receipts. */
const planted = async (
  fork: Fork,
  code: string,
  transactions: readonly TransactionObject[],
  others: Allocation = {},
  env: BlockEnvironment = ENV,
) => {
  const state = MemoryState.from({
    [ALICE]: { balance: RICH },
    [CONTRACT]: { nonce: 1n, code: assemble(code), storage: { '0x01': 1n, '0x02': 2n } },
    ...others,
  })
  const run = await runBoth(fork, { env, state, transactions })
  expect(run.difference).toBeUndefined()
  return { ...run, receipt: (i: number) => run.receipts.get(i)! }
}

/** The same with a fee cap and a tip in place of its price. */
const capped = (
  { gasPrice: _, ...rest }: TransactionObject,
  maxFeePerGas: bigint,
  maxPriorityFeePerGas: bigint,
): TransactionObject => ({ ...rest, type: 2, maxFeePerGas, maxPriorityFeePerGas })

describe.each(BERLIN_ON)('the CPU tier at %s', (fork) => {
  it('gives what serial execution gives on random transactions', async () => {
    let included = 0
    let failed = 0
    for (let seed = 1; seed <= RUNS; seed++) {
      const { serial, difference } = await runBoth(fork, worldOf(fork, seed, 40))
      expect(difference, `seed ${seed}`).toBeUndefined()
      for (const receipt of serial.receipts) {
        if (receipt === undefined) continue
        included++
        if (receipt.status === 0) failed++
      }
    }
    expect(included).toBeGreaterThan(25 * RUNS)
    expect(failed).toBeGreaterThan(4 * RUNS)
    expect(failed).toBeLessThan(included / 2)
  })

  it('succeeds with exactly enough gas and fails with one less', async () => {
    const code = 'PUSH 7 PUSH 9 SSTORE PUSH 3 PUSH 0 MSTORE PUSH 5 PUSH 32 PUSH 0 LOG1'
    const probe = await planted(fork, code, [call()])
    const { gasUsed } = probe.receipt(0)
    expect((await planted(fork, code, [call({ gasLimit: gasUsed })])).receipt(0)).toMatchObject({ status: 1, gasUsed })
    const short = (await planted(fork, code, [call({ gasLimit: gasUsed - 1n })])).receipt(0)
    expect(short).toMatchObject({ status: 0, gasUsed: gasUsed - 1n, logs: [] })
  })

  it('caps the refund', async () => {
    const keys = Array.from({ length: 20 }, (_, key) => key + 10)
    const storage = Object.fromEntries(keys.map((key) => [`0x${key.toString(16)}`, 1n]))
    const code = keys.map((key) => `PUSH 0 PUSH ${key} SSTORE`).join(' ')
    const { receipt } = await planted(fork, 'STOP', [call({ to: BOB })], {
      [BOB]: { nonce: 1n, code: assemble(code), storage },
    })
    const spent = BigInt(21_000 + keys.length * 5_006)
    expect(receipt(0).gasUsed).toBe(spent - spent / (isAtLeast(fork, 'london') ? 5n : 2n))
  })

  it('charges at least the floor from Prague on', async () => {
    const data = `0x${'ff'.repeat(1000)}`
    const { receipt } = await planted(fork, 'STOP', [call({ data })])
    expect(receipt(0).gasUsed).toBe(isAtLeast(fork, 'prague') ? 21_000n + 40_000n : 21_000n + 16_000n)
  })

  it('destroys a contract, and from Cancun on only one made in the same transaction', async () => {
    const runtime = 'CALLER SELFDESTRUCT'
    const initcode = `PUSH3 0x33ff00 PUSH 0 MSTORE PUSH 2 PUSH 29 RETURN`
    const length = assemble(initcode).length
    const deployAndCall = `PUSH32 0x${Buffer.from(assemble(initcode)).toString('hex').padEnd(64, '0')} PUSH 0 MSTORE
      PUSH ${length} PUSH 0 PUSH 5 CREATE DUP1 PUSH 7 SSTORE
      PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 DUP6 GAS CALL PUSH 8 SSTORE`
    const { state, receipt } = await planted(
      fork,
      deployAndCall,
      [call({ value: 20n }), call({ to: BOB, nonce: 1n }), call({ to: BOB, nonce: 2n, value: 3n })],
      { [BOB]: { nonce: 1n, balance: 50n, code: assemble(runtime), storage: { '0x01': 1n } } },
    )
    expect(receipt(0).status).toBe(1)
    const made = `0x${state.storage(CONTRACT, 7n).toString(16).padStart(40, '0')}`
    expect(state.storage(CONTRACT, 8n)).toBe(1n)
    expect(state.account(made)).toBeUndefined()
    expect(state.account(CONTRACT)?.balance).toBe(20n)
    expect(state.account(BOB)).toMatchObject(isAtLeast(fork, 'cancun') ? { nonce: 1n } : { nonce: 0n, balance: 3n })
    expect(state.storage(BOB, 1n)).toBe(isAtLeast(fork, 'cancun') ? 1n : 0n)
  })

  it('runs a sender that is the coinbase, and a contract that reads the coinbase', async () => {
    const env = { ...ENV, coinbase: ALICE }
    await planted(fork, 'COINBASE BALANCE PUSH 0 SSTORE', [call(), call({ nonce: 1n, to: ALICE, value: 5n })], {}, env)
    const { state } = await planted(fork, 'COINBASE BALANCE PUSH 0 SSTORE', [call(), call({ nonce: 1n })])
    expect(state.storage(CONTRACT, 0n)).toBeGreaterThan(0n)
  })

  it('deletes empty accounts that a transaction touches', async () => {
    const code = 'PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 CALLDATALOAD GAS CALL'
    const data = `0x${BOB.slice(2).padStart(64, '0')}`
    const empty = { [BOB]: {} }
    expect((await planted(fork, code, [call({ data })], empty)).state.account(BOB)).toBeUndefined()
    expect((await planted(fork, code, [call({ to: BOB })], empty)).state.account(BOB)).toBeUndefined()
    expect((await planted(fork, code, [call()], empty)).state.account(BOB)).toBeDefined()
  })

  it('keeps no storage under an address that was destroyed and made again', async () => {
    const initcode = assemble(
      'PUSH 1 SLOAD PUSH 2 SSTORE PUSH 9 PUSH 1 SSTORE PUSH2 0x33ff PUSH 0 MSTORE PUSH 2 PUSH 30 RETURN',
    )
    const code = `CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY PUSH 5 CALLDATASIZE PUSH 0 PUSH 0 CREATE2 PUSH 9 SSTORE`
    const deploy = call({ data: bytesToHex(initcode) })
    const first = await planted(fork, code, [deploy])
    const made = `0x${first.state.storage(CONTRACT, 9n).toString(16).padStart(40, '0')}`
    expect(first.state.storage(made, 1n)).toBe(9n)
    const { state, receipt } = await planted(fork, code, [
      deploy,
      call({ nonce: 1n, to: made }),
      { ...deploy, nonce: 2n },
    ])
    expect(receipt(2).status).toBe(1)
    if (!isAtLeast(fork, 'cancun')) {
      expect(state.storage(made, 1n)).toBe(9n)
      expect(state.storage(made, 2n)).toBe(0n)
    }
  })

  it('rejects for the reason that serial execution gives', async () => {
    const delegated = { balance: RICH, code: Uint8Array.of(0xef, 1, 0, ...new Uint8Array(20)) }
    const cases: [Rejection | 0, TransactionObject][] = [
      [REJECTION.nonceTooHigh, call({ nonce: 1n })],
      [REJECTION.senderNotEoa, call({ from: CONTRACT, nonce: 1n, gasPrice: 7n })],
      [isAtLeast(fork, 'prague') ? 0 : REJECTION.senderNotEoa, call({ from: BOB })],
      [REJECTION.insufficientFunds, call({ from: addressOf('erin'), value: 5n })],
      [REJECTION.insufficientFunds, call({ from: addressOf('nobody') })],
      [REJECTION.gasLimitReached, call({ gasLimit: 30_000_001n, nonce: 0n })],
      [REJECTION.intrinsicGas, call({ gasLimit: 20_999n })],
      [0, call({ from: addressOf('dave'), value: 5n })],
      [0, call()],
      [REJECTION.nonceTooLow, call()],
      ...(isAtLeast(fork, 'london')
        ? ([
            [REJECTION.feeCapBelowBaseFee, call({ from: addressOf('carol'), gasPrice: 6n })],
            [REJECTION.tipAboveFeeCap, capped(call({ from: addressOf('carol') }), 9n, 10n)],
          ] as [Rejection, TransactionObject][])
        : ([[REJECTION.typeNotSupported, capped(call({ from: addressOf('carol') }), 9n, 9n)]] as [
            Rejection,
            TransactionObject,
          ][])),
    ]
    const osaka = isAtLeast(fork, 'osaka')
    const { receipts, serial } = await planted(
      fork,
      'STOP',
      cases.map(([, transaction]) => transaction),
      {
        [BOB]: delegated,
        [addressOf('carol')]: { balance: RICH },
        [addressOf('dave')]: { balance: 10_000_005n },
        [addressOf('erin')]: { balance: 10_000_004n },
      },
    )
    const expected = cases.map(([reason]) =>
      osaka && reason === REJECTION.gasLimitReached ? REJECTION.gasLimitTooHigh : reason,
    )
    expect(cases.map((_, i) => textOf(receipts.rejection(i)))).toEqual(expected.map(textOf))
    expect(serial.rejections.map(textOf)).toEqual(expected.map(textOf))
  })

  it('keeps the block gas limit over the batch', async () => {
    const env = { ...ENV, gasLimit: 63_000n }
    const transfer = (nonce: bigint, gasLimit: bigint) => call({ to: BOB, value: 1n, nonce, gasLimit })
    const exact = await planted(
      fork,
      'STOP',
      [transfer(0n, 42_000n), transfer(1n, 42_000n), transfer(2n, 21_000n)],
      {},
      env,
    )
    expect([0, 1, 2].map((i) => exact.receipts.rejection(i))).toEqual([0, 0, 0])
    const over = await planted(
      fork,
      'STOP',
      [transfer(0n, 42_000n), transfer(1n, 42_001n), transfer(1n, 21_000n)],
      {},
      env,
    )
    expect([0, 1, 2].map((i) => over.receipts.rejection(i))).toEqual([0, REJECTION.gasLimitReached, 0])
  })
})

const textOf = (rejection: Rejection | 0): string => (rejection === 0 ? 'included' : rejectionText(rejection))

const executeOne = async (
  code: string,
  fields: Partial<TransactionObject> = {},
  wrap = (state: StateSnapshot) => state,
) => {
  const state = MemoryState.from({
    [ALICE]: { balance: RICH },
    [CONTRACT]: { nonce: 1n, code: assemble(code), storage: { '0x01': 1n } },
  })
  state.setBlockHash(99n, `0x${'ab'.repeat(32)}`)
  const tier = await createCpuTier({ fork: 'osaka', chainId: CHAIN_ID })
  const batch = encodeBatch([call(fields)])
  const rules = transactionRules(batch, 'osaka', ENV)
  const request = { env: ENV, batch, index: 0, rules, snapshot: wrap(state) }
  return { tier, request, outcome: (await tier.execute(request)) as CpuExecution }
}

describe('what the CPU tier reports', () => {
  it('names every account, slot, code and block hash it took from the snapshot', async () => {
    const { outcome } = await executeOne(
      'PUSH 1 SLOAD PUSH 5 SLOAD PUSH20 0x000000000000000000000000000000000000abcd BALANCE PUSH 99 BLOCKHASH PUSH 0 SSTORE',
    )
    expect([...outcome.reads.accounts].sort()).toEqual([ALICE, CONTRACT, `0x${'abcd'.padStart(40, '0')}`].sort())
    expect(outcome.reads.slots).toEqual([
      { address: CONTRACT, key: 1n, value: 1n },
      { address: CONTRACT, key: 5n, value: 0n },
      { address: CONTRACT, key: 0n, value: 0n },
    ])
    expect(outcome.reads.code).toHaveLength(1)
    expect(outcome.reads.blockHashes).toEqual([99n])
    expect(outcome.writes.slots).toEqual([{ address: CONTRACT, key: 0n, value: BigInt(`0x${'ab'.repeat(32)}`) }])
  })

  it('writes only what differs: no slot set to what it was, none of a frame that reverted', async () => {
    const { outcome } = await executeOne('PUSH 1 PUSH 1 SSTORE PUSH 5 PUSH 3 SSTORE PUSH 0 PUSH 3 SSTORE')
    expect(outcome.status).toBe(1)
    expect(outcome.writes.slots).toEqual([])
    expect(outcome.writes.accounts.map(({ address }) => address)).toEqual([ALICE])
    const reverted = await executeOne('PUSH 5 PUSH 3 SSTORE PUSH 0 PUSH 0 REVERT', { value: 5n })
    expect(reverted.outcome.writes.slots).toEqual([])
    expect(reverted.outcome.writes.accounts.map(({ address }) => address)).toEqual([ALICE])
  })

  it('says that old storage is gone where a contract is made at an address that had an account', async () => {
    const made = createContractAddress(createAddressFromString(ALICE), 0n).toString()
    const state = MemoryState.from({ [ALICE]: { balance: RICH }, [made]: { balance: 3n } })
    const tier = await createCpuTier({ fork: 'osaka', chainId: CHAIN_ID })
    const { to: _, ...creation } = call({ data: bytesToHex(assemble('PUSH 7 PUSH 1 SSTORE')) })
    const batch = encodeBatch([creation])
    const rules = transactionRules(batch, 'osaka', ENV)
    const outcome = (await tier.execute({ env: ENV, batch, index: 0, rules, snapshot: state })) as CpuExecution
    expect(outcome.contractAddress).toBe(made)
    expect(outcome.writes.accounts.find(({ address }) => address === made)).toEqual({
      address: made,
      account: { nonce: 1n, balance: 3n, codeHash: EMPTY_CODE_HASH },
      cleared: true,
    })
    expect(outcome.writes.slots).toEqual([{ address: made, key: 1n, value: 7n }])
    expect(outcome.reads.slots).toEqual([])
  })

  it('leaves the fee apart where no code looked at the coinbase, and pays it where some did', async () => {
    const apart = (await executeOne('STOP')).outcome
    expect(apart.coinbaseFee).toBe(apart.gasUsed * 3n)
    expect(apart.reads.accounts).not.toContain(COINBASE)
    const looked = (await executeOne('COINBASE BALANCE')).outcome
    expect(looked.coinbaseFee).toBeUndefined()
    expect(looked.writes.accounts.find(({ address }) => address === COINBASE)?.account).toEqual({
      nonce: 0n,
      balance: looked.gasUsed * 3n,
      codeHash: EMPTY_CODE_HASH,
    })
  })

  it('makes no contract where there is storage (EIP-7610)', async () => {
    const made = createContractAddress(createAddressFromString(ALICE), 0n).toString()
    const { to: _, ...creation } = call({ data: bytesToHex(assemble('PUSH 7 PUSH 1 SSTORE')), gasLimit: 100_000n })
    const { receipt, state } = await planted('osaka', 'STOP', [creation], {
      [made]: { balance: 3n, storage: { '0x01': 5n } },
    })
    expect(receipt(0)).toMatchObject({ status: 0, gasUsed: 100_000n })
    expect(state.storage(made, 1n)).toBe(5n)
  })

  it('reads a snapshot that answers later like one that answers at once', async () => {
    const code = 'PUSH 1 SLOAD PUSH 2 SSTORE CALLER BALANCE PUSH 3 SSTORE PUSH 99 BLOCKHASH PUSH 4 SSTORE'
    const now = await executeOne(code)
    const later = await executeOne(code, {}, (state) => ({
      account: async (address) => state.account(address),
      storage: async (address, key) => state.storage(address, key),
      code: async (hash) => state.code(hash),
      blockHash: async (number) => state.blockHash(number),
    }))
    expect(later.outcome).toEqual(now.outcome)
  })

  it('starts clean after a snapshot that failed in the middle', async () => {
    const { tier, request, outcome } = await executeOne('PUSH 5 PUSH 3 SSTORE PUSH 1 SLOAD PUSH 4 SSTORE')
    const broken: StateSnapshot = {
      account: (address) => request.snapshot.account(address),
      code: (hash) => request.snapshot.code(hash),
      blockHash: () => undefined,
      storage: (_, key) => {
        if (key === 1n) throw new Error('database is gone')
        return 0n
      },
    }
    await expect(tier.execute({ ...request, snapshot: broken })).rejects.toThrow('database is gone')
    expect(await tier.execute(request)).toEqual(outcome)
  })

  it('gives the same outcome again and again, whatever ran before', async () => {
    const { tier, request, outcome } = await executeOne(
      'PUSH 5 PUSH 0 TSTORE PUSH 0 TLOAD PUSH 3 SSTORE PUSH 0 SLOAD POP',
    )
    for (let n = 0; n < 3; n++) expect(await tier.execute(request)).toEqual(outcome)
  })
})
