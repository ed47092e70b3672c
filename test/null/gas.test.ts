import { Common, Mainnet } from '@ethereumjs/common'
import { createEVM, type EVM, paramsEVM } from '@ethereumjs/evm'
import { paramsTx } from '@ethereumjs/tx'
import { createAccount, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { describe, expect, test } from 'vitest'
import { ethereumjsHardfork, FORKS, type Fork, isAtLeast, isFork, valueAt } from '../../transpiler/spec/forks.ts'
import * as gas from '../../transpiler/spec/gas.ts'

const paramAt = (fork: Fork, params: typeof paramsEVM | typeof paramsTx, name: string): number =>
  Number(new Common({ chain: Mainnet, hardfork: ethereumjsHardfork(fork), params }).param(name))

const contract = createAddressFromString(`0x${'11'.repeat(20)}`)

/** An EVM whose account `contract` exists and has `original` in slot 0. */
const evmWithSlot = async (fork: Fork, original: bigint): Promise<EVM> => {
  const common = new Common({ chain: Mainnet, hardfork: ethereumjsHardfork(fork) })
  const evm = await createEVM({ common })
  const state = evm.stateManager
  await state.putAccount(contract, createAccount({ nonce: 1n }))
  if (original !== 0n) await state.putStorage(contract, new Uint8Array(32), Uint8Array.of(Number(original)))
  state.originalStorageCache.clear()
  return evm
}

describe.each(FORKS)('the gas constants at %s', (fork) => {
  const evm = (name: string): number => paramAt(fork, paramsEVM, name)
  const tx = (name: string): number => paramAt(fork, paramsTx, name)

  test('equal the parameters of @ethereumjs/evm and @ethereumjs/tx', () => {
    expect({
      expByte: valueAt(gas.GAS_EXP_BYTE_BY_FORK, fork),
      keccakWord: gas.GAS_KECCAK_WORD,
      copyWord: gas.GAS_COPY_WORD,
      log: [gas.GAS_LOG, gas.GAS_LOG_TOPIC, gas.GAS_LOG_BYTE],
      memory: [gas.GAS_MEMORY_WORD, gas.MEMORY_QUADRATIC_DIVISOR],
      call: [gas.GAS_CALL_VALUE, gas.GAS_CALL_STIPEND, gas.GAS_NEW_ACCOUNT],
      refundQuotient: valueAt(gas.MAX_REFUND_QUOTIENT_BY_FORK, fork),
      selfdestruct: valueAt(gas.REFUND_SELFDESTRUCT_BY_FORK, fork),
      deposit: gas.GAS_CODE_DEPOSIT_BYTE,
      stack: gas.MAX_STACK_WORDS,
      transaction: gas.GAS_TRANSACTION,
      calldata: [gas.GAS_CALLDATA_ZERO, valueAt(gas.GAS_CALLDATA_NONZERO_BY_FORK, fork)],
    }).toEqual({
      expByte: evm('expByteGas'),
      keccakWord: evm('keccak256WordGas'),
      copyWord: evm('copyGas'),
      log: [evm('logGas'), evm('logTopicGas'), evm('logDataGas')],
      memory: [evm('memoryGas'), evm('quadCoefficientDivGas')],
      call: [evm('callValueTransferGas'), evm('callStipendGas'), evm('callNewAccountGas')],
      refundQuotient: evm('maxRefundQuotient'),
      selfdestruct: evm('selfdestructRefundGas'),
      deposit: evm('createDataGas'),
      stack: evm('stackLimit'),
      transaction: tx('txGas'),
      calldata: [tx('txDataZeroGas'), tx('txDataNonZeroGas')],
    })
    if (isAtLeast(fork, 'homestead')) {
      expect(valueAt(gas.GAS_TRANSACTION_CREATE_BY_FORK, fork)).toBe(tx('txCreationGas'))
    }
    if (isAtLeast(fork, 'spuriousDragon')) expect(gas.MAX_CODE_BYTES).toBe(evm('maxCodeSize'))
    if (isAtLeast(fork, 'berlin')) {
      expect([gas.GAS_COLD_SLOAD, gas.GAS_COLD_ACCOUNT, gas.GAS_WARM]).toEqual([
        evm('coldsloadGas'),
        evm('coldaccountaccessGas'),
        evm('warmstoragereadGas'),
      ])
      expect([gas.GAS_ACCESS_LIST_ADDRESS, gas.GAS_ACCESS_LIST_KEY]).toEqual([
        tx('accessListAddressGas'),
        tx('accessListStorageKeyGas'),
      ])
    }
    if (isAtLeast(fork, 'shanghai')) {
      expect([gas.GAS_INITCODE_WORD, gas.MAX_INITCODE_BYTES]).toEqual([evm('initCodeWordGas'), evm('maxInitCodeSize')])
    }
    if (isAtLeast(fork, 'cancun')) expect(gas.GAS_PER_BLOB).toBe(tx('blobGasPerBlob'))
    if (isAtLeast(fork, 'prague')) {
      expect([gas.GAS_FLOOR_TOKEN, gas.GAS_AUTHORIZATION, gas.GAS_AUTHORIZATION_NEW_ACCOUNT]).toEqual([
        tx('totalCostFloorPerToken'),
        tx('perAuthBaseGas'),
        tx('perEmptyAccountCost'),
      ])
    }
    if (isAtLeast(fork, 'osaka')) expect(gas.MAX_TRANSACTION_GAS).toBe(tx('maxTransactionGasLimit'))
  })

  test('price an SSTORE as @ethereumjs/evm does, for every (original, current, new)', async () => {
    const prices = gas.storeGasAt(fork)
    for (const original of [0n, 1n]) {
      for (const current of [0n, 1n, 2n]) {
        for (const next of [0n, 1n, 2n, 3n]) {
          const evm = await evmWithSlot(fork, original)
          const code = hexToBytes(`0x600${current}600055600${next}600055`)
          const outcome = await evm.runCode({ code, to: contract, gasLimit: 1_000_000n })
          const first = gas.storeCost(prices, original, original, current)
          const second = gas.storeCost(prices, original, current, next)
          const title = `${original} -> ${current} -> ${next}`
          expect(outcome.exceptionError, title).toBeUndefined()
          expect(Number(outcome.executionGasUsed) - 12, title).toBe(prices.cold + first.gas + second.gas)
          expect(Number(outcome.gasRefund), title).toBe(first.refund + second.refund)
        }
      }
    }
  })

  test('stop an SSTORE at the sentry and let it pass one gas above', async () => {
    const { sentry } = gas.storeGasAt(fork)
    if (sentry === 0) return
    // The first SSTORE warms the slot, so the second one costs less than the sentry.
    const { cold, dirty } = gas.storeGasAt(fork)
    const code = hexToBytes('0x600060005560006000555a')
    const spent = BigInt(12 + cold + dirty)
    const stopped = await (await evmWithSlot(fork, 0n)).runCode({
      code,
      to: contract,
      gasLimit: spent + BigInt(sentry),
    })
    expect(stopped.exceptionError?.error).toBe('out of gas')
    const passed = await (await evmWithSlot(fork, 0n)).runCode({
      code,
      to: contract,
      gasLimit: spent + BigInt(sentry) + 1n,
    })
    expect(passed.exceptionError).toBeUndefined()
  })
})

describe('forks', () => {
  test('are ordered and known by name', () => {
    expect(isAtLeast('cancun', 'cancun')).toBe(true)
    expect(isAtLeast('berlin', 'london')).toBe(false)
    expect(isAtLeast('osaka', 'frontier')).toBe(true)
    expect(isFork('prague')).toBe(true)
    expect(isFork('Prague')).toBe(false)
    expect(isFork('toString')).toBe(false)
  })

  test('have no value before the first entry of a table', () => {
    expect(valueAt(gas.GAS_TRANSACTION_CREATE_BY_FORK, 'frontier')).toBe(0)
    expect(valueAt(gas.GAS_TRANSACTION_CREATE_BY_FORK, 'homestead')).toBe(32000)
  })
})

describe('memoryGas', () => {
  test('is linear first and quadratic later', () => {
    expect([0, 1, 22, 23, 32, 724, 1024].map(gas.memoryGas)).toEqual([0, 3, 66, 70, 98, 3195, 5120])
  })
})
