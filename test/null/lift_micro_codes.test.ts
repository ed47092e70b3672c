import { Common, Mainnet } from '@ethereumjs/common'
import { getActivePrecompiles } from '@ethereumjs/evm'
import { describe, expect, test } from 'vitest'
import { MICRO_CODES, MICRO_P256, MICRO_PRECOMPILE, MICRO_PROLOGUE } from '../../transpiler/layout/lane_vm.ts'
import type { LiftedCode } from '../../transpiler/lift/lifted_code.ts'
import { MICRO } from '../../transpiler/lift/micro_codes.ts'
import { printLifted } from '../../transpiler/lift/text.ts'
import { verifyLifted } from '../../transpiler/lift/verify.ts'
import { ethereumjsHardfork, FORKS, isAtLeast } from '../../transpiler/spec/forks.ts'
import { type ModelOutcome, type ModelWorld, runModelLane } from '../fixtures/lane_vm_model.ts'

const HASH = 0x1234n

/** Memory, calldata, and one memo: its words by index. */
class MicroWorld implements ModelWorld {
  readonly events: string[] = []
  readonly memory = new Uint8Array(256)
  charged = 0n
  private readonly calldata: Uint8Array
  private readonly words: readonly bigint[]

  constructor(calldata: Uint8Array, words: readonly bigint[]) {
    this.calldata = calldata
    this.words = words
  }

  run(
    name: string,
    [a = 0n, b = 0n, c = 0n]: readonly bigint[],
    gasLeft: number,
    immediate: number,
  ): bigint | undefined {
    switch (name) {
      case 'CALLDATASIZE':
        return BigInt(this.calldata.length)
      case 'CALLDATACOPY':
        expect([a, b, c]).toEqual([0n, 0n, BigInt(this.calldata.length)])
        this.memory.set(this.calldata)
        return 0n
      case 'KECCAK256':
        expect([...this.memory.subarray(Number(a), Number(a + b))]).toEqual([...this.calldata])
        return HASH
      case 'MEMO':
        expect(a).toBe(HASH)
        this.events.push(`memo ${b} of 0x${immediate.toString(16)}`)
        return this.words[Number(b)]!
      case 'CHARGE':
        this.charged += a
        return this.charged > BigInt(gasLeft) ? undefined : 0n
      case 'MSTORE':
        for (let i = 0; i < 32; i++) this.memory[Number(a) + i] = Number((b >> BigInt(8 * (31 - i))) & 0xffn)
        return 0n
      default:
        throw new Error(`no micro code uses ${name}`)
    }
  }
}

const run = (code: LiftedCode, world: MicroWorld, gas: number): ModelOutcome => {
  const blocks = code.blocks.length / 4
  return runModelLane(code, gas, new Array<number>(blocks).fill(0), [], world)
}

const outputOf = (world: MicroWorld, { output }: ModelOutcome): number[] => [
  ...world.memory.subarray(Number(output[0]), Number(output[0]! + output[1]!)),
]

describe('MICRO', () => {
  test('each fork from Berlin on has the precompiles that @ethereumjs/evm has', () => {
    for (const fork of FORKS.filter((name) => isAtLeast(name, 'berlin'))) {
      const common = new Common({ chain: Mainnet, hardfork: ethereumjsHardfork(fork) })
      const addresses = [...getActivePrecompiles(common).keys()].map((key) => Number.parseInt(key, 16))
      const expected = addresses.map((address) => (address === 0x100 ? MICRO_P256 : MICRO_PRECOMPILE + address))
      const codes = MICRO(fork)
      expect(codes.length).toBe(MICRO_CODES)
      const found = codes.flatMap((code, index) => (code === undefined ? [] : [index]))
      expect(found, fork).toEqual([MICRO_PROLOGUE, ...expected.sort((a, b) => a - b)])
      for (const code of codes) if (code !== undefined) verifyLifted(code, 0)
    }
  })

  test('the prologue enters the items, then the frame', () => {
    expect(printLifted(MICRO('cancun')[MICRO_PROLOGUE]!)).toBe('block 0: need 0, growth 0, above 0\n  warm\n  enter\n')
  })

  test('identity costs 15 and 3 for each word, and gives its input back', () => {
    const code = MICRO('berlin')[MICRO_PRECOMPILE + 4]!
    for (const [length, gas] of [
      [0, 15],
      [1, 18],
      [32, 18],
      [33, 21],
    ] as const) {
      const input = Uint8Array.from({ length }, (_, i) => i + 1)
      const world = new MicroWorld(input, [])
      const outcome = run(code, world, gas)
      expect(outcome.status).toBe('RETURN')
      expect(world.charged).toBe(BigInt(gas))
      expect(outputOf(world, outcome)).toEqual([...input])
      expect(run(code, new MicroWorld(input, []), gas - 1).status).toBe('halt')
    }
  })

  test('a precompile charges what its memo says and gives as many bytes of it', () => {
    const gas = 3000n
    const words = [0xaan << 248n, (0xbbn << 248n) | 0xccn, 0xddn << 248n]
    for (const bytes of [0, 1, 32, 33, 96]) {
      for (const index of [1, 0x11, MICRO_P256]) {
        const address = index === MICRO_P256 ? 0x100 : index
        const memo = [(gas << 32n) | BigInt(1 + bytes), ...words]
        const code = MICRO('osaka')[MICRO_PRECOMPILE + index]!
        const world = new MicroWorld(Uint8Array.of(1, 2, 3), memo)
        const outcome = run(code, world, 3000)
        expect(outcome.status).toBe('RETURN')
        expect(world.charged).toBe(gas)
        const all = words.flatMap((word) => [...Buffer.from(word.toString(16).padStart(64, '0'), 'hex')])
        expect(outputOf(world, outcome)).toEqual(all.slice(0, bytes))
        const asked = Array.from(
          { length: 1 + Math.ceil(bytes / 32) },
          (_, n) => `memo ${n} of 0x${address.toString(16)}`,
        )
        expect(world.events).toEqual(asked)
        expect(run(code, new MicroWorld(Uint8Array.of(1, 2, 3), memo), 2999).status).toBe('halt')
      }
    }
  })

  test('a precompile whose memo says that it failed halts', () => {
    const world = new MicroWorld(new Uint8Array(4), [3000n << 32n])
    expect(run(MICRO('prague')[MICRO_PRECOMPILE + 6]!, world, 5000).status).toBe('halt')
  })
})
