import { describe, expect, it } from 'vitest'
import { PRELUDE } from '../../kernels/linked.generated.ts'
import type { Opcode } from '../../transpiler/spec/opcode.ts'
import { OPCODES } from '../../transpiler/spec/opcodes.ts'
import { edgeOperands, randomWords } from '../fixtures/edge_words.ts'
import { countDigitCases } from './divider_model.ts'
import { columnsOf, describeOnAdapters, environmentOf, laneBuffers, laneEntry, laneWord, type Rig } from './rig.ts'

const SEED = 20251203
const RANDOM_CASES = 2000

type Operands = readonly bigint[]
type PureOpcode = Opcode & Required<Pick<Opcode, 'eval' | 'wgsl'>>

const isPure = (row: Opcode): row is PureOpcode => row.eval !== undefined && row.wgsl !== undefined
const PURE = OPCODES.filter(isPure)

const MAX = (1n << 256n) - 1n

/** Dividends and divisors of every length, and divisors whose digits make the estimate of a quotient digit wrong. */
const divisionOperands = (): Operands[] => {
  const words = randomWords(SEED + 1, 512)
  const pairs = words.map((word, i) => [word, words[(i * 7 + 3) % words.length]! >> BigInt(i % 256)])
  for (const top of [0x8000n, 0x8001n, 0xffffn]) {
    for (const second of [0n, 1n, 0xfffen, 0xffffn]) {
      for (const low of [0n, 1n, (1n << 208n) - 1n, ((1n << 64n) - 1n) << 144n]) {
        for (const factor of [0x7fffn, 0x8000n, 0xfffen, 0xffffn]) {
          for (const shift of [16n, 32n, 64n]) {
            const divisor = ((top << 240n) | (second << 224n) | low) >> shift
            const multiple = divisor * factor
            for (const n of [multiple - 1n, multiple, multiple + divisor - 1n]) pairs.push([n & MAX, divisor])
          }
        }
      }
    }
  }
  return pairs
}

const DIVISION = divisionOperands()

const operandsOf = ({ mnemonic, pops, testValues = [] }: Opcode): Operands[] => {
  const random = randomWords(SEED, RANDOM_CASES * pops)
  const cases = [...testValues, ...edgeOperands(pops)]
  for (let i = 0; i < RANDOM_CASES; i++) cases.push(random.slice(i * pops, (i + 1) * pops))
  if (/^S?(DIV|MOD)$/.test(mnemonic)) cases.push(...DIVISION)
  if (/^(ADD|MUL)MOD$/.test(mnemonic)) cases.push(...DIVISION.map(([n, d], i) => [n!, random[i]!, d!]))
  // Shift amounts and byte indices in range, which random words never are.
  if (/^(SHL|SHR|SAR|BYTE|SIGNEXTEND)$/.test(mnemonic)) {
    for (let i = 0; i < 300; i++) cases.push([BigInt(i), random[i]!])
  }
  return cases
}

const evaluated = async (rig: Rig, row: PureOpcode, cases: readonly Operands[]): Promise<Uint32Array> => {
  const operands = Array.from({ length: row.pops }, (_, i) => `lane_in_word(${2 * i}u, lane)`)
  const call = `${row.wgsl}(${operands.join(', ')})`
  const result = row.wgslResult === 'bool' ? `u256_from_bool(${call})` : call
  const lanesIn = columnsOf(operands.map((_, i) => cases.map((operands) => operands[i]!)))
  const [lanesOut] = await rig.run({
    label: row.mnemonic,
    wgsl: PRELUDE + laneEntry(`lane_out_word(0u, lane, ${result});`),
    entryPoint: 'test',
    buffers: laneBuffers(environmentOf({ laneCount: cases.length }), lanesIn, 2),
    invocations: cases.length,
  })
  return lanesOut!
}

describe('the division operands', () => {
  it('take every case of the divider many times', () => {
    for (const count of Object.values(countDigitCases(DIVISION))) expect(count).toBeGreaterThan(20)
  })
})

describeOnAdapters('opcodes', (rig) => {
  it.each(PURE.map((row) => [row.mnemonic, row] as const))('%s equals its eval', async (mnemonic, row) => {
    const cases = operandsOf(row)
    const lanesOut = await evaluated(rig, row, cases)
    const wrong = cases
      .map((operands, lane) => ({ operands, got: laneWord(lanesOut, cases.length, 0, lane), want: row.eval(operands) }))
      .filter(({ got, want }) => got !== want)
      .map(({ operands, got, want }) => `${mnemonic} ${operands.map(hex).join(' ')}: ${hex(got)}, not ${hex(want)}`)
    expect(wrong.slice(0, 5)).toEqual([])
  })

  it('EXP byte length counts the significant bytes of every edge word', async () => {
    const words = [...edgeOperands(1).map(([word]) => word!), ...randomWords(SEED, 300)]
    const [lanesOut] = await rig.run({
      label: 'u256_byte_length',
      wgsl: PRELUDE + laneEntry('lane_out_word(0u, lane, u256_from_u32(u256_byte_length(lane_in_word(0u, lane))));'),
      entryPoint: 'test',
      buffers: laneBuffers(environmentOf({ laneCount: words.length }), columnsOf([words]), 2),
      invocations: words.length,
    })
    const got = words.map((_, lane) => laneWord(lanesOut!, words.length, 0, lane))
    expect(got).toEqual(words.map((word) => BigInt(word === 0n ? 0 : Math.ceil(word.toString(2).length / 8))))
  })
})

const hex = (word: bigint): string => `0x${word.toString(16)}`
