import { describe, expect, it } from 'vitest'
import { compareWithSerial, runSerial } from '../../bench/oracle.ts'
import type { TransactionObject } from '../../host/chain/batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { createCpuTier } from '../../host/tiers/cpu/ethereumjs/transaction.ts'
import { FORKS, type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'
import { runOnCpuTier } from '../fixtures/cpu_run.ts'
import { addressOf } from '../fixtures/cpu_world.ts'
import { EDGE_WORDS } from '../fixtures/edge_words.ts'

const ALICE = addressOf('alice')
const ENV: BlockEnvironment = {
  number: 100n,
  timestamp: 1_700_000_000n,
  coinbase: addressOf('coinbase'),
  gasLimit: 1_000_000_000n,
  baseFeePerGas: 7n,
  prevRandao: 99n,
}

/**
 * Runs each code as a contract of its own, with slots 0, 1 and 2 holding their own number, and compares with serial
 * execution.
 */
const compare = async (fork: Fork, codes: readonly Uint8Array[], gasLimit = 400_000n): Promise<string | undefined> => {
  const state = MemoryState.from({ [ALICE]: { balance: 10n ** 20n } })
  const data = `0x${Array.from({ length: 70 }, (_, i) => (i + 1).toString(16).padStart(2, '0')).join('')}`
  const transactions = codes.map((code, i): TransactionObject => {
    const to = addressOf(`code${i}`)
    state.setAccount(to, { nonce: 1n, code, storage: { '0x1': 1n, '0x2': 2n } })
    return { type: 0, from: ALICE, to, nonce: BigInt(i), gasLimit, gasPrice: 10n, data }
  })
  const serial = await runSerial({ fork, chainId: 1n, env: ENV, state, transactions })
  const tier = await createCpuTier({ fork, chainId: 1n })
  const receipts = await runOnCpuTier(tier, fork, ENV, state, transactions)
  return compareWithSerial({ receipts, state }, serial)
}

const hex = (value: bigint): string => `0x${value.toString(16)}`
const push = (value: bigint): string => `PUSH32 ${hex(value)}`
const SHOW = 'PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN'

/** EDGE_WORDS, thinned: pairs of all would be thousands of contracts. */
const WORDS = EDGE_WORDS.filter((_, i) => i % Math.ceil(EDGE_WORDS.length / 9) === 0)
const BINARY = ['ADD', 'MUL', 'SUB', 'DIV', 'MOD', 'LT', 'GT', 'SLT', 'SGT', 'EQ', 'AND', 'OR', 'XOR']

describe('instructions that the CPU tier executes itself', () => {
  it('compute what the stock ones compute', async () => {
    const names = [...BINARY, 'SHL', 'SHR']
    const codes = names.map((name) => {
      const words = WORDS.flatMap((a) => WORDS.map((b) => [a, name.startsWith('SH') ? b % 300n : b] as const))
      const stores = words.map(([a, b], i) => `${push(a)} ${push(b)} ${name} PUSH2 ${32 * i} MSTORE`)
      return assemble(`${stores.join(' ')} PUSH3 ${32 * words.length} PUSH 0 KECCAK256 ${SHOW}`)
    })
    const unary = ['NOT', 'ISZERO'].flatMap((name) => WORDS.map((a) => assemble(`${push(a)} ${name} ${SHOW}`)))
    expect(await compare('osaka', [...codes, ...unary])).toBeUndefined()
  })

  it('move words to and from memory and calldata at every offset', async () => {
    const offsets = [0, 1, 31, 38, 39, 40, 69, 70, 71, 8160, 8161, 8192, 20_000]
    const codes = offsets.flatMap((at) => [
      assemble(`PUSH3 ${at} CALLDATALOAD ${SHOW}`),
      ...[5n, 0xffff_ffffn, 0x1_0000_0000n, 1n << 255n].map((value) =>
        assemble(`${push(value)} PUSH3 ${at} MSTORE PUSH3 ${at} MLOAD PUSH3 ${at + 7} MLOAD ADD MSIZE ADD ${SHOW}`),
      ),
      assemble(`PUSH3 ${at} MLOAD MSIZE ADD ${SHOW}`),
      assemble(
        `PUSH 5 PUSH3 ${at} MSTORE8 PUSH 70 PUSH 3 PUSH3 ${at} CALLDATACOPY PUSH 99 PUSH3 ${at} KECCAK256 ${SHOW}`,
      ),
    ])
    const far = [1n << 32n, 1n << 53n, 1n << 64n, (1n << 256n) - 1n]
    for (const at of far) {
      codes.push(assemble(`${push(at)} MLOAD ${SHOW}`), assemble(`PUSH 1 ${push(at)} MSTORE`))
      codes.push(assemble(`${push(at)} CALLDATALOAD ${SHOW}`), assemble(`PUSH 0 ${push(at)} KECCAK256 ${SHOW}`))
      codes.push(assemble(`PUSH 0 ${push(at)} RETURN`), assemble(`PUSH 1 ${push(at)} REVERT`))
    }
    expect(await compare('osaka', codes)).toBeUndefined()
  })

  it('log what the stock ones log, and in a static frame nothing', async () => {
    const topics = ['PUSH 0', push((1n << 256n) - 1n), push(0xffn << 200n), 'PUSH 7', 'CALLER']
    const ranges = [
      ['PUSH 0', 'PUSH 0'],
      [push((1n << 256n) - 1n), 'PUSH 0'],
      ['PUSH 3', 'PUSH 40'],
      ['PUSH3 8180', 'PUSH 33'],
      ['PUSH3 20000', 'PUSH 1'],
      ['PUSH 0', push(1n << 64n)],
    ]
    const codes = [0, 1, 2, 3, 4].flatMap((count) =>
      ranges.map(([at, size]) => {
        const words = topics.slice(0, count + 1).join(' ')
        return assemble(`${push(3n ** 160n)} PUSH 9 MSTORE ${words} ${size} ${at} LOG${count} ${SHOW}`)
      }),
    )
    const few = [0, 1, 2, 3, 4].map((count) => assemble(`${'PUSH 0 '.repeat(count + 1)} LOG${count} STOP`))
    const calls = ['CALL', 'STATICCALL'].map((name) => {
      const value = name === 'CALL' ? 'PUSH 0' : ''
      const code = addressOf('code8')
      return assemble(`PUSH 0 PUSH 0 PUSH 0 PUSH 0 ${value} PUSH20 ${code} PUSH3 100000 ${name} ${SHOW}`)
    })
    expect(await compare('osaka', [...codes, ...few, ...calls])).toBeUndefined()
  })

  it('halt as the stock ones do: too few words, too many, jumps to nowhere', async () => {
    const one = ['POP', 'NOT', 'ISZERO', 'CALLDATALOAD', 'MLOAD', 'SLOAD', 'JUMP', 'DUP1', 'SWAP1']
    const two = [...BINARY, 'MSTORE', 'SSTORE', 'JUMPI', 'KECCAK256', 'RETURN', 'DUP2', 'SWAP2', 'LOG0']
    const full = 'PUSH 1 '.repeat(1024)
    const codes = [
      ...one.map((name) => assemble(name)),
      ...two.map((name) => assemble(`PUSH 0 ${name}`)),
      ...['PUSH 1', 'DUP1', 'PUSH0', 'CALLER'].map((name) => assemble(`${full} ${name}`)),
      ...['SWAP16', 'POP', 'ADD', 'PUSH 0 SSTORE'].map((name) => assemble(`${full} ${name}`)),
      assemble('PUSH 9 JUMP'),
      assemble(`${push(1n << 64n)} JUMP`),
      assemble(`PUSH 1 ${push((1n << 256n) - 1n)} JUMPI`),
      assemble(`PUSH 0 ${push((1n << 256n) - 1n)} JUMPI PUSH 1 ${SHOW}`),
      // A JUMPDEST that is the operand of a push.
      Uint8Array.of(0x60, 0x04, 0x56, 0x60, 0x5b, 0x00),
      // Pushes that the code ends in.
      Uint8Array.of(0x7f, 0x01),
      Uint8Array.of(0x60),
      Uint8Array.of(0x5b, 0x36, 0x15, 0x60, 0x00, 0x57, 0x66, 0xff),
    ]
    expect(await compare('osaka', codes, 60_000n)).toBeUndefined()
  })

  it.each(FORKS.filter((fork) => isAtLeast(fork, 'byzantium')))('price storage at %s', async (fork) => {
    const values = [0, 1, 2]
    // Slot k holds k; three stores over it in every combination, with and without a look before.
    const codes = values.flatMap((slot) =>
      values.flatMap((a) =>
        values.flatMap((b) =>
          ['', `PUSH ${slot} SLOAD POP`].map((look) =>
            assemble(
              `${look} PUSH ${a} PUSH ${slot} SSTORE PUSH ${b} PUSH ${slot} SSTORE PUSH ${slot} PUSH ${slot} SSTORE PUSH ${b} PUSH ${slot} SSTORE GAS ${SHOW}`,
            ),
          ),
        ),
      ),
    )
    expect(await compare(fork, codes)).toBeUndefined()
    const left = [2_299, 2_300, 2_301, 2_400, 5_000].map((gas) => BigInt(21_000 + 70 * 68 + gas))
    for (const gasLimit of left) expect(await compare(fork, codes.slice(0, 6), gasLimit)).toBeUndefined()
  })

  it('take back what a reverted call stored, and its refunds', async () => {
    const inner = addressOf('code0')
    const call = `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${inner} PUSH3 100000 CALL POP`
    const store = 'PUSH 1 SLOAD POP PUSH 0 PUSH 1 SSTORE PUSH 7 PUSH 1 SSTORE PUSH 0 PUSH 1 SSTORE'
    const codes = [
      assemble(`${store} PUSH 0 PUSH 0 REVERT`),
      assemble(`${call} ${store} ${call} PUSH 1 SLOAD ${SHOW}`),
      assemble(`${store} ${call} PUSH 1 PUSH 1 SSTORE ${call} GAS ${SHOW}`),
    ]
    for (const fork of ['istanbul', 'berlin', 'london', 'osaka'] as const) {
      expect(await compare(fork, codes)).toBeUndefined()
    }
  })
})
