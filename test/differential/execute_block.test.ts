import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseBlockTests } from '../../conformance/block_test.ts'
import { runBlockTest } from '../../conformance/run_block_test.ts'
import type { AccountAccess, BlockAccessList } from '../../host/chain/access_list.ts'
import { type BlockHeader, headerHash } from '../../host/chain/header.ts'
import { requestsHash } from '../../host/chain/requests.ts'
import { readTar } from '../../host/device/tar.ts'
import type { BlockInput, BlockOptions } from '../../host/flows/block_input.ts'
import type { BuiltBlock } from '../../host/flows/build.ts'
import { createExecutor } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { transactionsRoot, withdrawalsRoot } from '../../host/roots/roots.ts'
import { createStateTrie, stateRootOf } from '../../host/state/trie/trie.ts'
import {
  ATTRIBUTES,
  type BlockWorld,
  blockWorld,
  encodeTestBlock,
  keyed,
  randomPool,
  runByVm,
  signed,
} from '../fixtures/block_world.ts'

const WITHDRAWALS = [{ index: 1n, validatorIndex: 2n, address: keyed(2), amount: 3n }]

let world: BlockWorld
let built: BuiltBlock
beforeAll(async () => {
  world = blockWorld('prague')
  const state = world.state.clone()
  const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
  const pool = randomPool(21, world, 25)
  built = await executor.build({
    parent: world.parent,
    attributes: { ...ATTRIBUTES, withdrawals: WITHDRAWALS },
    pool,
    parentState: createStateTrie(state.dump()),
    accessList: true,
  })
  executor.close()
})

/** Executes the block and, where it is refused, checks that nothing has changed. Returns the message. */
const refusal = async (block: BlockInput, options: BlockOptions = {}): Promise<string> => {
  const state = world.state.clone()
  const parentState = createStateTrie(state.dump())
  const before = parentState.root
  const executor = createExecutor({ fork: world.fork, chainId: 1n, state, workers: 0 })
  try {
    await executor.executeBlock(block, { parent: world.parent, parentState, ...options })
    return 'accepted'
  } catch (thrown) {
    expect(stateRootOf(state.dump())).toBe(before)
    expect(parentState.root).toBe(before)
    // The executor goes on as if nothing had been.
    await executor.executeBlock(built.block, { parent: world.parent, parentState })
    expect(parentState.root).toBe(built.block.header.stateRoot)
    return (thrown as Error).message
  } finally {
    executor.close()
  }
}

const withHeader = (changes: Partial<BlockHeader>): BlockInput => {
  const { accessList: _, ...block } = built.block
  const { blockAccessListHash: __, ...header } = block.header
  return { ...block, header: { ...header, ...changes } }
}

const OTHER = `0x${'5a'.repeat(32)}`
const WRONG: readonly (readonly [keyof BlockHeader, BlockHeader[keyof BlockHeader], string])[] = [
  ['parentHash', OTHER, 'expected 0x'],
  ['uncleHash', OTHER, 'expected that of no uncles'],
  // The fees go there.
  ['coinbase', keyed(1), 'stateRoot'],
  ['stateRoot', OTHER, 'execution gives'],
  ['transactionsRoot', OTHER, 'is 0x'],
  ['receiptsRoot', OTHER, 'execution gives'],
  ['logsBloom', `0x${'01'.repeat(256)}`, 'execution gives'],
  ['difficulty', 1n, 'expected 0 from paris on'],
  ['number', 101n, 'expected 100'],
  ['gasLimit', 31_000_000n, 'expected from 29970705 to 30029295'],
  ['gasUsed', 21_000n, 'execution gives'],
  ['gasUsed', 30_000_001n, 'at most the block'],
  ['timestamp', 1_700_000_000n, "above the parent's"],
  ['extraData', `0x${'00'.repeat(33)}`, 'at most 32 bytes'],
  ['nonce', '0x0000000000000001', 'expected 0 from paris on'],
  ['baseFeePerGas', 11n, 'expected 10'],
  ['baseFeePerGas', undefined, 'header says nothing, expected a value from london on'],
  ['withdrawalsRoot', OTHER, 'is 0x'],
  ['blobGasUsed', 131_072n, 'execution gives 0'],
  ['blobGasUsed', 5n, 'a multiple of 131072'],
  ['blobGasUsed', 131_072n * 10n, 'at most'],
  ['excessBlobGas', 131_072n, 'expected 0'],
  ['parentBeaconBlockRoot', OTHER, 'stateRoot'],
  ['parentBeaconBlockRoot', '0x12', '32 bytes of lower-case hex'],
  ['requestsHash', OTHER, 'execution gives'],
  ['blockAccessListHash', OTHER, 'execution gives'],
]

describe('executor.executeBlock', () => {
  it.each(WRONG)('refuses a block with another %s (%s)', async (field, value, expectation) => {
    const message = await refusal(withHeader({ [field]: value }))
    const named = expectation === 'stateRoot' || expectation === 'receiptsRoot' ? expectation : field
    expect(message).toMatch(new RegExp(`^block \\d+: ${named}: `))
    expect(message).toContain(expectation)
  })

  it('accepts the block it was made from, and gives what its header says', async () => {
    const state = world.state.clone()
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
    const parentState = createStateTrie(state.dump())
    const startedMs = performance.now()
    const result = await executor.executeBlock(built.block, { parent: world.parent, parentState, changes: true })
    const elapsedMs = performance.now() - startedMs
    for (const stage of ['decode', 'senders', 'route', 'receipts', 'commit', 'roots'] as const)
      expect(result.timings[stage], stage).toBeGreaterThan(0)
    const { device: _, ...stages } = result.timings
    expect(Object.values(stages).reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(elapsedMs)
    const { header } = built.block
    expect(result).toMatchObject({
      gasUsed: header.gasUsed,
      logsBloom: header.logsBloom,
      receiptsRoot: header.receiptsRoot,
      transactionsRoot: header.transactionsRoot,
      withdrawalsRoot: header.withdrawalsRoot,
      requestsHash: header.requestsHash,
      stateRoot: header.stateRoot,
      accessListHash: header.blockAccessListHash,
      blobGasUsed: 0n,
    })
    expect(result.changes).toHaveLength(built.order.length)
    expect(result.before!.slots.length).toBeGreaterThan(0)
    executor.close()
  })

  it('names the first account that is not as expected', async () => {
    const after = world.state.clone()
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state: after, workers: 0 })
    await executor.executeBlock(built.block)
    executor.close()
    const expected = after.dump()
    const [address, account] = Object.entries(expected)[3]!
    const other = { ...expected, [address]: { ...account, balance: account.balance + 1n } }
    const message = await refusal(withHeader({ stateRoot: OTHER }), { expectedState: other })
    expect(message).toContain(`account ${address}: balance is ${account.balance}, expected ${account.balance + 1n}`)
    const { [address]: _, ...fewer } = expected
    expect(await refusal(withHeader({ stateRoot: OTHER }), { expectedState: fewer })).toContain(
      `account ${address} exists, expected not to`,
    )
  })

  it('refuses a block with an invalid transaction, naming it and the reason', async () => {
    const transactions = built.block.transactions as readonly Uint8Array[]
    const poor = signed({ from: keyed(12), to: keyed(0), nonce: 50n, gasLimit: 21_000n, gasPrice: 10n }, 'prague')
    const all = [...transactions.slice(0, 3), poor, ...transactions.slice(3)]
    const block = { ...withHeader({ transactionsRoot: transactionsRoot(all) }), transactions: all }
    expect(await refusal(block)).toBe('transaction 3: nonce too high')
    const twice = [...transactions, transactions[0]!]
    const again = { ...withHeader({ transactionsRoot: transactionsRoot(twice) }), transactions: twice }
    expect(await refusal(again)).toBe(`transaction ${transactions.length}: nonce too low`)
    const broken = [Uint8Array.of(2, 0xc0)]
    const malformed = { ...withHeader({ transactionsRoot: transactionsRoot(broken) }), transactions: broken }
    expect(await refusal(malformed)).toMatch(/^transaction 0: /)
  })

  it('tells of several faults the one that stands first', async () => {
    const transactions = built.block.transactions as readonly Uint8Array[]
    const broken = [Uint8Array.of(2, 0xc0), ...transactions]
    const wrong = { transactionsRoot: OTHER, withdrawalsRoot: OTHER }
    const parentless = { ...withHeader({ ...wrong, parentHash: OTHER }), transactions: broken }
    expect(await refusal(parentless)).toMatch(/^block 100: parentHash: /)
    expect(await refusal({ ...withHeader(wrong), transactions: broken })).toMatch(/^block 100: transactionsRoot: /)
    const body = { ...withHeader({ transactionsRoot: transactionsRoot(broken) }), transactions: broken }
    expect(await refusal({ ...body, withdrawals: [] })).toMatch(/^block 100: withdrawalsRoot: /)
    expect(await refusal(body)).toMatch(/^transaction 0: /)
    const executed = { stateRoot: OTHER, logsBloom: `0x${'01'.repeat(256)}`, requestsHash: OTHER }
    expect(await refusal(withHeader({ ...executed, receiptsRoot: OTHER }))).toMatch(/^block 100: receiptsRoot: /)
    expect(await refusal(withHeader(executed))).toMatch(/^block 100: logsBloom: /)
    expect(await refusal(withHeader({ stateRoot: OTHER, requestsHash: OTHER }))).toMatch(/^block 100: requestsHash: /)
  })

  it('refuses other withdrawals than the header says, and pays those', async () => {
    const more = [{ ...WITHDRAWALS[0]!, amount: 4n }]
    expect(await refusal({ ...withHeader({}), withdrawals: more })).toContain('withdrawalsRoot')
    const paid = { ...withHeader({ withdrawalsRoot: withdrawalsRoot(more) }), withdrawals: more }
    expect(await refusal(paid)).toContain('stateRoot')
  })

  it('refuses a block whose system contracts are missing', async () => {
    const { state } = world
    const gone = { ...world, state: state.clone() }
    gone.state.setAccount('0x0000bbddc7ce488642fb579f8b00f3a590007251', {})
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state: gone.state, workers: 0 })
    const refused = executor.executeBlock(withHeader({}))
    await expect(refused).rejects.toThrow(
      'block 100: requestsHash: system contract 0x0000bbddc7ce488642fb579f8b00f3a590007251 has no code',
    )
    executor.close()
  })

  it('collects requests that contracts have queued, as @ethereumjs/vm does', async () => {
    const state = world.state.clone()
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
    const request = (n: number, to: string, bytes: number) =>
      signed(
        {
          from: keyed(n),
          to,
          nonce: 0n,
          gasLimit: 300_000n,
          gasPrice: 20n,
          value: 1n,
          data: `0x${'ab'.repeat(bytes)}`,
        },
        'prague',
      )
    const pool = [
      request(0, '0x00000961ef480eb55e80d19ad83579a64c007002', 56),
      request(1, '0x0000bbddc7ce488642fb579f8b00f3a590007251', 96),
    ]
    const made = await executor.build({
      parent: world.parent,
      attributes: { ...ATTRIBUTES, withdrawals: [] },
      pool,
      parentState: createStateTrie(state.dump()),
    })
    executor.close()
    const nothing = new Uint8Array(0)
    const none = requestsHash({ deposits: nothing, withdrawals: nothing, consolidations: nothing })
    expect(made.block.header.requestsHash).not.toBe(none)
    const theirs = await runByVm(world, made.block, false)
    expect(bytesToHex(theirs.requestsHash!)).toBe(made.block.header.requestsHash)
  })
})

const edited = (
  list: BlockAccessList,
  at: number,
  change: (account: AccountAccess) => AccountAccess,
): BlockAccessList => list.map((account, n) => (n === at ? change(account) : account))

describe('a block access list that came with the block', () => {
  const given = (list: BlockAccessList) => refusal({ ...withHeader({}), accessList: list })
  const withWrites = (list: BlockAccessList) => list.findIndex(({ storageChanges }) => storageChanges.length > 0)
  const withReads = (list: BlockAccessList) => list.findIndex(({ storageReads }) => storageReads.length > 0)
  const withNonce = (list: BlockAccessList) => list.findIndex(({ nonceChanges }) => nonceChanges.length > 0)
  const withCode = (list: BlockAccessList) => list.findIndex(({ codeChanges }) => codeChanges.length > 0)

  it('is accepted where it is right', async () => {
    expect(await given(built.accessList!)).toBe('accepted')
  })

  const LIES: readonly (readonly [string, (list: BlockAccessList) => BlockAccessList, RegExp])[] = [
    ['leaves out an account', (list) => list.filter((_, n) => n !== 2), /account 0x\w+ is not in the list/],
    [
      'adds an account',
      (list) => [...list, { ...EMPTY, address: `0x${'ff'.repeat(20)}` }],
      /account 0x(ff)+ is in the list, but was not touched/,
    ],
    ['has accounts out of order', (list) => [list[1]!, list[0]!, ...list.slice(2)], /not in ascending order/],
    ['has an account twice', (list) => [list[0]!, ...list], /not in ascending order/],
    [
      'changes a value',
      (list) =>
        edited(list, withWrites(list), (account) => {
          const [first, ...rest] = account.storageChanges
          const changes = first!.changes.map((one) => ({ ...one, value: one.value + 1n }))
          return { ...account, storageChanges: [{ ...first!, changes }, ...rest] }
        }),
      /slot 0x\w+ at step \d+ is \d+, the list says \d+/,
    ],
    [
      'leaves out a changed slot',
      (list) => edited(list, withWrites(list), (one) => ({ ...one, storageChanges: one.storageChanges.slice(1) })),
      /changes of slot 0x\w+ are not in the list/,
    ],
    [
      'calls a changed slot read',
      (list) =>
        edited(list, withWrites(list), (one) => ({
          ...one,
          storageChanges: one.storageChanges.slice(1),
          storageReads: [...one.storageReads, one.storageChanges[0]!.key].sort((a, b) => (a < b ? -1 : 1)),
        })),
      /changes of slot|was not only read/,
    ],
    [
      'has a slot both changed and read',
      (list) => edited(list, withWrites(list), (one) => ({ ...one, storageReads: [one.storageChanges[0]!.key] })),
      /both changed and read/,
    ],
    [
      'leaves out a slot that was read',
      (list) => edited(list, withReads(list), (one) => ({ ...one, storageReads: one.storageReads.slice(1) })),
      /the read of slot 0x\w+ is not in the list/,
    ],
    [
      'adds a slot that was not read',
      (list) => edited(list, withReads(list), (one) => ({ ...one, storageReads: [...one.storageReads, 1n << 255n] })),
      /in the list as read, but was not only read/,
    ],
    [
      'changes a balance',
      (list) =>
        edited(list, withNonce(list), (one) => ({
          ...one,
          balanceChanges: one.balanceChanges.map(({ index, value }) => ({ index, value: value - 1n })),
        })),
      /balance at step \d+ is/,
    ],
    [
      'moves a nonce to another step',
      (list) =>
        edited(list, withNonce(list), (one) => ({
          ...one,
          nonceChanges: one.nonceChanges.map(({ index, value }) => ({ index: index + 500, value })),
        })),
      /nonce at step \d+/,
    ],
    [
      'changes a code',
      (list) =>
        edited(list, withCode(list), (one) => ({
          ...one,
          codeChanges: one.codeChanges.map(({ index }) => ({ index, value: Uint8Array.of(1) })),
        })),
      /code at step \d+ is 0x/,
    ],
  ]

  it.each(LIES)('is refused where it %s', async (_, lie, expectation) => {
    const message = await given(lie(built.accessList!))
    expect(message).toMatch(/^block 100: accessList: /)
    expect(message).toMatch(expectation)
  })
})

const EMPTY = { storageChanges: [], storageReads: [], balanceChanges: [], nonceChanges: [], codeChanges: [] }

const ARCHIVE = new URL('../../../shared/data/state-tests/multi-tx-blocks.tar.gz', import.meta.url)
/** Every so manieth test of the archive runs in the suite; WGEVM_ALL_BLOCKS=1 runs them all. */
const EVERY = process.env['WGEVM_ALL_BLOCKS'] === '1' ? 1 : 6

describe.skipIf(!existsSync(ARCHIVE))('block tests (skipped where ../shared/data/state-tests is absent)', () => {
  it(`every ${EVERY}th of 117 passes`, async () => {
    const tests = readTar(gunzipSync(readFileSync(ARCHIVE)))
      .filter(({ path }) => path.endsWith('.json'))
      .flatMap(({ path, bytes }) => parseBlockTests(path, Buffer.from(bytes).toString()))
    expect(tests).toHaveLength(117)
    for (const test of tests.filter((_, n) => n % EVERY === 0))
      expect((await runBlockTest(test, { workers: 0 })).error, test.name).toBeUndefined()
  })
})

describe('a block test of our own', () => {
  const testOf = (changes: object = {}, block: object = {}) => {
    const { header, transactions, withdrawals } = withHeader({})
    const rlp = bytesToHex(encodeTestBlock(header, transactions as readonly Uint8Array[], withdrawals!))
    const genesisRLP = bytesToHex(encodeTestBlock(world.parent, [], []))
    const pre = Object.fromEntries(
      Object.entries(world.state.dump()).map(([address, { nonce, balance, codeHash, storage }]) => [
        address,
        {
          nonce: `0x${nonce.toString(16)}`,
          balance: `0x${balance.toString(16)}`,
          code: bytesToHex(world.state.readCode(codeHash)),
          storage,
        },
      ]),
    )
    return JSON.stringify({
      ours: {
        network: 'Prague',
        genesisRLP,
        pre,
        blocks: [{ rlp, ...block }],
        lastblockhash: headerHash(header),
        ...changes,
      },
    })
  }

  it('passes, and fails where it should', async () => {
    expect((await runBlockTest(parseBlockTests('ours.json', testOf())[0]!)).error).toBeUndefined()
    const exception = testOf({}, { expectException: 'BlockException.INVALID_STATE_ROOT' })
    expect((await runBlockTest(parseBlockTests('ours.json', exception)[0]!)).error).toContain('accepted, expected')
    const other = testOf({ lastblockhash: OTHER })
    expect((await runBlockTest(parseBlockTests('ours.json', other)[0]!)).error).toContain('last block: hash is')
    const post = testOf({ postState: {} })
    expect((await runBlockTest(parseBlockTests('ours.json', post)[0]!)).error).toContain('that of the expected state')
  })

  it.each([
    [{ network: 'Utopia' }, /^ours.json: ours.network: expected the name of a fork/],
    [{ genesisRLP: '0xc0' }, /^ours.json: ours.genesisRLP: expected the RLP of a block/],
    [{ blocks: 5 }, /^ours.json: ours.blocks: expected an array/],
    [{ blocks: [{}] }, /^ours.json: ours.blocks\[0\].rlp: expected bytes/],
    [{ pre: { '0x12': {} } }, /^ours.json: ours.pre.0x12: expected an address/],
    [{ lastblockhash: undefined }, /^ours.json: ours.lastblockhash: expected 0x and 64 hex digits, got nothing/],
  ])('of a wrong shape is refused in one line: %o', (changes, expectation) => {
    expect(() => parseBlockTests('ours.json', testOf(changes))).toThrow(expectation)
  })

  it('says so where its file is no JSON', () => {
    expect(() => parseBlockTests('ours.json', '{')).toThrow(/^ours.json: expected JSON of block tests/)
  })
})
