import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { VM_BLOCK_LIMBS, VM_INSTRUCTION_LIMBS, VM_OPCODES } from '../../transpiler/layout/lane_vm.ts'
import { liftCode } from '../../transpiler/lift/lift.ts'
import {
  instructionAt,
  type LiftedCode,
  MAX_BLOCKS,
  MAX_CONSTANTS,
  REFUSED_SIZE,
} from '../../transpiler/lift/lifted_code.ts'
import { verifyLifted } from '../../transpiler/lift/verify.ts'
import { codeSkeleton, jumpDestinations } from '../../transpiler/skeleton.ts'
import { assemble } from '../fixtures/assembler.ts'
import { randomCode } from '../fixtures/random_code.ts'
import { Random } from '../fixtures/random_programs.ts'

const FORMS = ['superblocks', 'fused', 'traced'] as const
const CODE_BYTES = 24_576

const filled = (byteAt: (i: number) => number): Uint8Array =>
  Uint8Array.from({ length: CODE_BYTES }, (_, i) => byteAt(i))

/** Code that makes something long: runs, stacks, rows, cycles, or words that fold. */
const HOSTILE: Readonly<Record<string, Uint8Array>> = {
  'JUMPDEST alone': filled(() => 0x5b),
  'SWAP16 in blocks of its own': filled((i) => (i % 2 === 0 ? 0x5b : 0x9f)),
  'SWAPs on one stack': filled((i) => (i < 24 ? 0x3d : 0x90 + ((i * 7) % 16))),
  'DUP16 up to the bound of the stack': filled((i) => (i % 1040 === 0 ? 0x5b : i % 1040 < 17 ? 0x3d : 0x8f)),
  'powers of powers': filled((i) => (i === 0 ? 0x60 : i === 1 ? 0xff : i % 2 === 0 ? 0x80 : 0x0a)),
  'squares of squares': filled((i) => (i === 0 ? 0x60 : i === 1 ? 0xff : i % 2 === 0 ? 0x80 : 0x02)),
  'LOG4 of computed words': filled((i) => (i % 7 < 6 ? 0x3d : 0xa4)),
  'JUMPI to what is computed': filled((i) => [0x5b, 0x34, 0x34, 0x57][i % 4]!),
  'JUMPIs over a deep stack that nothing has put in place': filled((i) => {
    if (i === CODE_BYTES - 1) return 0x5b
    return i < 900 ? 0x3d : [0x34, 0x61, (CODE_BYTES - 1) >> 8, (CODE_BYTES - 1) & 0xff, 0x57, 0x9f][i % 6]!
  }),
  'a stack that is permuted in every block': filled((i) => (i % 18 === 0 ? 0x5b : 0x90 + ((i * 5) % 16))),
}

const limbsOf = (lifted: LiftedCode): readonly unknown[] => [
  lifted.instructions,
  lifted.constants,
  lifted.blocks,
  lifted.jumps,
  lifted.pcs,
]

describe('liftCode', () => {
  test.each(Object.entries(HOSTILE))('%s gives code in proportion to its size', (name, code) => {
    for (const form of FORMS) {
      liftCode(code, 'prague', form)
      const start = performance.now()
      const lifted = liftCode(code, 'prague', form)
      console.log(`${name}, ${form}: ${(performance.now() - start).toFixed(1)} ms`)
      verifyLifted(lifted, 0)
      expect(lifted.instructions.length / VM_INSTRUCTION_LIMBS).toBeLessThanOrEqual(5 * CODE_BYTES)
    }
  })

  test('codes of one skeleton give the same', () => {
    let instances = 0
    for (let seed = 0; seed < 200; seed++) {
      const code = randomCode(new Random(seed), 'cancun')
      const { immediates, key } = codeSkeleton(code)
      const other = code.slice()
      // Low bytes: the word stays no mask and no padded text.
      for (const { offset, length } of immediates) other[offset + length - 1]! ^= 0x55
      if (codeSkeleton(other).key !== key) continue
      instances += immediates.length
      for (const form of FORMS) {
        expect(limbsOf(liftCode(other, 'cancun', form))).toEqual(limbsOf(liftCode(code, 'cancun', form)))
      }
    }
    expect(instances).toBeGreaterThan(50)
  })

  test('the jump table names the block of each JUMPDEST, and nothing else', () => {
    for (let seed = 0; seed < 100; seed++) {
      const code = randomCode(new Random(seed), 'cancun')
      const { jumps, blocks, pcs } = liftCode(code, 'cancun', 'traced')
      const destinations = jumpDestinations(code)
      expect(jumps.length).toBe(Math.ceil(code.length / 8) * 8)
      jumps.forEach((entry, at) => {
        expect(entry > 0).toBe(destinations[at] === 1)
        if (entry > 0) expect(pcs[blocks[(entry - 1) * VM_BLOCK_LIMBS]!]).toBe(at)
      })
    }
  })

  test('the traced form has one block for each opcode, which stands for its place', () => {
    const code = assemble('PUSH 1 DUP1 SWAP1 POP on: PC ADD CALLVALUE PUSH @on JUMPI PUSH3 7 CALLER LOG0 GAS')
    const { blocks, pcs } = liftCode(code, 'cancun', 'traced')
    const starts: number[] = []
    for (let at = 0; at < blocks.length; at += VM_BLOCK_LIMBS) starts.push(pcs[blocks[at]!]!)
    // The last one is the STOP after the code.
    expect(starts).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 17, 18, 19, 20])
  })

  test('code that passes the fields is refused as a whole', () => {
    const refused = { opcode: VM_OPCODES.refuse, immediate: REFUSED_SIZE }
    const first = (code: Uint8Array): unknown => {
      const lifted = liftCode(code, 'cancun')
      verifyLifted(lifted, 0)
      return instructionAt(lifted.instructions, 0)
    }
    expect(first(new Uint8Array(MAX_BLOCKS).fill(0x5b))).toMatchObject(refused)
    expect(first(new Uint8Array(MAX_BLOCKS - 1).fill(0x5b))).not.toMatchObject(refused)
    const stores = (count: number): Uint8Array => {
      const one = (n: number): number[] => [0x61, n >> 8, n & 0xff]
      const pair = (n: number): number[] => [...one(2 * n), ...one(2 * n + 1), 0x55]
      return Uint8Array.from(Array.from({ length: count / 2 }, (_, n) => pair(n + 1)).flat())
    }
    expect(first(stores(MAX_CONSTANTS))).not.toMatchObject(refused)
    expect(first(stores(MAX_CONSTANTS + 2))).toMatchObject(refused)
  })
})

const CONTRACTS = new URL('../../../shared/data/programs/real_contracts.json', import.meta.url)

describe.skipIf(!existsSync(CONTRACTS))('real contracts', () => {
  test('lift to verified code: blocks smaller than theirs, superblocks within their budget', () => {
    const { contracts } = JSON.parse(readFileSync(CONTRACTS, 'utf8')) as {
      readonly contracts: Readonly<Record<string, { readonly code: string }>>
    }
    for (const [name, { code: hex }] of Object.entries(contracts)) {
      const code = Uint8Array.from(Buffer.from(hex.slice(2), 'hex'))
      const { immediates } = codeSkeleton(code)
      for (let run = 0; run < 3; run++) liftCode(code, 'prague')
      const start = performance.now()
      const lifted = liftCode(code, 'prague')
      const elapsedMs = performance.now() - start
      verifyLifted(lifted, immediates.length)
      const opcodes = liftCode(code, 'prague', 'traced').blocks.length / VM_BLOCK_LIMBS
      const instructions = lifted.instructions.length / VM_INSTRUCTION_LIMBS
      console.log(
        `${name}: ${code.length} bytes, ${opcodes} opcodes, ${instructions} instructions, ${elapsedMs.toFixed(1)} ms`,
      )
      expect(instructions).toBeLessThan(opcodes + 15_000)
      const fused = liftCode(code, 'prague', 'fused')
      verifyLifted(fused, immediates.length)
      expect(fused.instructions.length / VM_INSTRUCTION_LIMBS).toBeLessThan(0.65 * opcodes)
    }
  })
})
