import { createAccessList2930Tx, createFeeMarket1559Tx, createLegacyTx, getCalldataFloorGas } from '@ethereumjs/tx'
import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../../bench/random.ts'
import type { TransactionObject } from '../../host/chain/batch.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { REJECTION, rejectionText } from '../../host/chain/rejection.ts'
import { gasBounds, transactionRules } from '../../host/chain/rules.ts'
import { commonOf } from '../../host/precompiles/common.ts'
import { wordToBigInt } from '../../host/primitives/word.ts'
import { FORKS, type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'

const A = `0x${'a1'.repeat(20)}`
const B = `0x${'b2'.repeat(20)}`
const MAX = (1n << 256n) - 1n

const envOf = (baseFeePerGas: bigint): BlockEnvironment => ({
  number: 1n,
  timestamp: 1n,
  coinbase: A,
  gasLimit: 30_000_000n,
  baseFeePerGas,
  prevRandao: 0n,
})

const call = (fields: Partial<TransactionObject> = {}): TransactionObject => ({
  type: 0,
  from: A,
  to: B,
  nonce: 0n,
  gasLimit: 1_000_000n,
  gasPrice: 100n,
  ...fields,
})

const creation = (fields: Partial<TransactionObject> = {}): TransactionObject => {
  const { to: _, ...rest } = call(fields)
  return rest
}

const randomTransaction = (random: Random, fork: Fork): TransactionObject => {
  const type = random.below(isAtLeast(fork, 'london') ? 3 : isAtLeast(fork, 'berlin') ? 2 : 1) as 0 | 1 | 2
  const bytes = Array.from({ length: random.below(200) }, () => (random.below(2) === 0 ? 0 : random.below(256)))
  const accessList = Array.from({ length: random.below(4) }, () => ({
    address: B,
    storageKeys: Array.from({ length: random.below(4) }, () => `0x${'07'.repeat(32)}`),
  }))
  const fees = type === 2 ? { maxFeePerGas: 10n, maxPriorityFeePerGas: 1n } : { gasPrice: 10n }
  return {
    type,
    from: A,
    ...(random.below(3) === 0 ? {} : { to: B }),
    nonce: 0n,
    gasLimit: 1_000_000n,
    ...fees,
    data: `0x${Buffer.from(bytes).toString('hex')}`,
    ...(type === 0 ? {} : { accessList }),
  }
}

describe('gasBounds', () => {
  it.each(FORKS)('are those of @ethereumjs/tx at %s', (fork) => {
    const random = createRandom(3, fork)
    const common = commonOf(fork, 1n)
    const objects = Array.from({ length: 60 }, () => randomTransaction(random, fork))
    const { intrinsic, floor } = gasBounds(encodeBatch(objects), fork)
    for (const [i, object] of objects.entries()) {
      const { type, from: _, accessList, ...rest } = object
      const fields = { ...rest, chainId: 1n, ...(accessList ? { accessList } : {}) }
      const create = type === 2 ? createFeeMarket1559Tx : type === 1 ? createAccessList2930Tx : createLegacyTx
      const tx = create(fields as never, { common })
      expect(BigInt(intrinsic[i]!)).toBe(tx.getIntrinsicGas())
      expect(BigInt(floor[i]!)).toBe(getCalldataFloorGas(tx))
    }
  })

  it('price a known transaction at every change of the schedule', () => {
    const batch = encodeBatch([creation({ data: `0x${'00'.repeat(10)}${'ff'.repeat(30)}` })])
    const at = (fork: Fork): number => gasBounds(batch, fork).intrinsic[0]!
    expect(at('frontier')).toBe(21000 + 10 * 4 + 30 * 68)
    expect(at('homestead')).toBe(53000 + 10 * 4 + 30 * 68)
    expect(at('istanbul')).toBe(53000 + 10 * 4 + 30 * 16)
    expect(at('shanghai')).toBe(53000 + 10 * 4 + 30 * 16 + 2 * 2)
    expect(gasBounds(batch, 'prague').floor[0]).toBe(21000 + 10 * (10 + 4 * 30))
    expect(gasBounds(batch, 'cancun').floor[0]).toBe(0)
  })
})

const rulesOf = (objects: readonly TransactionObject[], fork: Fork = 'osaka', baseFee = 10n) =>
  transactionRules(encodeBatch(objects), fork, envOf(baseFee))
const rejectionOf = (object: TransactionObject, fork: Fork = 'osaka', baseFee = 10n): number =>
  rulesOf([object], fork, baseFee).rejection[0]!

const dynamic = (maxFeePerGas: bigint, maxPriorityFeePerGas: bigint): TransactionObject =>
  ({ ...call(), type: 2, gasPrice: undefined, maxFeePerGas, maxPriorityFeePerGas }) as unknown as TransactionObject

describe('transactionRules', () => {
  it('give price, priority and cost as EIP-1559 defines them', () => {
    const random = createRandom(5, 'fees')
    const draw = (): bigint => BigInt(random.u32()) << BigInt(8 * random.below(random.below(2) === 0 ? 4 : 24))
    for (let n = 0; n < 1000; n++) {
      const baseFee = draw()
      const fee = random.below(4) === 0 ? baseFee : draw()
      const tip = random.below(2) === 0 ? fee : draw()
      const object = random.below(3) === 0 ? call({ gasPrice: fee }) : dynamic(fee, tip)
      const gasLimit = random.below(3) === 0 ? draw() & 0xffff_ffff_ffff_ffffn : 50_000n
      const rules = rulesOf([{ ...object, gasLimit, value: draw() }], 'prague', baseFee)
      const cap = object.type === 2 ? tip : fee
      if (object.type === 2 && tip > fee) {
        expect(rules.rejection[0]).toBe(REJECTION.tipAboveFeeCap)
        continue
      }
      if (fee < baseFee) {
        expect(rules.rejection[0]).toBe(REJECTION.feeCapBelowBaseFee)
        continue
      }
      const priority = [cap, fee - baseFee].sort((a, b) => (a < b ? -1 : 1))[0]!
      expect(wordToBigInt(rules.priority, 0)).toBe(priority)
      expect(wordToBigInt(rules.price, 0)).toBe(priority + baseFee)
    }
  })

  it('give the cost, and refuse one beyond 2^256 as unaffordable', () => {
    const random = createRandom(6, 'cost')
    let refused = 0
    for (let n = 0; n < 500; n++) {
      const draw = (): bigint => (BigInt(random.u32()) << BigInt(32 * random.below(8))) | BigInt(random.u32())
      const object = call({ gasPrice: draw(), value: draw(), gasLimit: (draw() & 0xffff_ffff_ffff_ffffn) | 0x1_0000n })
      const rules = rulesOf([object], 'prague', 0n)
      const cost = object.gasPrice! * object.gasLimit + object.value!
      if (cost > MAX) {
        refused++
        expect(rules.rejection[0]).toBe(REJECTION.insufficientFunds)
      } else {
        expect(rules.rejection[0]).toBe(REJECTION.none)
        expect(wordToBigInt(rules.cost, 0)).toBe(cost)
      }
    }
    expect(refused).toBeGreaterThan(50)
  })

  it('charge the whole gas price to the coinbase before London', () => {
    const rules = rulesOf([call({ gasPrice: 7n })], 'berlin', 5n)
    expect(wordToBigInt(rules.price, 0)).toBe(7n)
    expect(wordToBigInt(rules.priority, 0)).toBe(7n)
    expect(rules.rejection[0]).toBe(0)
  })

  it('refuse in pairs: the last value allowed, and the first that is not', () => {
    const one = (fields: Partial<TransactionObject>, fork: Fork = 'osaka') => rejectionOf(call(fields), fork)
    expect(one({ gasPrice: 10n })).toBe(0)
    expect(one({ gasPrice: 9n })).toBe(REJECTION.feeCapBelowBaseFee)
    expect(rejectionOf(dynamic(10n, 10n))).toBe(0)
    expect(rejectionOf(dynamic(10n, 11n))).toBe(REJECTION.tipAboveFeeCap)
    expect(one({ gasLimit: 21_000n })).toBe(0)
    expect(one({ gasLimit: 20_999n })).toBe(REJECTION.intrinsicGas)
    const data = `0x${'ff'.repeat(100)}`
    expect(one({ gasLimit: 25_000n, data })).toBe(0)
    expect(one({ gasLimit: 24_999n, data })).toBe(REJECTION.floorGas)
    expect(one({ gasLimit: 24_999n, data }, 'cancun')).toBe(0)
    expect(one({ gasLimit: 22_599n, data }, 'cancun')).toBe(REJECTION.intrinsicGas)
    expect(one({ gasLimit: 1n << 24n })).toBe(0)
    expect(one({ gasLimit: (1n << 24n) + 1n })).toBe(REJECTION.gasLimitTooHigh)
    expect(one({ gasLimit: (1n << 24n) + 1n }, 'prague')).toBe(0)
    expect(one({ nonce: 2n ** 64n - 2n })).toBe(0)
    expect(one({ nonce: 2n ** 64n - 1n })).toBe(REJECTION.nonceMax)
    const initcode = (length: number, fork: Fork) => rejectionOf(creation({ data: `0x${'00'.repeat(length)}` }), fork)
    expect(initcode(49152, 'osaka')).toBe(0)
    expect(initcode(49153, 'osaka')).toBe(REJECTION.initcodeSize)
    expect(initcode(49153, 'london')).toBe(0)
    expect(one({ data: `0x${'00'.repeat(49153)}` })).toBe(0)
  })

  it('know the types of each fork', () => {
    const typed = (type: 1 | 2) => (type === 2 ? dynamic(20n, 1n) : call({ type: 1, accessList: [] }))
    expect(rejectionOf(typed(1), 'istanbul')).toBe(REJECTION.typeNotSupported)
    expect(rejectionOf(typed(1), 'berlin')).toBe(0)
    expect(rejectionOf(typed(2), 'berlin')).toBe(REJECTION.typeNotSupported)
    expect(rejectionOf(typed(2), 'london')).toBe(0)
  })

  it('report the first of several reasons in the order of a client', () => {
    const all = { ...dynamic(5n, 6n), nonce: 2n ** 64n - 1n, gasLimit: (1n << 24n) + 1n, value: MAX }
    expect(rejectionOf(all, 'berlin')).toBe(REJECTION.typeNotSupported)
    expect(rejectionOf(all)).toBe(REJECTION.nonceMax)
    expect(rejectionOf({ ...all, nonce: 0n })).toBe(REJECTION.gasLimitTooHigh)
    expect(rejectionOf({ ...all, nonce: 0n, gasLimit: 5n })).toBe(REJECTION.tipAboveFeeCap)
    expect(rejectionOf({ ...all, nonce: 0n, gasLimit: 5n, maxPriorityFeePerGas: 1n })).toBe(
      REJECTION.feeCapBelowBaseFee,
    )
    expect(rejectionOf({ ...all, nonce: 0n, gasLimit: 5n, maxPriorityFeePerGas: 1n }, 'osaka', 0n)).toBe(
      REJECTION.insufficientFunds,
    )
    expect(rejectionOf(creation({ gasLimit: 5n, data: `0x${'00'.repeat(49153)}` }))).toBe(REJECTION.intrinsicGas)
  })

  it('have a text for every reason', () => {
    const texts = Object.values(REJECTION).flatMap((code) => (code === 0 ? [] : [rejectionText(code)]))
    expect(new Set(texts).size).toBe(texts.length)
    expect(texts.every((text) => text.length > 5)).toBe(true)
  })
})
