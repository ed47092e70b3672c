import { describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { type TransactionObject, TYPE_BLOB, TYPE_DEPOSIT } from '../../host/chain/batch.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { ChargePass } from '../../host/chain/op/charge_pass.ts'
import { MOST_KINDS } from '../../host/chain/op/charge_request.ts'
import { chargeRules } from '../../host/chain/op/charge_rules.ts'
import { opChargesOf } from '../../host/chain/op/charges.ts'
import { fastLzLengths, zeroByteCounts } from '../../host/chain/op/fast_lz.ts'
import {
  daFootprint,
  estimatedSize,
  type L1Attributes,
  LEAST_SIZE_BYTES,
  l1FeeOf,
  l1FeeWords,
  l1Measures,
  operatorFee,
  operatorFeeOf,
  readL1Attributes,
} from '../../host/chain/op/l1_fees.ts'
import type { OpFork } from '../../host/chain/op/op_forks.ts'
import { packTransactions } from '../../host/chain/packed.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import type { RulesPass } from '../../host/chain/rules_pass.ts'
import { MODULE_BYTES } from '../../host/primitives/column_request.ts'
import { wordToBigInt } from '../../host/primitives/word.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { codeSkeleton } from '../../transpiler/index.ts'
import { serialFastLz } from '../fixtures/op_reference.ts'
import { EMPTY_TRANSACTION, OP_118024092, OP_124665056, SAMPLE_CALL } from '../fixtures/op_vectors.ts'
import { rulesPassFor } from '../fixtures/rules_pass.ts'

/** What other modules leave in the memory of all of them is anything. */
const soiled = (pass: RulesPass): RulesPass => {
  const { buffer } = pass.columns.memory.memory
  new Uint8Array(buffer, 1024, MODULE_BYTES - 1024).fill(0xab)
  return pass
}

const bytes = (length: number, byteAt: (i: number) => number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => byteAt(i))
const lengthOf = (input: Uint8Array): number => fastLzLengths([input])[0]!

const NONE: L1Attributes = {
  baseFee: 0n,
  overhead: 0n,
  scalar: 0n,
  blobBaseFee: 0n,
  baseFeeScalar: 0n,
  blobBaseFeeScalar: 0n,
  operatorFeeScalar: 0n,
  operatorFeeConstant: 0n,
  daFootprintGasScalar: 0n,
}

describe('the size of a short transaction', () => {
  test('is the least one whatever its bytes are, and that of one byte more is not', () => {
    const literals = bytes(LEAST_SIZE_BYTES + 1, (i) => (i * i * 7 + (i >> 3)) & 0xff)
    expect(estimatedSize(lengthOf(literals))).toBeGreaterThan(estimatedSize(0))
    expect(l1Measures([literals, literals.subarray(1)], 'karst')[1]).toBe(0)
    expect(l1Measures([literals], 'karst')[0]).toBe(lengthOf(literals))
    let seed = 11
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return Math.floor((seed / 2 ** 32) * below)
    }
    for (let n = 0; n < 2000; n++) {
      const alphabet = 2 + random(254)
      const input = bytes(LEAST_SIZE_BYTES - random(8), () => random(alphabet))
      // Short matches, which end runs of literals.
      for (let k = random(20); k > 0; k--) {
        const from = random(input.length - 12)
        input.copyWithin(from + 3 + random(8), from, from + 3)
      }
      expect(estimatedSize(lengthOf(input))).toBe(estimatedSize(0))
      expect(lengthOf(input)).toBeLessThanOrEqual(input.length + Math.ceil(input.length / 32))
    }
  })
})

describe('FastLZ', () => {
  test.each([
    ['no bytes', bytes(0, () => 0), 0],
    ['1000 zero bytes', bytes(1000, () => 0), 21],
    ['1000 bytes of 42', bytes(1000, () => 42), 21],
    ['1000 bytes of 1', bytes(1000, () => 1), 21],
    ['three bytes', Uint8Array.of(0xfa, 0xca, 0xde), 4],
    ['the empty transaction', EMPTY_TRANSACTION, 31],
    ['a contract call', SAMPLE_CALL, 202],
  ])('gives %s its published length', (_, input, length) => {
    expect(lengthOf(input)).toBe(length)
    expect(serialFastLz(input)).toBe(length)
  })

  test('grows with every byte of 0, 1, 2, ...', () => {
    let last = -1
    for (let length = 0; length <= 256; length++) {
      const found = lengthOf(bytes(length, (i) => i))
      expect(found).toBeGreaterThan(last)
      last = found
    }
  })

  test('of many, packed or not, is that of the serial form, whatever stood in the buffer before', () => {
    let seed = 7
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return Math.floor((seed / 2 ** 32) * below)
    }
    const inputs = Array.from({ length: 300 }, (_, n) => {
      const alphabet = 1 + random(n % 3 === 0 ? 4 : 256)
      const length = n === 100 ? 1_200_000 : n % 7 === 0 ? 9_000 + random(30_000) : random(400)
      const period = 1 + random(9_000)
      const made = bytes(length, () => random(alphabet))
      // Repeats at the edge of the window.
      for (let i = period; i < length; i++) if (random(5) > 0) made[i] = made[i - period]!
      return made
    })
    const expected = inputs.map(serialFastLz)
    expect([...fastLzLengths(inputs)]).toEqual(expected)
    expect([...fastLzLengths(packTransactions(inputs))]).toEqual(expected)
    const long = inputs.map((input, i) => (input.length <= 200 ? 0 : expected[i]))
    expect([...fastLzLengths(packTransactions(inputs), 200)]).toEqual(long)
    expect([...zeroByteCounts(inputs)]).toEqual(inputs.map((input) => input.filter((byte) => byte === 0).length))
  })
})

/** Numbers of op-geth's core/types/rollup_cost_test.go. */
const GETH: L1Attributes = {
  ...NONE,
  baseFee: 1_000_000_000n,
  overhead: 50n,
  scalar: 7_000_000n,
  blobBaseFee: 10_000_000n,
  baseFeeScalar: 2n,
  blobBaseFeeScalar: 3n,
}
const ONES: L1Attributes = {
  ...NONE,
  baseFee: 1000n,
  overhead: 1000n,
  scalar: 1000n,
  blobBaseFee: 1000n,
  baseFeeScalar: 1000n,
  blobBaseFeeScalar: 1000n,
}
const FACADE = Uint8Array.of(0xfa, 0xca, 0xde)

const feeOf = (l1: L1Attributes, fork: OpFork, input: Uint8Array): bigint =>
  wordToBigInt(l1FeeWords(l1, fork, l1Measures([input], fork)), 0)

describe('the L1 fee', () => {
  test.each<[OpFork, L1Attributes, Uint8Array, bigint]>([
    ['bedrock', GETH, EMPTY_TRANSACTION, 11_326_000_000_000n],
    ['regolith', GETH, EMPTY_TRANSACTION, 3_710_000_000_000n],
    ['canyon', GETH, EMPTY_TRANSACTION, 3_710_000_000_000n],
    ['ecotone', GETH, EMPTY_TRANSACTION, 960_900n],
    ['fjord', GETH, EMPTY_TRANSACTION, 3_203_000n],
    ['karst', GETH, EMPTY_TRANSACTION, 3_203_000n],
    // rust/op-revm/src/l1block.rs
    ['regolith', ONES, FACADE, 1048n],
    ['ecotone', ONES, FACADE, 51n],
    ['fjord', ONES, FACADE, 1700n],
    ['fjord', ONES, SAMPLE_CALL, 2148n],
    [
      'ecotone',
      {
        ...NONE,
        baseFee: 47_036_678_951n,
        baseFeeScalar: 1368n,
        blobBaseFee: 57_422_457_042n,
        blobBaseFeeScalar: 810_949n,
      },
      OP_118024092,
      7_306_020_222_001n,
    ],
    [
      'fjord',
      { ...NONE, baseFee: 1_055_991_687n, baseFeeScalar: 5227n, blobBaseFee: 1n, blobBaseFeeScalar: 1_014_213n },
      OP_124665056,
      0x5bf1ab43dn,
    ],
  ])('at %s is the published one', (fork, l1, input, fee) => {
    expect(feeOf(l1, fork, input)).toBe(fee)
  })

  test('in the first Ecotone block, whose contract has no scalars yet, is that of before', () => {
    expect(feeOf({ ...GETH, baseFeeScalar: 0n, blobBaseFeeScalar: 0n }, 'ecotone', EMPTY_TRANSACTION)).toBe(
      3_710_000_000_000n,
    )
    expect(feeOf({ ...GETH, baseFeeScalar: 0n, blobBaseFeeScalar: 0n }, 'fjord', EMPTY_TRANSACTION)).toBe(0n)
    expect(feeOf({ ...GETH, baseFeeScalar: 0n, blobBaseFeeScalar: 1n }, 'ecotone', EMPTY_TRANSACTION)).toBe(300n)
  })

  test('measures bytes as the published data gas', () => {
    expect([...l1Measures([FACADE, Uint8Array.of(0xfa, 0, 0xca, 0, 0xde)], 'bedrock')]).toEqual([1136, 1144])
    expect([...l1Measures([FACADE, Uint8Array.of(0xfa, 0, 0xca, 0, 0xde)], 'regolith')]).toEqual([48, 56])
    expect(l1Measures([OP_118024092], 'ecotone')[0]).toBe(2456)
    expect(Math.floor((estimatedSize(lengthOf(FACADE)) * 16) / 1e6)).toBe(1600)
    expect(Math.floor((estimatedSize(lengthOf(OP_124665056)) * 16) / 1e6)).toBe(4471)
    // GasPriceOracle of the contracts, for a FastLZ length of 235.
    expect(Math.floor((estimatedSize(235) * 16) / 1e6)).toBe(2463)
    const oracle = { ...NONE, baseFee: 2_000_000n, blobBaseFee: 3_000_000n, baseFeeScalar: 20n, blobBaseFeeScalar: 15n }
    expect(l1FeeOf(oracle, 'fjord', 235)).toBe(105_484n)
  })

  test('stays at the largest word where products pass it', () => {
    const most = (1n << 256n) - 1n
    const huge = { ...NONE, baseFee: most, overhead: 1n, scalar: most, baseFeeScalar: 1n, blobBaseFeeScalar: 1n }
    expect(l1FeeOf(huge, 'regolith', 16)).toBe(most / 1_000_000n)
    expect(l1FeeOf(huge, 'ecotone', 16)).toBe(most / 16_000_000n)
    expect(l1FeeOf(huge, 'fjord', 100)).toBe(most / 1_000_000_000_000n)
  })

  test('is reckoned for each transaction of many', () => {
    const inputs = [SAMPLE_CALL, FACADE, OP_124665056, SAMPLE_CALL, FACADE]
    for (const fork of ['bedrock', 'ecotone', 'fjord'] as const) {
      const words = l1FeeWords(ONES, fork, l1Measures(inputs, fork))
      expect(inputs.map((_, i) => wordToBigInt(words, 8 * i))).toEqual(inputs.map((input) => feeOf(ONES, fork, input)))
    }
  })
})

describe('the slots of the L1Block contract', () => {
  const slot = (fields: Readonly<Record<number, string>>): bigint => {
    const word = Buffer.alloc(32)
    for (const [at, hex] of Object.entries(fields)) word.write(hex, Number(at), 'hex')
    return BigInt(`0x${word.toString('hex')}`)
  }
  const slots = new Map([
    [1n, 11n],
    [3n, slot({ 12: 'ffffffff', 16: '00000558', 20: '000c5fc5', 24: 'ffffffffffffffff' })],
    [5n, 13n],
    [6n, 17n],
    [7n, 19n],
    [8n, slot({ 16: 'ffff', 18: '0190', 20: '000007d0', 24: '0000000000000005' })],
  ])
  const reading = async (fork: OpFork, known = slots) => {
    const asked: bigint[] = []
    const attributes = await readL1Attributes(fork, (key) => {
      asked.push(key)
      return known.get(key)!
    })
    return { attributes, asked: asked.sort((a, b) => Number(a - b)) }
  }
  const ecotone = { ...NONE, baseFee: 11n, blobBaseFee: 19n, baseFeeScalar: 0x558n, blobBaseFeeScalar: 0xc5fc5n }
  const isthmus = { ...ecotone, operatorFeeScalar: 2000n, operatorFeeConstant: 5n }

  test('hold their fields at the places of op-revm, and only those that a fork has are read', async () => {
    expect(await reading('regolith')).toEqual({
      attributes: { ...NONE, baseFee: 11n, overhead: 13n, scalar: 17n },
      asked: [1n, 5n, 6n],
    })
    expect(await reading('ecotone')).toEqual({ attributes: ecotone, asked: [1n, 3n, 7n] })
    expect(await reading('holocene')).toEqual({ attributes: ecotone, asked: [1n, 3n, 7n] })
    expect(await reading('isthmus')).toEqual({ attributes: isthmus, asked: [1n, 3n, 7n, 8n] })
    expect((await reading('jovian')).attributes).toEqual({ ...isthmus, daFootprintGasScalar: 400n })
  })

  test('of the first Ecotone block are those of before', async () => {
    const empty = new Map(slots).set(3n, slot({ 12: 'ffffffff', 24: 'ffffffffffffffff' }))
    const { attributes, asked } = await reading('ecotone', empty)
    expect(attributes).toEqual({ ...NONE, baseFee: 11n, blobBaseFee: 19n, overhead: 13n, scalar: 17n })
    expect(asked).toEqual([1n, 3n, 5n, 6n, 7n])
  })
})

describe('the operator fee', () => {
  const l1 = { ...NONE, operatorFeeScalar: 1000n, operatorFeeConstant: 10n }

  test('is none before Isthmus, a millionth then, and the hundredfold from Jovian on', () => {
    expect(operatorFeeOf(l1, 'holocene')).toBeUndefined()
    expect(operatorFee(operatorFeeOf(l1, 'isthmus')!, 1000n)).toBe(11n)
    expect(operatorFee(operatorFeeOf(l1, 'isthmus')!, 999n)).toBe(10n)
    expect(operatorFee(operatorFeeOf(l1, 'jovian')!, 1000n)).toBe(100_000_010n)
    expect(operatorFee(operatorFeeOf(l1, 'karst')!, 1000n)).toBe(100_000_010n)
    expect(operatorFeeOf(NONE, 'jovian')).toBeUndefined()
    expect(operatorFeeOf({ ...NONE, operatorFeeConstant: 1n }, 'isthmus')).toBeDefined()
  })
})

describe('the DA footprint', () => {
  test('counts whole bytes of the estimate, and a hundred at least', () => {
    expect(daFootprint(4, 400n)).toBe(40_000)
    // 836500 * 202 - 42585600 = 126.3874 bytes.
    expect(daFootprint(202, 400n)).toBe(126 * 400)
    expect(daFootprint(202, 0n)).toBe(0)
  })
})

describe('what a batch is charged', () => {
  const MOST = (1n << 256n) - 1n
  const attributesOf = (random: ReturnType<typeof createRandom>): L1Attributes => ({
    ...NONE,
    // Fees of one limb, of two, and of more.
    baseFee: [1n, 9_000_000_000n, 1n << 90n, 1n << 200n][random.below(4)]!,
    baseFeeScalar: 5227n,
    operatorFeeScalar: BigInt(random.below(2) * random.below(2 ** 32)),
    operatorFeeConstant: BigInt(random.below(2)) * 987_654n,
    daFootprintGasScalar: 400n,
  })
  const ENV = {
    number: 1n,
    timestamp: 1n,
    coinbase: `0x${'0b'.repeat(20)}`,
    gasLimit: 1n << 40n,
    baseFeePerGas: 0n,
    prevRandao: 0n,
  }

  test.each(['fjord', 'isthmus', 'karst'] as const)(
    'is its fees added to what its sender must hold, by a pass over columns and one by one: %s',
    (fork) => {
      const random = createRandom(3, `charges ${fork}`)
      let refused = 0
      for (let round = 0; round < 8; round++) {
        const l1 = attributesOf(random)
        let [measure, gasLimit, type] = [0, 21_000n, 2]
        const measures: number[] = []
        const objects = Array.from({ length: 40 }, (): TransactionObject => {
          if (random.below(4) === 0) measure = [0, 170, 171, 5000, 0xffff, 0x1_0000, 4_000_000][random.below(7)]!
          if (random.below(4) === 0)
            gasLimit = [21_000n, 21_001n, (1n << 32n) - 1n, 1n << 32n, (1n << 53n) - 1n, (1n << 64n) - 1n][
              random.below(6)
            ]!
          if (random.below(5) === 0) type = [2, 2, TYPE_BLOB, TYPE_DEPOSIT][random.below(4)]!
          measures.push(measure)
          const most = [0n, 5n, (1n << 64n) - 1n, (1n << 128n) - 7n, MOST - 30_000n * 7n, MOST - (1n << 201n)]
          const value = most[random.below(most.length)]!
          const from = `0x${'a1'.repeat(20)}`
          const to = `0x${'b2'.repeat(20)}`
          if (type === TYPE_DEPOSIT)
            return {
              type: TYPE_DEPOSIT,
              from,
              to,
              nonce: 0n,
              gasLimit,
              value,
              deposit: { sourceHash: `0x${'1'.repeat(64)}`, mint: 0n, isSystem: false },
            }
          const plain = { from, to, nonce: 0n, gasLimit, value, maxFeePerGas: 7n, maxPriorityFeePerGas: 1n }
          return type === TYPE_BLOB
            ? { ...plain, type: TYPE_BLOB, maxFeePerBlobGas: 1n, blobVersionedHashes: [`0x01${'1'.repeat(62)}`] }
            : { ...plain, type: 2 }
        })
        const batch = encodeBatch(objects)
        const own = transactionRules(batch, 'osaka', ENV)
        const costs = objects.map((_, i) => wordToBigInt(own.cost, 8 * i))
        const rejections = [...own.rejection]
        const pass = rulesPassFor(batch, new ResidentState(new MemoryState(), codeSkeleton))
        const ruled = transactionRules(batch, 'osaka', ENV, pass)
        const copies = [
          chargeRules(own, batch, ENV, opChargesOf(batch, Uint32Array.from(measures), l1, fork)),
          new ChargePass(soiled(pass)).apply(ruled, batch, ENV, Uint32Array.from(measures), l1, fork),
        ]
        const operator = operatorFeeOf(l1, fork)
        for (const [i, { type: kind, gasLimit: limit }] of objects.entries()) {
          const isDeposit = kind === TYPE_DEPOSIT
          const l1Fee = isDeposit ? 0n : l1FeeOf(l1, fork, measures[i]!)
          const fee = isDeposit
            ? 0n
            : l1Fee + (operator === undefined ? 0n : operatorFee(operator, BigInt(Number(limit))))
          const cost = costs[i]! + fee
          const known = kind === TYPE_BLOB ? REJECTION.typeNotSupported : rejections[i]!
          const isPoor = cost > MOST && (known === 0 || known > REJECTION.insufficientFunds)
          if (isPoor) refused++
          for (const { cost: words, extraFee, rejection, blobGas, charges } of copies) {
            expect(wordToBigInt(charges!.l1Fee, 8 * i)).toBe(l1Fee)
            expect(wordToBigInt(extraFee, 8 * i)).toBe(fee)
            expect(wordToBigInt(words, 8 * i)).toBe(BigInt.asUintN(256, cost))
            expect(rejection[i]).toBe(isPoor ? REJECTION.insufficientFunds : known)
            if (fork === 'karst') expect(blobGas[i]).toBe(isDeposit ? 0 : daFootprint(measures[i]!, 400n))
          }
        }
      }
      expect(refused).toBeGreaterThan(0)
    },
  )

  test('is that of its measure where there are more of these than the pass has room for', () => {
    const l1 = attributesOf(createRandom(4, 'many measures'))
    const from = `0x${'a1'.repeat(20)}`
    const call = { from, to: from, nonce: 0n, gasLimit: 21_000n, maxFeePerGas: 7n, maxPriorityFeePerGas: 1n }
    const batch = encodeBatch(Array.from({ length: MOST_KINDS + 500 }, () => call))
    const measures = Uint32Array.from({ length: batch.count }, (_, i) => 300 + i)
    const resident = new ResidentState(new MemoryState(), codeSkeleton)
    // The second batch meets what the first one left in the memory.
    for (const shift of [0, 3]) {
      const shifted = measures.map((measure) => measure + shift)
      const pass = rulesPassFor(batch, resident)
      const ruled = transactionRules(batch, 'osaka', ENV, pass)
      const rules = new ChargePass(soiled(pass)).apply(ruled, batch, ENV, shifted, l1, 'karst')
      const alone = chargeRules(
        transactionRules(batch, 'osaka', ENV),
        batch,
        ENV,
        opChargesOf(batch, shifted, l1, 'karst'),
      )
      for (const name of ['cost', 'extraFee', 'blobGas', 'rejection'] as const)
        expect(
          Buffer.compare(Buffer.from(rules[name].slice().buffer), Buffer.from(alone[name].slice().buffer)),
          name,
        ).toBe(0)
      expect(wordToBigInt(rules.charges!.l1Fee, 8 * (batch.count - 1))).toBe(l1FeeOf(l1, 'karst', shifted.at(-1)!))
    }
  })
})
