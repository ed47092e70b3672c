import { createBlock } from '@ethereumjs/block'
import { Common, Mainnet } from '@ethereumjs/common'
import { createEVM, type EVM, type ExecResult, getOpcodesForHF, paramsEVM } from '@ethereumjs/evm'
import { createAccount, createZeroAddress, hexToBytes } from '@ethereumjs/util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ethereumjsHardfork, FORKS, type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { baseGasAt, OPCODES, type Opcode, opcodesAt } from '../../transpiler/spec/opcodes.ts'
import { edgeOperands, randomWords } from '../fixtures/edge_words.ts'

const commonAt = (fork: Fork): Common =>
  new Common({ chain: Mainnet, hardfork: ethereumjsHardfork(fork), params: paramsEVM })

const evms = new Map<Fork, Promise<EVM>>()
const newEvm = async (fork: Fork): Promise<EVM> => {
  const evm = await createEVM({ common: commonAt(fork) })
  await evm.stateManager.putAccount(createZeroAddress(), createAccount({ nonce: 1n }))
  return evm
}
const evmAt = (fork: Fork): Promise<EVM> => {
  const known = evms.get(fork)
  if (known) return known
  const made = newEvm(fork)
  evms.set(fork, made)
  return made
}

const pushWord = (word: bigint): string => `7f${word.toString(16).padStart(64, '0')}`
const byteHex = (value: number): string => value.toString(16).padStart(2, '0')
const run = async (fork: Fork, code: string, isStatic = false): Promise<ExecResult> => {
  const evm = await evmAt(fork)
  const common = commonAt(fork)
  const header = isAtLeast(fork, 'london') ? { number: 1n, baseFeePerGas: 7n } : { number: 1n }
  const block = createBlock({ header }, { common })
  const to = createZeroAddress()
  const { execResult } = await evm.runCall({ code: hexToBytes(`0x${code}`), to, gasLimit: 1n << 40n, isStatic, block })
  return execResult
}

/** The operand words in the order in which a program pushes them: operand 0 last. */
const pushes = (operands: readonly bigint[]): string => operands.toReversed().map(pushWord).join('')
const zeros = (count: number): bigint[] => new Array<bigint>(count).fill(0n)

/** Results of `op` on many operand tuples, computed by the EVM. */
const evaluateOnEvm = async (op: Opcode, tuples: readonly (readonly bigint[])[]): Promise<readonly bigint[]> => {
  const results: bigint[] = []
  for (let at = 0; at < tuples.length; at += 500) {
    const code = tuples.slice(at, at + 500).map((tuple) => pushes(tuple) + byteHex(op.code))
    const outcome = await run('osaka', code.join(''))
    if (outcome.exceptionError) throw outcome.exceptionError
    results.push(...outcome.runState!.stack.getStack())
  }
  return results
}

const pureOpcodes = OPCODES.filter((op) => op.eval)
const availableAt = (fork: Fork): readonly Opcode[] => opcodesAt(fork).filter((op) => op !== undefined)

describe.each(FORKS)('the opcode table at %s', (fork) => {
  const theirs = getOpcodesForHF(commonAt(fork)).opcodes

  test('has the opcodes of @ethereumjs/evm under the same mnemonics', () => {
    const expected = [...theirs.values()]
      .sort((a, b) => a.code - b.code)
      .map((op) => `${byteHex(op.code)} ${op.fullName}`)
    const actual = availableAt(fork).map((op) => `${byteHex(op.code)} ${op.mnemonic}`)
    expect(actual).toEqual(expected)
  })

  test('has the static fees of @ethereumjs/evm', () => {
    const differing = availableAt(fork).filter((op) => {
      // Their fee of LOGn leaves out the topics, which their dynamic part charges.
      const topics = op.mnemonic.startsWith('LOG') ? 375 * Number(op.mnemonic.slice(3)) : 0
      return baseGasAt(op, fork) !== theirs.get(op.code)!.fee + topics
    })
    expect(differing.map((op) => op.mnemonic)).toEqual([])
  })

  test('marks the opcodes to which @ethereumjs/evm adds dynamic gas', () => {
    const differing = availableAt(fork).filter(
      (op) => (op.dynamicGas !== undefined) !== theirs.get(op.code)!.dynamicGas,
    )
    expect(differing.map((op) => op.mnemonic)).toEqual([])
  })

  test('charges in a run exactly the base gas where an opcode has no dynamic gas', async () => {
    const wrong: string[] = []
    for (const op of availableAt(fork)) {
      if (op.dynamicGas || op.ends === 'jump' || op.ends === 'invalid') continue
      const immediates = '00'.repeat(op.immediateBytes)
      const outcome = await run(fork, pushes(zeros(op.pops)) + byteHex(op.code) + immediates)
      if (outcome.exceptionError) wrong.push(`${op.mnemonic}: ${outcome.exceptionError.error}`)
      else if (outcome.executionGasUsed !== BigInt(3 * op.pops + baseGasAt(op, fork))) wrong.push(op.mnemonic)
    }
    expect(wrong).toEqual([])
  })
})

describe('a row of the opcode table', () => {
  test('begins its base gas at its first fork and lists only changes, ascending', () => {
    for (const op of OPCODES) {
      expect(op.baseGas[0]![0], op.mnemonic).toBe(op.since)
      for (let i = 1; i < op.baseGas.length; i++) {
        const [before, after] = [op.baseGas[i - 1]!, op.baseGas[i]!]
        expect(isAtLeast(after[0], before[0]) && after[0] !== before[0] && after[1] !== before[1], op.mnemonic).toBe(
          true,
        )
      }
    }
  })

  test('has memory ranges where memory is charged, and an account where an access is', () => {
    for (const op of OPCODES) {
      expect(op.memory !== undefined, op.mnemonic).toBe(op.dynamicGas?.includes('memory') ?? false)
      expect(op.accountOperand !== undefined, op.mnemonic).toBe(op.dynamicGas?.includes('accessAccount') ?? false)
    }
  })

  test('has a WGSL function where it has eval, and is then free of effects', () => {
    for (const op of OPCODES) expect(op.wgsl !== undefined, op.mnemonic).toBe(op.eval !== undefined)
    for (const op of pureOpcodes) {
      expect([op.reads, op.writes, op.ends, op.pushes], op.mnemonic).toEqual([undefined, undefined, undefined, 1])
    }
  })

  test('pops and pushes what a run pops and pushes', async () => {
    for (const op of availableAt('osaka')) {
      const instruction = byteHex(op.code) + '00'.repeat(op.immediateBytes)
      if (op.pops > 0) {
        const short = await run('osaka', pushes(zeros(op.pops - 1)) + instruction)
        expect(short.exceptionError?.error, op.mnemonic).toBe('stack underflow')
      }
      if (op.ends && op.ends !== 'branch') continue
      const outcome = await run('osaka', pushes(zeros(op.pops)) + instruction)
      expect(outcome.exceptionError, op.mnemonic).toBeUndefined()
      expect(outcome.runState!.stack.length, op.mnemonic).toBe(op.pushes)
    }
  })

  test('has the number of immediate bytes that a run skips', async () => {
    for (const op of availableAt('osaka').filter((row) => row.immediateBytes > 0)) {
      const outcome = await run('osaka', `${byteHex(op.code)}${'fe'.repeat(op.immediateBytes)}58`)
      expect(outcome.runState!.stack.getStack(), op.mnemonic).toEqual([
        BigInt(`0x${'fe'.repeat(op.immediateBytes)}`),
        BigInt(1 + op.immediateBytes),
      ])
    }
  })

  test('is forbidden in a static frame exactly where a run says so', async () => {
    for (const op of availableAt('osaka')) {
      const outcome = await run(
        'osaka',
        pushes(zeros(op.pops)) + byteHex(op.code) + '00'.repeat(op.immediateBytes),
        true,
      )
      expect(outcome.exceptionError?.error === 'static state change', op.mnemonic).toBe(op.staticForbidden ?? false)
    }
  })

  test('touches the memory that a run touches', async () => {
    for (const op of availableAt('osaka')) {
      // A copy past the end of return data halts, and there is none here.
      if (op.mnemonic === 'RETURNDATACOPY' || op.ends === 'jump') continue
      const operands = zeros(op.pops)
      let words = 0n
      for (const [i, range] of (op.memory ?? []).entries()) {
        const offset = BigInt(64 + 256 * i)
        operands[range.offset] = offset
        if ('length' in range) operands[range.length] = 33n
        const lengthBytes = 'length' in range ? 33n : BigInt(range.lengthBytes)
        words = (offset + lengthBytes + 31n) / 32n
      }
      const outcome = await run('osaka', pushes(operands) + byteHex(op.code) + '00'.repeat(op.immediateBytes))
      expect(outcome.runState!.memoryWordCount, op.mnemonic).toBe(words)
    }
  })

  test('is found by code at the forks that have it', () => {
    expect(opcodesAt('london')[0x44]!.mnemonic).toBe('DIFFICULTY')
    expect(opcodesAt('paris')[0x44]!.mnemonic).toBe('PREVRANDAO')
    expect(opcodesAt('prague')[0x1e]).toBeUndefined()
    expect(opcodesAt('osaka')[0x1e]!.mnemonic).toBe('CLZ')
  })
})

describe.each(pureOpcodes.map((op) => [op.mnemonic, op] as const))('eval of %s', (_, op) => {
  test('equals @ethereumjs/evm on the test values, the edge grid and random words', async () => {
    const words = randomWords(op.code, 300)
    const random = Array.from({ length: 100 }, (_, i) => words.slice(3 * i, 3 * i + op.pops))
    const tuples = [...(op.testValues ?? []), ...edgeOperands(op.pops), ...random]
    const expected = await evaluateOnEvm(op, tuples)
    const wrong = tuples.filter((tuple, i) => op.eval!(tuple) !== expected[i])
    expect(wrong).toEqual([])
    expect(expected.length).toBe(tuples.length)
  })
})

describe('the evals', () => {
  const word = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n })
  const nonzero = fc.bigInt({ min: 1n, max: (1n << 256n) - 1n })
  const bit = fc.bigInt({ min: 0n, max: 255n })
  const byMnemonic = new Map(pureOpcodes.map((op) => [op.mnemonic, op.eval!]))
  const evaluate = (mnemonic: string, ...operands: bigint[]): bigint => byMnemonic.get(mnemonic)!(operands)
  const check = <T extends [bigint, ...bigint[]]>(
    words: { [K in keyof T]: fc.Arbitrary<T[K]> },
    law: (...words: T) => void,
  ): void =>
    fc.assert(
      fc.property(fc.tuple<T>(...words), (tuple) => law(...tuple)),
      { seed: 1 },
    )

  test('give words below 2^256', () => {
    for (const op of pureOpcodes) {
      check([word, word, word], (...operands) => {
        const result = op.eval!(operands)
        expect(result >= 0n && result < 1n << 256n, op.mnemonic).toBe(true)
      })
    }
  })

  test('of DIV and MOD make the dividend again', () => {
    check([word, nonzero], (a, b) => {
      const remainder = evaluate('MOD', a, b)
      expect(remainder < b).toBe(true)
      expect(evaluate('ADD', evaluate('MUL', evaluate('DIV', a, b), b), remainder)).toBe(a)
    })
  })

  test('of SDIV and SMOD make the dividend again', () => {
    check([word, nonzero], (a, b) => {
      expect(evaluate('ADD', evaluate('MUL', evaluate('SDIV', a, b), b), evaluate('SMOD', a, b))).toBe(a)
    })
  })

  test('of SUB and ADD undo each other', () => {
    check([word, word], (a, b) => {
      expect(evaluate('SUB', evaluate('ADD', a, b), b)).toBe(a)
    })
  })

  test('of ADDMOD and MULMOD agree with repeated reduction', () => {
    check([word, word, nonzero], (a, b, n) => {
      expect(evaluate('ADDMOD', a, b, n)).toBe(evaluate('ADDMOD', evaluate('MOD', a, n), evaluate('MOD', b, n), n))
      expect(evaluate('MULMOD', a, b, n)).toBe(evaluate('MULMOD', evaluate('MOD', a, n), evaluate('MOD', b, n), n))
    })
  })

  test('of EXP turn sums of exponents into products', () => {
    check([word, bit, bit], (a, x, y) => {
      expect(evaluate('EXP', a, x + y)).toBe(evaluate('MUL', evaluate('EXP', a, x), evaluate('EXP', a, y)))
    })
  })

  test('of the shifts multiply and divide by powers of two', () => {
    check([word, bit], (a, s) => {
      expect(evaluate('SHL', s, a)).toBe(evaluate('MUL', a, 1n << s))
      expect(evaluate('SHR', s, a)).toBe(evaluate('DIV', a, 1n << s))
      // SAR rounds down: not (SHR of not a) where the sign is set.
      const negative = evaluate('SLT', a, 0n) === 1n
      expect(evaluate('SAR', s, a)).toBe(
        negative ? evaluate('NOT', evaluate('SHR', s, evaluate('NOT', a))) : evaluate('SHR', s, a),
      )
    })
  })

  test('of CLZ count the shift to the highest bit', () => {
    check([nonzero], (a) => {
      const zeroBits = evaluate('CLZ', a)
      expect(evaluate('SHR', 255n, evaluate('SHL', zeroBits, a))).toBe(1n)
      expect(evaluate('SHR', zeroBits, evaluate('SHL', zeroBits, a))).toBe(a)
    })
  })
})
