import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { opPayloadId } from '../../host/chain/op/payload_id.ts'
import { parseGenesis } from '../../host/index.ts'
import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import { EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import { RPC_CODE } from '../../service/rpc_error.ts'
import {
  attributesJson,
  depositBytes,
  MESSAGE_PASSER,
  message,
  OPERATOR,
  opAttributes,
  opFrom,
  opGenesis,
  payers,
  payment,
} from '../fixtures/op_chain.ts'
import {
  asked,
  balanceAt,
  blobTransaction,
  checkAltered,
  checkReceipts,
  L1_VAULT,
  OPERATOR_VAULT,
  quantity,
  told,
} from '../fixtures/op_checks.ts'
import type { Envelope } from '../fixtures/op_node.ts'
import { l1Cost, operatorCost } from '../fixtures/op_serial_fees.ts'
import { type OpService, startOpService } from '../fixtures/op_service.ts'

const EXTRA = '0x0100000032000000060000000000000000'
const BASE_FEE_VAULT = '0x4200000000000000000000000000000000000019'
const L1_BLOCK = '0x4200000000000000000000000000000000000015'
const PERSON = `0x${'77'.repeat(20)}`
const genesis = parseGenesis(opGenesis(opFrom('karst'), EXTRA))

describe('op-node over HTTP, on a chain at Karst', () => {
  let builder: OpService
  let follower: OpService
  const nonces = [0, 0, 0]
  const envelopes: Envelope[] = []

  beforeAll(async () => {
    ;[builder, follower] = [await startOpService({ genesis, isAlone: true }), await startOpService({ genesis })]
  })
  afterAll(async () => {
    await builder.close()
    await follower.close()
  })

  const balance = (address: string, block: number): Promise<bigint> => balanceAt(follower.op, address, block)

  test('has a dozen blocks built, and inserts them into another node, where they read as they were', async () => {
    for (let n = 1; n <= 12; n++) {
      const { hash, header } = builder.chain.head
      const pool = [await payment(1, nonces[1]!++), await message(2, nonces[2]!++, BigInt(n), 9n)]
      for (const raw of pool)
        expect((await builder.op.ask('eth_sendRawTransaction', bytesToHex(raw))).error).toBeUndefined()
      const attributes = opAttributes(header, n, 'karst')
      // Derived from the L1: what the batch held, and nothing of the pool.
      const isDerived = n % 4 === 0
      const json = attributesJson(attributes, {
        ...(n % 2 === 0 ? { minBaseFee: quantity(attributes.minBaseFee) } : {}),
        ...(isDerived
          ? {
              noTxPool: true,
              transactions: [...(attributes.transactions as readonly Uint8Array[]), ...pool].map(bytesToHex),
            }
          : {}),
      })
      const begun = (await builder.op.update(hash, hash, json)).result as { readonly payloadId: string }
      const { coinbase, transactions, ...rest } = attributes
      const forced = [...(transactions as readonly Uint8Array[]), ...(isDerived ? pool : [])]
      const named = { ...rest, suggestedFeeRecipient: coinbase, transactions: forced, noTxPool: isDerived }
      expect(begun.payloadId).toBe(opPayloadId(3, hash, named as Parameters<typeof opPayloadId>[2]))
      const envelope = await builder.op.take(begun.payloadId)
      const { executionPayload } = envelope
      envelopes.push(envelope)
      expect(envelope).toMatchObject({
        executionRequests: [],
        shouldOverrideBuilder: false,
        blobsBundle: { commitments: [], proofs: [], blobs: [] },
        parentBeaconBlockRoot: attributes.parentBeaconBlockRoot,
      })
      expect(executionPayload.transactions.slice().sort()).toEqual(
        [...(attributes.transactions as readonly Uint8Array[]), ...pool].map(bytesToHex).sort(),
      )
      expect(executionPayload['withdrawalsRoot']).toMatch(/^0x[0-9a-f]{64}$/)
      if (n === 1) await checkAltered(builder.op, envelope)
      for (const node of [builder, follower]) {
        const status = await node.op.insert(envelope)
        expect(status).toEqual({ status: 'VALID', latestValidHash: executionPayload.blockHash, validationError: null })
        await node.op.update(executionPayload.blockHash, hash)
        expect(node.chain.head.hash).toBe(executionPayload.blockHash)
      }
      const block = await follower.op.block(executionPayload.blockHash)
      expect(block).toMatchObject({ withdrawals: [], withdrawalsRoot: executionPayload['withdrawalsRoot'] })
      await checkReceipts(follower.op, n, executionPayload.blockHash)
    }
    expect(new Set(envelopes.map(({ executionPayload }) => executionPayload['withdrawalsRoot'])).size).toBe(12)
    const { storageHash } = (await follower.op.ask('eth_getProof', MESSAGE_PASSER, [], follower.chain.head.hash))
      .result as {
      readonly storageHash: string
    }
    expect(storageHash).toBe(follower.chain.head.header.withdrawalsRoot)
    expect(await balance(PERSON, 12)).toBe(60n)
    for (const tag of ['latest', 'safe', 'finalized'])
      expect((await follower.op.ask('eth_getBlockByNumber', tag, true)).result, tag).not.toBeNull()
    expect((await follower.op.ask('eth_getBlockByNumber', '0xff', true)).result).toBeNull()
  }, 60_000)

  describe('traces of blocks', () => {
    type Traces = readonly { readonly txHash: string; readonly result: Readonly<Record<string, unknown>> }[]
    const traced = async (n: number, tracer: string, tracerConfig: object = {}): Promise<Traces> => {
      const { result, error } = await follower.op.ask('debug_traceBlockByNumber', quantity(BigInt(n)), {
        tracer,
        tracerConfig,
      })
      expect(error).toBeUndefined()
      return result as Traces
    }
    const receiptsOf = async (n: number): Promise<readonly Readonly<Record<string, string>>[]> =>
      (await follower.op.ask('eth_getBlockReceipts', quantity(BigInt(n)))).result as never

    test('change balances from what was before the block to what is after it, L1 and operator fees with them', async () => {
      for (const n of [1, 3, 12]) {
        const receipts = await receiptsOf(n)
        const balances = new Map<string, bigint>()
        const traces = await traced(n, 'prestateTracer', { diffMode: true, includeEmpty: true })
        expect(traces.map(({ txHash }) => txHash)).toEqual(receipts.map(({ transactionHash }) => transactionHash))
        for (const [i, { result }] of traces.entries()) {
          const { pre, post } = result as Record<'pre' | 'post', Record<string, { readonly balance?: string }>>
          for (const [address, { balance: before }] of Object.entries(pre)) {
            if (!balances.has(address)) balances.set(address, await balance(address, n - 1))
            expect(BigInt(before ?? '0x0'), address).toBe(balances.get(address))
          }
          for (const [address, { balance: after }] of Object.entries(post))
            if (after !== undefined) balances.set(address, BigInt(after))
          const { l1Fee } = receipts[i]!
          const paid = (vault: string): bigint => BigInt(post[vault]?.balance ?? 0) - BigInt(pre[vault]?.balance ?? 0)
          if (l1Fee === undefined) expect(post[L1_VAULT]).toBeUndefined()
          else expect(paid(L1_VAULT)).toBe(BigInt(l1Fee))
          const gas = BigInt(receipts[i]!['gasUsed']!)
          if (l1Fee !== undefined) expect(paid(OPERATOR_VAULT)).toBe(gas * OPERATOR.scalar * 100n + OPERATOR.constant)
        }
        expect(balances.size).toBeGreaterThan(6)
        for (const [address, wei] of balances) expect(await balance(address, n), address).toBe(wei)
      }
    })

    test('are trees of calls with the gas of their receipts, and a deposit that could not start as in op-geth', async () => {
      for (const n of [3, 4]) {
        const receipts = await receiptsOf(n)
        const traces = await traced(n, 'callTracer')
        for (const [i, { result, txHash }] of traces.entries()) {
          expect(result['gasUsed']).toBe(receipts[i]!['gasUsed'])
          expect(result['error'] === undefined).toBe(receipts[i]!['status'] === '0x1')
          const alone = await follower.op.ask('debug_traceTransaction', txHash, { tracer: 'callTracer' })
          expect(alone.result).toEqual(result)
        }
      }
      expect((await traced(3, 'callTracer'))[2]!.result).toEqual({
        from: `0x${'0'.repeat(40)}`,
        gas: '0x0',
        gasUsed: '0x186a0',
        input: '0x',
        error: 'failed deposit transaction',
        type: 'STOP',
      })
    })

    test('show the steps of the L1 attributes, and calls have the precompiled contracts of the fork', async () => {
      const hash = (await receiptsOf(5))[0]!['transactionHash']
      const { result } = await follower.op.ask('debug_traceTransaction', hash)
      const { failed, structLogs } = result as {
        readonly failed: boolean
        readonly structLogs: readonly { readonly op: string }[]
      }
      expect(failed).toBe(false)
      expect(structLogs.filter(({ op }) => op === 'SSTORE').length).toBe(4)
      const p256 = { to: '0x0000000000000000000000000000000000000100', gas: '0x186a0' }
      const call = await follower.op.ask('debug_traceCall', p256, 'latest', { tracer: 'callTracer' })
      expect(call.result).toMatchObject({ gasUsed: quantity(21_000n + 6900n), type: 'CALL' })
    })
  })

  describe('simulated blocks', () => {
    type Simulated = Readonly<Record<string, string>> & {
      readonly calls: readonly Readonly<Record<'status' | 'gasUsed' | 'returnData', string>>[]
    }
    const simulated = async (...blocks: readonly object[]): Promise<readonly Simulated[]> => {
      const { result, error } = await follower.op.ask(
        'eth_simulateV1',
        { blockStateCalls: blocks, validation: true },
        'latest',
      )
      expect(error).toBeUndefined()
      return result as readonly Simulated[]
    }
    test('have the header that the next block has, and pay the base fee to its vault and nothing for their bytes', async () => {
      const { header } = follower.chain.head
      const pays = {
        from: payers[1]!.address,
        to: PERSON,
        value: '0x7',
        maxFeePerGas: '0xfffff',
        maxPriorityFeePerGas: '0xa',
      }
      const first = {
        ...told,
        blockOverrides: { time: quantity(header.timestamp + 2n), feeRecipient: header.coinbase },
        calls: [pays],
      }
      const [block, after] = await simulated(first, {
        blockOverrides: { time: quantity(header.timestamp + 4n) },
        calls: [BASE_FEE_VAULT, L1_VAULT, OPERATOR_VAULT].map(asked),
      })
      const sum = async (address: string): Promise<bigint> => balance(address, Number(header.number))
      const gas = BigInt(block!.calls[0]!.gasUsed)
      expect(after!.calls.slice(1).map(({ returnData }) => BigInt(returnData))).toEqual([
        await sum(L1_VAULT),
        await sum(OPERATOR_VAULT),
      ])
      expect(BigInt(after!.calls[0]!.returnData)).toBe(
        (await sum(BASE_FEE_VAULT)) + gas * BigInt(block!['baseFeePerGas']!),
      )
      expect(block).toMatchObject({
        extraData: header.extraData,
        blobGasUsed: '0x0',
        excessBlobGas: '0x0',
        withdrawalsRoot: header.withdrawalsRoot,
        requestsHash: `0x${createHash('sha256').digest('hex')}`,
      })
      expect(block!['stateRoot']).not.toBe(header.stateRoot)
      const message = {
        from: payers[2]!.address,
        to: MESSAGE_PASSER,
        input: `0x${'0'.repeat(62)}4d${'0'.repeat(62)}63`,
        maxFeePerGas: '0xfffff',
      }
      const [messages] = await simulated({ ...first, calls: [message] })
      expect(messages!.calls[0]!.status).toBe('0x1')
      await advanceWith(0x63n, 0x4dn)
      const real = follower.chain.head.header
      expect(real.number).toBe(header.number + 1n)
      expect(messages!['withdrawalsRoot']).toBe(real.withdrawalsRoot)
      expect(block!['baseFeePerGas']).toBe(quantity(real.baseFeePerGas))
    })

    test('take no withdrawals and no blobs', async () => {
      const faults: readonly (readonly [object, RegExp])[] = [
        [
          {
            blockOverrides: { withdrawals: [{ index: '0x1', validatorIndex: '0x2', address: PERSON, amount: '0x3' }] },
          },
          /withdrawals/,
        ],
        [
          {
            calls: [
              {
                from: payers[1]!.address,
                to: PERSON,
                maxFeePerGas: '0xfffff',
                blobVersionedHashes: [`0x01${'11'.repeat(31)}`],
              },
            ],
          },
          /call 0/,
        ],
      ]
      for (const [block, message] of faults) {
        const { error } = await follower.op.ask(
          'eth_simulateV1',
          { blockStateCalls: [block], validation: true },
          'latest',
        )
        expect(error?.message).toMatch(message)
      }
    })

    /** A block with this message, on both nodes. */
    const advanceWith = async (key: bigint, value: bigint): Promise<void> => {
      const { hash, header } = builder.chain.head
      await builder.op.ask('eth_sendRawTransaction', bytesToHex(await message(2, nonces[2]!++, key, value)))
      const { payloadId } = (await builder.op.update(hash, hash, attributesJson(opAttributes(header, 13, 'karst'), {})))
        .result as {
        readonly payloadId: string
      }
      const envelope = await builder.op.take(payloadId)
      for (const node of [builder, follower]) {
        await node.op.insert(envelope)
        await node.op.update(envelope.executionPayload.blockHash, hash)
      }
    }
  })

  const attributesNow = (more: object = {}): object =>
    attributesJson(opAttributes(builder.chain.head.header, 77, 'karst'), more)

  test.each<[string, object]>([
    ['no gas limit', { gasLimit: null }],
    ['no minimum of the base fee', { minBaseFee: null }],
    ['no parameters of EIP-1559', { eip1559Params: null }],
    ['a denominator without elasticity', { eip1559Params: '0x0000000100000000' }],
    ['withdrawals', { withdrawals: [{ index: '0x1', validatorIndex: '0x2', address: PERSON, amount: '0x3' }] }],
    ['bytes that are no transaction', { transactions: ['0x7eff'] }],
    ['no beacon root', { parentBeaconBlockRoot: null }],
    ['a gas limit that no block has', { gasLimit: '0x0' }],
    ['a gas limit that leaves its deposits no room', { gasLimit: '0x5208' }],
  ])('is refused attributes with %s, and the fork choice stands', async (_, more) => {
    const { hash } = builder.chain.head
    const { error } = await builder.op.update(hash, hash, attributesNow(more))
    expect(error?.code).toBe(RPC_CODE.invalidAttributes)
    expect(builder.chain.head.hash).toBe(hash)
  })

  test('is told at once of a transaction that cannot be in the block that it derives', async () => {
    const { hash } = builder.chain.head
    const raw = bytesToHex(await payment(1, 999))
    const transactions = [
      ...(opAttributes(builder.chain.head.header, 77, 'karst').transactions as readonly Uint8Array[]).map(bytesToHex),
      raw,
    ]
    for (const noTxPool of [true, false]) {
      const { error } = await builder.op.update(hash, hash, attributesNow({ noTxPool, transactions }))
      expect(error?.code).toBe(RPC_CODE.invalidAttributes)
      expect(error?.message).toMatch(/nonce/)
    }
  })

  test('has a payload refused for withdrawals, of which its hash does not speak, and the block itself taken', async () => {
    const { hash } = builder.chain.head
    const { payloadId } = (await builder.op.update(hash, hash, attributesNow())).result as {
      readonly payloadId: string
    }
    const { executionPayload, parentBeaconBlockRoot: root } = await builder.op.take(payloadId)
    const withdrawals = [{ index: '0x1', validatorIndex: '0x2', address: PERSON, amount: '0x3' }]
    const insert = async ({ op }: OpService, payload: object): Promise<unknown> =>
      (await op.ask('engine_newPayloadV4', payload, [], root, [])).result
    const refusal = {
      status: 'INVALID',
      latestValidHash: null,
      validationError: 'withdrawals must be empty on the OP stack',
    }
    // The builder knows the block, the other node does not, and then does.
    for (const node of [builder, follower]) {
      expect(await insert(node, { ...executionPayload, withdrawals })).toEqual(refusal)
      expect(await insert(node, executionPayload)).toMatchObject({ status: 'VALID' })
      expect(await insert(node, { ...executionPayload, withdrawals })).toEqual(refusal)
      const chosen = (await node.op.update(executionPayload.blockHash, hash)).result
      expect(chosen).toMatchObject({ payloadStatus: { status: 'VALID' } })
    }
  })

  test('has a method of each call at Karst, and no other', async () => {
    const { hash } = builder.chain.head
    const { executionPayload, parentBeaconBlockRoot: root } = envelopes[0]!
    const begun = (await builder.op.update(hash, hash, attributesNow())).result as { readonly payloadId: string }
    const codes = [
      await builder.op.ask('engine_getPayloadV4', begun.payloadId),
      await builder.op.ask('engine_getPayloadV3', begun.payloadId),
      await builder.op.ask('engine_newPayloadV3', executionPayload, [], root),
      await builder.op.ask('engine_getPayloadV5', '0x0300000000000000'),
      await builder.op.ask('engine_newPayloadV4', { ...executionPayload, withdrawalsRoot: null }, [], root, []),
    ].map(({ error }) => error?.code)
    expect(codes).toEqual([
      RPC_CODE.unsupportedFork,
      RPC_CODE.unsupportedFork,
      RPC_CODE.unsupportedFork,
      RPC_CODE.unknownPayload,
      RPC_CODE.invalidParams,
    ])
    const others: readonly (readonly unknown[])[] = [
      [executionPayload, [], root, ['0x0011']],
      [executionPayload, [`0x01${'11'.repeat(31)}`], root, []],
      [{ ...executionPayload, withdrawalsRoot: EMPTY_TRIE_ROOT }, [], root, []],
    ]
    for (const params of others)
      expect((await builder.op.ask('engine_newPayloadV4', ...params)).result).toMatchObject({ status: 'INVALID' })
  })

  test('has no deposit and no blob taken into the pool', async () => {
    const deposit = bytesToHex(depositBytes({ source: 1, from: payers[0]!.address, to: PERSON }))
    const refusals = [
      [deposit, 'type 126 is not supported'],
      [await blobTransaction(genesis.config.chainId), 'transaction type not supported'],
    ]
    for (const [raw, message] of refusals)
      expect((await builder.op.ask('eth_sendRawTransaction', raw)).error).toMatchObject({
        code: RPC_CODE.server,
        message,
      })
  })

  test('takes into the pool what its sender can pay with L1 fee and operator fee, until the L1 costs more', async () => {
    const { op, chain } = follower
    const sender = payers[2]!
    const slots = new Map<number, bigint>()
    for (const n of [1, 3, 7, 8])
      slots.set(n, BigInt((await op.ask('eth_getStorageAt', L1_BLOCK, quantity(BigInt(n)), 'latest')).result as string))
    const terms = { fork: 'karst', slots } as const
    const funds = BigInt((await op.ask('eth_getBalance', sender.address, 'latest')).result as string)
    const fields = { to: PERSON as `0x${string}`, gas: 21_000n, maxFeePerGas: 1_000_000n, maxPriorityFeePerGas: 10n }
    const [nonce, chainId] = [nonces[2]!, Number(genesis.config.chainId)]
    const send = async (value: bigint) => {
      const raw = await sender.signTransaction({ chainId, type: 'eip1559', nonce, ...fields, value })
      return (await op.ask('eth_sendRawTransaction', raw)).error?.message
    }
    const operator = operatorCost(terms, fields.gas)
    const gas = fields.gas * fields.maxFeePerGas
    const raw = await sender.signTransaction({ chainId, type: 'eip1559', nonce, ...fields, value: funds })
    const l1Fee = l1Cost(terms, hexToBytes(raw))
    expect([operator, l1Fee].every((fee) => fee > 0n)).toBe(true)
    const most = funds - gas - operator - l1Fee
    expect(await send(most + 1n)).toMatch(/insufficient funds .* overshot 1$/)
    expect(await send(most)).toBeUndefined()
    const pending = async () => (await op.ask('txpool_status')).result
    expect(await pending()).toEqual({ pending: '0x1', queued: '0x0' })
    const { hash, header } = chain.head
    const attributes = attributesJson(opAttributes(header, 500, 'karst'), { noTxPool: true })
    const { payloadId } = (await op.update(hash, hash, attributes)).result as { readonly payloadId: string }
    const envelope = await op.take(payloadId)
    await op.insert(envelope)
    await op.update(envelope.executionPayload.blockHash, hash)
    expect(await pending()).toEqual({ pending: '0x0', queued: '0x0' })
  })

  describe('a builder is told', () => {
    /** How many transactions of the pool the next block has. */
    const taken = async (): Promise<number> => {
      const { hash, header } = builder.chain.head
      const attributes = attributesJson(opAttributes(header, 80, 'karst'), {})
      const { payloadId } = (await builder.op.update(hash, hash, attributes)).result as { readonly payloadId: string }
      const { executionPayload } = await builder.op.take(payloadId)
      return executionPayload.transactions.filter((raw) => !raw.startsWith('0x7e')).length
    }
    const tell = async (method: string, ...params: readonly unknown[]): Promise<void> => {
      expect((await builder.op.ask(method, ...params)).result).toBe(true)
    }

    test('how large transactions and blocks may be, and what they must pay; the same payload is built again by it', async () => {
      for (let n = 0; n < 2; n++) {
        await builder.op.ask('eth_sendRawTransaction', bytesToHex(await payment(1, nonces[1]!++)))
        await builder.op.ask('eth_sendRawTransaction', bytesToHex(await message(2, nonces[2]!++, 1n, 7n)))
      }
      expect(await taken()).toBe(4)
      // Each counts for 100 bytes, the least.
      await tell('miner_setMaxDASize', '0x63', '0x0')
      expect(await taken()).toBe(0)
      await tell('miner_setMaxDASize', '0x64', '0x12b')
      expect(await taken()).toBe(2)
      await tell('miner_setMaxDASize', '0x0', '0x12c')
      expect(await taken()).toBe(3)
      await tell('miner_setMaxDASize', '0x0', '0x0')
      // They offer 10 wei.
      await tell('miner_setGasPrice', '0xb')
      expect(await taken()).toBe(0)
      await tell('miner_setGasPrice', '0xa')
      expect(await taken()).toBe(4)
    })

    test('extra data and a gas limit, of which blocks of the OP stack take none', async () => {
      await tell('miner_setExtra', 'wgevm')
      await tell('miner_setExtra', '0x0102')
      await tell('miner_setGasLimit', '0x1000000')
      expect(await taken()).toBe(4)
      expect((await builder.op.ask('miner_setExtra', `0x${'11'.repeat(33)}`)).error?.code).toBe(RPC_CODE.invalidParams)
    })
  })
})
