import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, MemoryState, openDevice, REJECTION, type TransactionObject } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { keccak256Hex } from '../../host/primitives/keccak.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BatchCheck, type BatchCheckOptions } from '../fixtures/batch_check.ts'
import { BATCH_ENV, sender, stranger, word } from '../fixtures/batch_world.ts'
import { authorizationBy, signerOf } from '../fixtures/signed_authorization.ts'

/**
 * Codes that a state may hold and that @ethereumjs/evm takes for something else: the specification says that they are
 * code whose first instruction is undefined. So what calls them must come out as with code that begins with INVALID.
 */
const ODD: Readonly<Record<string, string>> = {
  'a designator without address': '0xef0100',
  'a designator of 22 bytes': `0xef0100${'ee'.repeat(19)}`,
  'a designator of 24 bytes': `0xef0100${'ee'.repeat(21)}`,
  'a designator of 23 kilobytes': `0xef0100${'ee'.repeat(23_000)}`,
  'another version of a designator': `0xef0101${'ee'.repeat(20)}`,
  'the magic of containers': '0xef00',
  'a container': `0xef0001${'01'.repeat(30)}`,
  'one undefined byte': '0xef',
}
const INVALID = '0xfe'

const FORMS: Readonly<Record<string, BatchCheckOptions & { readonly hasDevice: boolean }>> = {
  programs: { hasDevice: true, recordFrom: 1, programs: 'always' },
  host: { hasDevice: true, recordFrom: 1, programs: 'always', waves: 'worth' },
  'the lane VM': { hasDevice: true, paths: 'never', laneVm: 'always' },
  'the CPU tier': { hasDevice: false },
}

const ODD_ADDRESS = stranger(40)
const WALLET = stranger(41)
const [CALLER, READER, MAKER, MAKER2] = [stranger(42), stranger(43), stranger(44), stranger(45)]

/** Stores success, and gas that the call cost, of each kind of call of the account of calldata word 0. */
const CALLER_CODE = ['CALL', 'CALLCODE', 'DELEGATECALL', 'STATICCALL']
  .map(
    (
      kind,
      n,
    ) => `GAS PUSH 0 PUSH 0 PUSH 0 PUSH 0 ${kind.startsWith('CALL') ? 'PUSH 0' : ''} PUSH 0 CALLDATALOAD PUSH 5000 ${kind}
      PUSH ${2 * n} SSTORE GAS SWAP1 SUB PUSH ${2 * n + 1} SSTORE`,
  )
  .join('\n')
const READER_CODE = `PUSH 0 CALLDATALOAD EXTCODESIZE PUSH 0 SSTORE PUSH 0 CALLDATALOAD EXTCODEHASH PUSH 1 SSTORE
  PUSH 32 PUSH 1 PUSH 0 PUSH 0 CALLDATALOAD EXTCODECOPY PUSH 0 MLOAD PUSH 2 SSTORE
  PUSH 32 PUSH 99000 PUSH 0 PUSH 0 CALLDATALOAD EXTCODECOPY PUSH 0 MLOAD PUSH 3 SSTORE STOP`
/** Creates from the first four bytes of its calldata, and stores address and cost. */
const makerCode = (salt: string, create: string) =>
  assemble(`PUSH 0 CALLDATALOAD PUSH 0 MSTORE GAS ${salt} PUSH 4 PUSH 0 PUSH 0 ${create}
    PUSH 0 SSTORE GAS SWAP1 SUB PUSH 1 SSTORE`)
const MAKER_CODE = makerCode('', 'CREATE')
const MAKER2_CODE = makerCode('PUSH 7', 'CREATE2')

const ETHER = 10n ** 18n
const worldWith = (code: string): MemoryState =>
  MemoryState.from({
    ...Object.fromEntries(Array.from({ length: 6 }, (_, n) => [sender(n), { balance: ETHER }])),
    [ODD_ADDRESS]: { nonce: 1n, balance: ETHER, code },
    [WALLET]: { nonce: 1n, balance: ETHER, code: `0xef0100${ODD_ADDRESS.slice(2)}` },
    [CALLER]: { nonce: 1n, code: assemble(CALLER_CODE) },
    [READER]: { nonce: 1n, code: assemble(READER_CODE) },
    [MAKER]: { nonce: 1n, code: MAKER_CODE },
    [MAKER2]: { nonce: 1n, code: MAKER2_CODE },
  })

const call = (n: number, to: string, data = '0x', gasPrice = 10n): TransactionObject => ({
  from: sender(n),
  to,
  data,
  nonce: 0n,
  gasLimit: 400_000n,
  gasPrice,
})
const argument = (address: string) => word(BigInt(address))

/** What calls the account of odd code, straight, from a contract, and through a delegation. */
const CALLS = [
  call(0, ODD_ADDRESS),
  call(1, CALLER, argument(ODD_ADDRESS)),
  call(2, WALLET),
  call(3, CALLER, argument(WALLET)),
  { ...call(4, ODD_ADDRESS), value: 5n },
]

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const openCheck = (form: string, fork: Fork): BatchCheck => {
  const { hasDevice, ...options } = FORMS[form]!
  return new BatchCheck({ fork, ...options, ...(hasDevice ? { device } : {}) })
}

const storageOf = (state: MemoryState) => Object.values(state.dump()).map(({ storage }) => storage)

describe('code that only looks like something else', () => {
  for (const form of Object.keys(FORMS))
    for (const fork of ['osaka', 'london'] as const)
      test(`is code that halts at once, for calls on ${form} at ${fork}`, async () => {
        const check = openCheck(form, fork)
        const plain = await check.run(worldWith(INVALID), CALLS)
        expect(plain.difference).toBeUndefined()
        for (const [name, code] of Object.entries(ODD)) {
          const { result, state } = await check.runOnly(worldWith(code), CALLS)
          const outcome = CALLS.map((_, i) => result.receipts.get(i))
          expect(outcome, name).toEqual(CALLS.map((_, i) => plain.result.receipts.get(i)))
          expect(storageOf(state), name).toEqual(storageOf(plain.state))
        }
        check.executor.close()
      })

  for (const form of Object.keys(FORMS))
    test(`is shown to the opcodes that read code as it is, on ${form}`, async () => {
      const check = openCheck(form, 'prague')
      for (const [name, code] of Object.entries(ODD)) {
        const { state } = await check.runOnly(worldWith(code), [call(0, READER, argument(ODD_ADDRESS))])
        const bytes = new Uint8Array(Buffer.from(code.slice(2), 'hex'))
        const [size, hash, copied, behind] = [0n, 1n, 2n, 3n].map((key) => state.storage(READER, key))
        expect(size, name).toBe(BigInt(bytes.length))
        expect(hash, name).toBe(BigInt(keccak256Hex(bytes)))
        expect(word(copied!), name).toBe(`0x${code.slice(4, 68).padEnd(64, '0')}`)
        expect(behind, name).toBe(0n)
      }
      check.executor.close()
    })

  test('is no delegation: its account may not send, nor sign an authorization', async () => {
    const authority = signerOf('zed')
    for (const [name, code] of Object.entries(ODD)) {
      const world = worldWith(code)
      world.setAccount(authority, { balance: ETHER, code: new Uint8Array(Buffer.from(code.slice(2), 'hex')) })
      const check = openCheck('programs', 'osaka')
      const authorizations = [authorizationBy('zed', CALLER, 0n, 1n)]
      const { gasPrice: _, ...plain } = call(1, sender(2))
      const { result, state } = await check.runOnly(world, [
        { ...call(0, CALLER), from: ODD_ADDRESS, nonce: 1n },
        { ...plain, type: 4, maxFeePerGas: 10n, maxPriorityFeePerGas: 0n, authorizations },
        call(2, CALLER, argument(authority)),
      ])
      expect(
        result.rejected.map(({ index, code }) => [index, code]),
        name,
      ).toEqual([[0, REJECTION.senderNotEoa]])
      expect(result.receipts.get(1)!.gasUsed, name).toBe(46_000n)
      expect(state.account(authority), name).toEqual(world.account(authority))
      check.executor.close()
    }
  })

  test.each(['berlin', 'london', 'osaka'] as const)('is initcode that halts at once, at %s', async (fork) => {
    const check = openCheck('programs', fork)
    const batch = (first: string) =>
      [MAKER, MAKER2].map((maker, n) => ({ ...call(n, maker, `0x${first}000102`), gasLimit: 3_000_000n }))
    const plain = await check.run(worldWith(INVALID), batch('fe'))
    expect(plain.difference).toBeUndefined()
    const odd = await check.runOnly(worldWith(INVALID), batch('ef'))
    for (const [i, maker] of [MAKER, MAKER2].entries()) {
      expect(odd.result.receipts.get(i)).toEqual(plain.result.receipts.get(i))
      expect(odd.state.account(maker)!.nonce).toBe(2n)
    }
    expect(odd.state.dump()).toEqual(plain.state.dump())
    check.executor.close()
  })
})

describe('nothing that a state holds makes execute throw', () => {
  const MOST = 2n ** 256n - 1n
  const LAST_NONCE = 2n ** 64n - 1n
  const rich = stranger(50)
  const world = (): MemoryState => {
    const state = worldWith(`0x${'5b'.repeat(300_000)}`)
    state.setAccount(rich, { balance: MOST, nonce: LAST_NONCE })
    state.setAccount(sender(5), { balance: MOST, nonce: LAST_NONCE })
    state.setAccount(MAKER, { nonce: LAST_NONCE, balance: MOST, code: MAKER_CODE })
    state.setAccount(BATCH_ENV.coinbase, { balance: MOST })
    return state
  }
  const authority = signerOf('zed')
  for (const form of Object.keys(FORMS))
    test(`on ${form}: the greatest balances and nonces, code of 300 kilobytes`, async () => {
      const check = openCheck(form, 'osaka')
      const state = world()
      state.setAccount(authority, { balance: MOST, nonce: LAST_NONCE })
      const { gasPrice: _, ...plain } = call(4, rich)
      const { result } = await check.runOnly(state, [
        call(0, ODD_ADDRESS),
        call(1, CALLER, argument(ODD_ADDRESS)),
        call(2, MAKER, bytesToHex(assemble('STOP STOP STOP STOP'))),
        { ...call(3, rich), value: 7n },
        {
          ...plain,
          type: 4,
          maxFeePerGas: 10n,
          maxPriorityFeePerGas: 0n,
          authorizations: [authorizationBy('zed', CALLER, LAST_NONCE, 1n)],
        },
        { ...call(5, rich), nonce: LAST_NONCE },
        { ...call(0, MAKER, '0x', 20n), nonce: 1n, value: 1n },
      ])
      expect(result.faults).toEqual([])
      expect(result.receipts.status[0]).toBe(1)
      check.executor.close()
    })
})
