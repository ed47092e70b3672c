import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpFork } from '../../host/chain/op/op_forks.ts'
import {
  type ComputeDevice,
  createExecutor,
  type ExecutorOptions,
  evmForkOf,
  MemoryState,
  type OpChain,
  openDevice,
  opRulesAt,
  type TransactionObject,
} from '../../host/index.ts'
import { assemble } from '../fixtures/assembler.ts'
import { type SerialTerms, serialL1Fee, serialOperatorFee } from '../fixtures/op_reference.ts'

const L1_BLOCK = '0x4200000000000000000000000000000000000015'
const BASE_VAULT = '0x4200000000000000000000000000000000000019'
const L1_VAULT = '0x420000000000000000000000000000000000001a'
const OPERATOR_VAULT = '0x420000000000000000000000000000000000001b'
const COINBASE = '0x4200000000000000000000000000000000000011'
const VAULTS = [BASE_VAULT, L1_VAULT, OPERATOR_VAULT, COINBASE]
const DEPOSITOR = '0xdeaddeaddeaddeaddeaddeaddeaddeaddead0001'
const person = (n: number): string => `0x${(0xa0000 + n).toString(16).padStart(40, '0')}`
/** Keeps the balance of vault n in its slot 0. */
const reader = (n: number): string => `0x${(0xc0de00 + n).toString(16).padStart(40, '0')}`
const READER = (n: number): Uint8Array => assemble(`PUSH20 ${VAULTS[n]} BALANCE PUSH 0 SSTORE STOP`)
/** The L1Block contract takes the base fee of the L1 from its calldata. */
const SETTER = assemble('PUSH 0 CALLDATALOAD PUSH 1 SSTORE STOP')

const BASE_FEE = 7n
const L1_BASE_FEE = 3_000_000_007n
const TERMS: Omit<SerialTerms, 'era'> = {
  overhead: 188n,
  scalar: 684_000n,
  blobBaseFee: 11n,
  baseFeeScalar: 5227n,
  blobBaseFeeScalar: 1_014_213n,
  operatorScalar: 1_234_567n,
  operatorConstant: 987_654_321n,
}

interface Batch {
  readonly transactions: readonly TransactionObject[]
  readonly signed: readonly Uint8Array[]
  readonly balances: Map<string, bigint>
}

const randomOf = (seed: number) => {
  let at = seed
  return (below: number): number => {
    at = (Math.imul(at, 1664525) + 1013904223) >>> 0
    return Math.floor((at / 2 ** 32) * below)
  }
}

/** Deposits first and in between, payments, reads of vaults, vaults that pay, and purses that just do or do not do. */
const randomBatch = (seed: number, count: number, terms: SerialTerms): Batch => {
  const random = randomOf(seed)
  const balances = new Map<string, bigint>()
  const nonces = new Map<string, bigint>()
  for (let n = 0; n < 8; n++) balances.set(person(n), 10n ** 18n)
  for (const vault of VAULTS) balances.set(vault, BigInt(random(3)) * 10n ** 12n)
  const deposit = (from: string, to: string, more: Partial<TransactionObject>, mint = 0n): TransactionObject => ({
    type: 0x7e,
    from,
    to,
    nonce: 0n,
    gasLimit: 100_000n,
    gasPrice: 0n,
    deposit: { sourceHash: `0x${'5a'.repeat(32)}`, mint, isSystem: false },
    ...more,
  })
  const transactions: TransactionObject[] = [
    deposit(DEPOSITOR, L1_BLOCK, { data: `0x${L1_BASE_FEE.toString(16).padStart(64, '0')}` }),
  ]
  const signed: Uint8Array[] = [Uint8Array.of(0x7e)]
  // The vault of the L1 fees is read, and pays, from what it was paid just before.
  balances.set(L1_VAULT, 0n)
  const begin: readonly (readonly [from: string, to: string, gasLimit: bigint])[] = [
    [person(0), person(1), 21_000n],
    [person(1), person(2), 21_000n],
    [person(2), person(3), 21_000n],
    [person(4), reader(1), 60_000n],
    [person(3), person(5), 21_000n],
    [L1_VAULT, person(4), 21_000n],
  ]
  for (const [from, to, gasLimit] of begin) {
    transactions.push({ type: 0, from, to, nonce: nonces.get(from) ?? 0n, gasLimit, gasPrice: BASE_FEE, value: 0n })
    signed.push(Uint8Array.from({ length: 120 }, () => 1 + random(255)))
    nonces.set(from, (nonces.get(from) ?? 0n) + 1n)
  }
  while (transactions.length < count) {
    const kind = random(20)
    const raw = Uint8Array.from({ length: 90 + random(400) }, () => (random(3) === 0 ? 0 : random(40)))
    raw[0] = 2
    let from = kind === 0 ? VAULTS[random(4)]! : person(random(8))
    const value = BigInt(random(1000))
    if (kind < 3 && transactions.length > 3) {
      const mint = BigInt(random(2)) * 10n ** 9n
      transactions.push(deposit(person(20 + random(4)), person(random(30)), { value: value * 10n ** 6n }, mint))
      signed.push(Uint8Array.of(0x7e))
      continue
    }
    const gasLimit = kind < 8 ? 60_000n : 21_000n + BigInt(random(3))
    const gasPrice = BASE_FEE + BigInt(random(5))
    if (kind === 19) {
      // One wei less, exactly, or one more than the transaction may cost.
      from = person(100 + transactions.length)
      const cost =
        gasLimit * gasPrice + value + serialL1Fee(raw, L1_BASE_FEE, terms) + serialOperatorFee(gasLimit, terms)
      balances.set(from, cost + BigInt(random(3) - 1))
    }
    const nonce = nonces.get(from) ?? 0n
    const to = kind < 8 ? reader(random(4)) : random(9) === 0 ? VAULTS[random(4)]! : person(random(30))
    transactions.push({ type: 0, from, to, nonce, gasLimit, gasPrice, value: kind < 8 ? 0n : value })
    signed.push(raw)
    if (kind !== 19 && kind !== 0) nonces.set(from, nonce + 1n)
    // A vault may not be able to pay: its nonce is then the same.
    if (kind === 0) nonces.set(from, nonce)
  }
  return { transactions, signed, balances }
}

/** The batch, one transaction after another. */
const runSerially = ({ transactions, signed, balances: before }: Batch, terms: SerialTerms, hasOperator: boolean) => {
  const balances = new Map(before)
  const nonces = new Map<string, bigint>()
  const slots = new Map<string, bigint>()
  const add = (address: string, wei: bigint): void => {
    balances.set(address, (balances.get(address) ?? 0n) + wei)
  }
  const gasUsed: (bigint | undefined)[] = []
  for (const [i, { from, to, nonce, gasLimit, gasPrice, value = 0n, deposit }] of transactions.entries()) {
    const next = (nonces.get(from) ?? 0n) + 1n
    if (deposit !== undefined) {
      nonces.set(from, next)
      add(from, deposit.mint)
      if ((balances.get(from) ?? 0n) < value) {
        gasUsed.push(gasLimit)
        continue
      }
      add(from, -value)
      add(to!, value)
      gasUsed.push(to === L1_BLOCK ? undefined : 21_000n)
      continue
    }
    const l1Fee = serialL1Fee(signed[i]!, L1_BASE_FEE, terms)
    const most = gasLimit * gasPrice! + value + l1Fee + serialOperatorFee(gasLimit, terms)
    if (nonce !== next - 1n || (balances.get(from) ?? 0n) < most) {
      gasUsed.push(-1n)
      continue
    }
    let gas = 21_000n
    const n = [0, 1, 2, 3].find((k) => reader(k) === to)
    if (n !== undefined) {
      // A sender that is the vault it reads sees what it has paid before.
      const paid = from === VAULTS[n] ? gasLimit * gasPrice! + l1Fee + serialOperatorFee(gasLimit, terms) : 0n
      const seen = (balances.get(VAULTS[n]!) ?? 0n) - paid
      const known = slots.get(to!) ?? 0n
      // EIP-2929 and 3651: coinbase and sender are warm.
      const look = n === 3 || from === VAULTS[n] ? 100n : 2600n
      const isSame = seen === known
      gas += 3n + look + 3n + 2100n + (isSame ? 100n : known === 0n ? 20_000n : 2_900n)
      if (!isSame && seen === 0n) gas -= 4_800n < gas / 5n ? 4_800n : gas / 5n
      slots.set(to!, seen)
    }
    gasUsed.push(gas)
    nonces.set(from, next)
    const operatorFee = serialOperatorFee(gas, terms)
    add(from, -(gas * gasPrice! + value + l1Fee + operatorFee))
    add(to!, value)
    add(COINBASE, gas * (gasPrice! - BASE_FEE))
    add(BASE_VAULT, gas * BASE_FEE)
    add(L1_VAULT, l1Fee)
    if (hasOperator) add(OPERATOR_VAULT, operatorFee)
  }
  return { balances, nonces, slots, gasUsed }
}

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const word = (bytes: number, ...fields: readonly (readonly [offset: number, size: number, value: bigint])[]): bigint =>
  fields.reduce((sum, [offset, size, value]) => sum | (value << BigInt(8 * (bytes - offset - size))), 0n)

const stateOf = ({ balances }: Batch): MemoryState => {
  const t = TERMS
  const storage = {
    '0x1': 1n,
    '0x3': word(32, [16, 4, t.baseFeeScalar], [20, 4, t.blobBaseFeeScalar]),
    '0x5': t.overhead,
    '0x6': t.scalar,
    '0x7': t.blobBaseFee,
    '0x8': word(32, [18, 2, 1n], [20, 4, t.operatorScalar], [24, 8, t.operatorConstant]),
  }
  const state = MemoryState.from(Object.fromEntries([...balances].map(([address, balance]) => [address, { balance }])))
  state.setAccount(L1_BLOCK, { nonce: 1n, code: SETTER, storage })
  for (let n = 0; n < 4; n++) state.setAccount(reader(n), { nonce: 1n, code: READER(n) })
  return state
}

const FORMS: readonly (readonly [string, Partial<ExecutorOptions>, boolean])[] = [
  ['one after another', { workers: 0 }, false],
  ['in columns', { workers: 0, waves: 'always' }, false],
  ['on the lane VM', { workers: 0, waves: 'always', paths: 'never', laneVm: 'always', compile: 'wait' }, true],
  ['in workers', { workers: 1 }, false],
]
const ERAS: readonly (readonly [SerialTerms['era'], OpFork])[] = [
  ['regolith', 'canyon'],
  ['ecotone', 'ecotone'],
  ['fjord', 'holocene'],
  ['isthmus', 'isthmus'],
  ['jovian', 'jovian'],
]

describe('a batch of the OP stack is what the serial reference makes of it', () => {
  const cases = FORMS.flatMap(([form, options, onDevice], f) =>
    // Every fork in the cheap forms, one in the others.
    ERAS.filter((_, e) => f < 2 || e === 3).map(
      ([era, fork], e) => [form, fork, era, options, onDevice, 1 + ((e + f) % 3)] as const,
    ),
  )
  test.each(cases)('%s at %s', async (_, fork, era, options, onDevice, seed) => {
    const chain: OpChain = {
      kind: 'op',
      forks: [{ fork, timestamp: 0n }],
      baseFee: { elasticity: 6n, denominator: 50n, denominatorCanyon: 250n },
    }
    const terms: SerialTerms = { ...TERMS, era }
    const batch = randomBatch(seed, 120, terms)
    const state = stateOf(batch)
    const executor = createExecutor({
      ...options,
      ...(onDevice ? { device } : {}),
      fork: evmForkOf(fork),
      chainId: 10n,
      state,
      chain: opRulesAt(chain, 1n),
    })
    if (options.workers === 1) await executor.warm()
    const env = {
      number: 1n,
      timestamp: 1n,
      coinbase: COINBASE,
      gasLimit: 10n ** 9n,
      baseFeePerGas: BASE_FEE,
      prevRandao: 0n,
    }
    const { receipts, tiers } = await executor.execute({
      env,
      transactions: batch.transactions,
      signed: batch.signed,
    })
    executor.close()
    if (onDevice) expect(tiers.laneVm).toBeGreaterThan(0)
    const expected = runSerially(batch, terms, era === 'isthmus' || era === 'jovian')
    for (const [i, gas] of expected.gasUsed.entries()) {
      if (gas === undefined) continue
      expect([i, receipts.get(i)?.gasUsed ?? -1n]).toEqual([i, gas])
    }
    for (const [address, balance] of expected.balances)
      expect([address, state.account(address)?.balance ?? 0n]).toEqual([address, balance])
    for (const [address, nonce] of expected.nonces)
      expect([address, state.account(address)?.nonce ?? 0n]).toEqual([address, nonce])
    for (const [address, value] of expected.slots)
      expect([address, state.storage(address, 0n)]).toEqual([address, value])
    expect(expected.gasUsed.filter((gas) => gas === -1n).length).toBeGreaterThan(0)
  })
})
