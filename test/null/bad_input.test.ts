import { describe, expect, test } from 'vitest'
import type { TransactionBatch } from '../../host/index.ts'
import {
  createExecutor,
  createStateTrie,
  decodeSigned,
  encodeBatch,
  InputError,
  MemoryState,
  OverrideError,
  TransactionInputError,
} from '../../host/index.ts'

const ALICE = '0x00000000000000000000000000000000000a11ce'
const BOB = '0x0000000000000000000000000000000000000b0b'
const ENV = { number: 1n, timestamp: 1n, coinbase: BOB, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n }
const TX = { from: ALICE, to: BOB, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n, value: 1n }

/** What a caller without types may write. */
type Anything = object | string | number | bigint | boolean | null | undefined

const executor = (options: object = {}) =>
  createExecutor({ fork: 'osaka', chainId: 1n, state: allocated({}), workers: 0, ...options })
const allocated = (account: object) => MemoryState.from({ [ALICE]: { balance: 10n ** 20n, ...account } })
const execute = (request: Anything) => executor().execute(request as never)
const withEnv = (change: object) => execute({ env: { ...ENV, ...change }, transactions: [TX] })
const withTx = (change: object) => execute({ env: ENV, transactions: [TX, { ...TX, nonce: 1n, ...change }] })
const withBatch = (change: object) => {
  const one: TransactionBatch = encodeBatch([
    { ...TX, type: 1, data: '0x1234', accessList: [{ address: BOB, storageKeys: [] }] },
  ])
  return execute({ env: ENV, transactions: { ...one, ...change } })
}
const simulate = (request: object) => executor().simulate({ at: ENV, ...request } as never)
const withCall = (call: Anything) => simulate({ calls: [{ to: BOB }, call] })
const withOverride = (override: Anything) => simulate({ calls: [{ to: BOB }], overrides: { [BOB]: override } })
const withState = (methods: object) =>
  executor({ state: Object.assign(allocated({ code: '0x00' }), methods) }).execute({ env: ENV, transactions: [TX] })
const HEADER = {
  parentHash: `0x${'00'.repeat(32)}`,
  uncleHash: '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347',
  coinbase: BOB,
  stateRoot: createStateTrie({}).root,
  transactionsRoot: `0x${'00'.repeat(32)}`,
  receiptsRoot: `0x${'00'.repeat(32)}`,
  logsBloom: `0x${'00'.repeat(256)}`,
  difficulty: 0n,
  number: 0n,
  gasLimit: 30_000_000n,
  gasUsed: 0n,
  timestamp: 0n,
  extraData: '0x',
  mixHash: `0x${'00'.repeat(32)}`,
  nonce: '0x0000000000000000',
}
const withBlock = (block: object, options?: object) =>
  executor().executeBlock({ header: HEADER, transactions: [], ...block } as never, options as never)
const ATTRIBUTES = { timestamp: 12n, coinbase: BOB, prevRandao: `0x${'00'.repeat(32)}` }
const build = (request: object) =>
  executor().build({
    parent: HEADER,
    attributes: ATTRIBUTES,
    pool: [],
    parentState: createStateTrie({}),
    ...request,
  } as never)
const attributes = (change: object) => build({ attributes: { ...ATTRIBUTES, ...change } })
const stream = (blocks: unknown, options: object = {}) => executor().stream(blocks as never, options as never)

const SIGNED = Uint8Array.of(0xc0)

const WORDS = '2^256 - 1'
const TOO_LONG = 1n << 256n

/** What is done, and the one line that says what is wrong with it. */
const CASES: readonly (readonly [name: string, run: () => unknown, message: string])[] = [
  ['no options', () => createExecutor(undefined as never), 'options must be the options of an executor, got undefined'],
  ['no fork', () => executor({ fork: undefined }), "fork must be one of 'frontier', "],
  ['an unknown fork', () => executor({ fork: 'foo' }), ", 'osaka', got 'foo'"],
  ['a fork in capitals', () => executor({ fork: 'Osaka' }), "got 'Osaka'"],
  ['a chain id as number', () => executor({ chainId: 1 }), `chainId must be a bigint from 0 to ${WORDS}, got 1`],
  ['a chain id below zero', () => executor({ chainId: -1n }), 'chainId must be a bigint'],
  ['a chain id past a word', () => executor({ chainId: TOO_LONG }), 'chainId must be a bigint'],
  ['no state', () => executor({ state: undefined }), 'state must be a State, got undefined'],
  ['a state without methods', () => executor({ state: {} }), 'state.readAccounts must be a function, got undefined'],
  [
    'device null',
    () => executor({ device: null }),
    "device must be a ComputeDevice, 'auto', or a function that opens one, got null",
  ],
  ['a device that is none', () => executor({ device: {} }), 'device must be a ComputeDevice'],
  ['a device by name', () => executor({ device: 'gpu' }), "got 'gpu'"],
  ['range 0', () => executor({ range: 0 }), 'range must be an integer from 1 on, got 0'],
  ['range NaN', () => executor({ range: Number.NaN }), 'range must be an integer from 1 on, got NaN'],
  ['workers below zero', () => executor({ workers: -1 }), 'workers must be an integer from 0 on, got -1'],
  ['half a worker', () => executor({ workers: 1.5 }), 'workers must be an integer from 0 on, got 1.5'],
  ['recordFrom NaN', () => executor({ recordFrom: Number.NaN }), 'recordFrom must be an integer from 1 on, got NaN'],
  [
    'an unknown choice',
    () => executor({ compile: 'foo' }),
    "compile must be one of 'background', 'wait', 'never', got 'foo'",
  ],
  ['laneVm true', () => executor({ laneVm: true }), "laneVm must be one of 'never', 'always', got true"],
  ['senders true', () => executor({ senders: true }), "senders must be one of 'auto', 'device', "],
  [
    'senders by a device that is not there',
    () => executor({ senders: 'device' }),
    "senders: 'device' needs a device and a compile mode other than 'never'",
  ],
  [
    'senders by a device without kernels',
    () => executor({ senders: 'device', device: 'auto', compile: 'never' }),
    "senders: 'device' needs a device and a compile mode other than 'never'",
  ],
  [
    'a sender cache true',
    () => executor({ senderCache: true }),
    'senderCache must be a SenderCache or false, got true',
  ],
  ['an unknown option', () => executor({ lanVm: 'never' }), "there is no option 'lanVm'; did you mean 'laneVm'?"],
  ['an option far from any', () => executor({ turbo: true }), "there is no option 'turbo'; known: fork, "],
  ['no request', () => execute(undefined), 'request must be an object, got undefined'],
  ['an unknown field of the request', () => execute({ env: ENV, txs: [] }), "there is no field of the request 'txs'"],
  ['no environment', () => execute({ transactions: [TX] }), 'env must be a block environment, got undefined'],
  ['an empty environment', () => execute({ env: {}, transactions: [TX] }), 'env.number must be a bigint'],
  ['an unknown field of env', () => withEnv({ difficulty: 1n }), "there is no field of env 'difficulty'"],
  ['a short coinbase', () => withEnv({ coinbase: '0x1' }), "env.coinbase must be 0x and 40 hex digits, got '0x1'"],
  ['a block number as number', () => withEnv({ number: 1 }), 'env.number must be a bigint from 0'],
  ['a gas limit as number', () => withEnv({ gasLimit: 6e7 }), 'env.gasLimit must be a bigint'],
  ['a base fee below zero', () => withEnv({ baseFeePerGas: -1n }), 'env.baseFeePerGas must be a bigint'],
  ['no base fee', () => withEnv({ baseFeePerGas: undefined }), 'env.baseFeePerGas must be a bigint'],
  ['prevRandao as hex', () => withEnv({ prevRandao: `0x${'00'.repeat(32)}` }), 'env.prevRandao must be a bigint'],
  ['prevRandao past a word', () => withEnv({ prevRandao: TOO_LONG }), 'env.prevRandao must be a bigint'],
  ['a time below zero', () => withEnv({ timestamp: -1n }), 'env.timestamp must be a bigint'],
  ['a blob fee NaN', () => withEnv({ blobBaseFee: Number.NaN }), 'env.blobBaseFee must be a bigint'],
  ['maxBlobs NaN', () => withEnv({ maxBlobs: Number.NaN }), 'env.maxBlobs must be an integer from 0 on, got NaN'],
  [
    'explain as text',
    () => execute({ env: ENV, transactions: [], explain: 'yes' }),
    "explain must be true or false, got 'yes'",
  ],
  [
    'a signal that is none',
    () => execute({ env: ENV, transactions: [], signal: {} }),
    'signal must be an AbortSignal, got an object',
  ],
  [
    'no transactions',
    () => execute({ env: ENV }),
    'transactions must be an array of transactions or a TransactionBatch, got undefined',
  ],
  ['transactions as text', () => execute({ env: ENV, transactions: 'abc' }), "a TransactionBatch, got 'abc'"],
  ['transactions as a set', () => execute({ env: ENV, transactions: new Set([TX]) }), 'transactions.count must be'],
  [
    'a transaction null',
    () => execute({ env: ENV, transactions: [null] }),
    'transaction 0: it must be an object, got null',
  ],
  ['signed bytes', () => execute({ env: ENV, transactions: [new Uint8Array(3)] }), '(decodeSigned reads signed bytes)'],
  ['an unknown field', () => withTx({ gas: 1n }), "transaction 1: there is no field 'gas'; did you mean 'gasLimit'?"],
  ['a nonce as number', () => withTx({ nonce: 0 }), 'transaction 1: nonce must be a bigint, got 0'],
  ['a nonce past 64 bits', () => withTx({ nonce: 1n << 64n }), 'transaction 1: nonce must be between 0 and 2^64 - 1'],
  ['gas below zero', () => withTx({ gasLimit: -1n }), 'transaction 1: gasLimit must be between'],
  ['a price past a word', () => withTx({ gasPrice: TOO_LONG }), 'transaction 1: gasPrice must be between'],
  ['no price', () => withTx({ gasPrice: undefined }), 'transaction 1: gasPrice is missing'],
  [
    'two prices',
    () => withTx({ maxFeePerGas: 10n }),
    'transaction 1: maxFeePerGas cannot be given: gasPrice beside it',
  ],
  ['a fee cap of type 0', () => withTx({ type: 0, maxFeePerGas: 10n }), 'a transaction of type 0 has gasPrice'],
  ['a value NaN', () => withTx({ value: Number.NaN }), 'transaction 1: value must be a bigint, got NaN'],
  ['a type NaN', () => withTx({ type: Number.NaN }), 'transaction 1: type must be a number from 0 to 127, got NaN'],
  [
    'odd data',
    () => withTx({ data: '0xabc' }),
    "transaction 1: data must be 0x and an even number of hex digits, got '0xabc'",
  ],
  ['data as bytes', () => withTx({ data: new Uint8Array(3) }), 'got a Uint8Array of 3 bytes'],
  ['data that is no hex', () => withTx({ data: '0xzz' }), 'transaction 1: data has a digit that is not hex'],
  ['no sender', () => withTx({ from: undefined }), 'transaction 1: from must be 0x and 40 hex digits, got undefined'],
  ['to null', () => withTx({ to: null }), 'transaction 1: to must be 0x and 40 hex digits, got null'],
  [
    'an access list without keys',
    () => withTx({ accessList: [{ address: BOB }] }),
    'transaction 1: accessList must be an array of',
  ],
  ['an access list null', () => withTx({ accessList: [null] }), 'transaction 1: accessList must be an array of'],
  [
    'an authorization null',
    () => withTx({ authorizations: [null], gasPrice: 10n }),
    'an authorization must be an object, got null',
  ],
  [
    'a count that lies',
    () => withBatch({ count: 5 }),
    'transactions.type must have 5 elements for 5 transactions, it has 1',
  ],
  [
    'a count NaN',
    () => withBatch({ count: Number.NaN }),
    'transactions.count must be a number of transactions, got NaN',
  ],
  [
    'no offsets',
    () => withBatch({ dataStart: new Uint32Array(0) }),
    'transactions.dataStart must have 2 offsets, it has 0',
  ],
  [
    'offsets past the data',
    () => withBatch({ dataStart: new Uint32Array([0, 999]) }),
    'transactions.dataStart must end at 2 at most',
  ],
  [
    'offsets that fall',
    () => withBatch({ dataStart: new Uint32Array([2, 0]) }),
    'transactions.dataStart must not fall, 0 follows 2',
  ],
  [
    'entries past the list',
    () => withBatch({ accessStart: new Uint32Array([0, 2]) }),
    'transactions.accessStart must end at 1',
  ],
  [
    'keys past the list',
    () => withBatch({ accessKeyStart: new Uint32Array([0, 1]) }),
    'transactions.accessKeyStart must end at 0',
  ],
  [
    'a missing column',
    () => withBatch({ value: undefined }),
    'transactions.value must be a Uint32Array, got undefined',
  ],
  ['a column as array', () => withBatch({ value: [0] }), 'transactions.value must be a Uint32Array, got an array'],
  ['a column of bytes', () => withBatch({ nonce: new Uint8Array(8) }), 'transactions.nonce must be a Uint32Array'],
  [
    'an unknown column',
    () => withBatch({ values: 1 }),
    "there is no column of transactions 'values'; did you mean 'value'?",
  ],
  ['extras as object', () => withBatch({ extras: {} }), 'transactions.extras must be a Map, got an object'],
  [
    'extras of nobody',
    () => withBatch({ extras: new Map([[7, {}]]) }),
    'transactions.extras must be a Map with keys from 0 to 0, got 7',
  ],
  [
    'a blob type without blobs',
    () => withBatch({ type: new Uint8Array([3]) }),
    'must have maxFeePerBlobGas for transaction 0 of type 3',
  ],
  ['a call null', () => withCall(null), 'call 1: it must be an object, got null'],
  [
    'an unknown field of a call',
    () => withCall({ to: BOB, gasLimit: 1n }),
    "call 1: there is no field 'gasLimit'; did you mean 'gas'?",
  ],
  [
    'data and another input',
    () => withCall({ to: BOB, data: '0x01', input: '0x02' }),
    'call 1: data and input must be equal',
  ],
  ['a value of a call', () => withCall({ to: BOB, value: -1n }), 'call 1: value must be between'],
  ['calls as object', () => simulate({ calls: { 0: { to: BOB } } }), "there is no column of calls '0'"],
  ['bundles as text', () => simulate({ bundles: 'x' }), "bundles must be an array of bundles, got 'x'"],
  [
    'a bundle without calls',
    () => simulate({ bundles: [{}] }),
    'bundles[0].calls must be an array of calls, got undefined',
  ],
  ['neither calls nor bundles', () => simulate({}), 'simulate takes either calls or bundles; got neither'],
  ['at below zero', () => simulate({ at: { ...ENV, number: -1n }, calls: [] }), 'at.number must be a bigint'],
  [
    'an unknown override',
    () => withOverride({ stateDif: {} }),
    `override of ${BOB}: there is no field 'stateDif'; did you mean 'stateDiff'?`,
  ],
  ['an override null', () => withOverride(null), `override of ${BOB}: it must be an object, got null`],
  ['a balance past a word', () => withOverride({ balance: TOO_LONG }), `override of ${BOB}: balance must be a bigint`],
  [
    'a slot past a word',
    () => withOverride({ stateDiff: { '0x1': `0x1${'0'.repeat(64)}` } }),
    `override of ${BOB}: the value of 0x1 must be a word`,
  ],
  [
    'an override of nobody',
    () => simulate({ calls: [], overrides: { '0x1': {} } }),
    'override of 0x1: the address must be 0x and 40 hex digits',
  ],
  [
    'a bad address',
    () => MemoryState.from({ '0x1': { balance: 1n } }),
    'the address of an account must be 0x and 40 hex digits',
  ],
  ['an account twice', () => MemoryState.from({ [ALICE]: {}, [ALICE.toUpperCase().replace('0X', '0x')]: {} }), 'twice'],
  [
    'an unknown field of an account',
    () => allocated({ balanc: 1n }),
    `there is no field of ${ALICE} 'balanc'; did you mean 'balance'?`,
  ],
  [
    'a balance as number',
    () => allocated({ balance: 1 }),
    `${ALICE}: balance must be a bigint from 0 to ${WORDS}, got 1`,
  ],
  ['a balance past a word', () => allocated({ balance: TOO_LONG }), `${ALICE}: balance must be a bigint`],
  ['a balance below zero', () => allocated({ balance: -1n }), `${ALICE}: balance must be a bigint`],
  [
    'a nonce past 64 bits',
    () => allocated({ nonce: 1n << 64n }),
    `${ALICE}: nonce must be a bigint from 0 to 2^64 - 1`,
  ],
  [
    'a code hash without its code',
    () => allocated({ codeHash: `0x${'11'.repeat(32)}` }),
    `${ALICE}: codeHash must be that of its code`,
  ],
  ['odd code', () => allocated({ code: '0x123' }), `${ALICE}: code must be 0x and an even number of hex digits`],
  ['a key that is no word', () => allocated({ storage: { foo: '0x1' } }), `${ALICE}: a storage key must be a word`],
  [
    'a key past a word',
    () => allocated({ storage: { [`0x1${'0'.repeat(64)}`]: 5n } }),
    `${ALICE}: a storage key must be a word`,
  ],
  ['no key', () => allocated({ storage: { '': 1n } }), `${ALICE}: a storage key must be a word`],
  ['a slot below zero', () => allocated({ storage: { '0x1': -1n } }), `${ALICE}: the value of 0x1 must be a word`],
  ['a slot as number', () => allocated({ storage: { '0x1': Number.NaN } }), 'got NaN'],
  [
    'a short column of the state',
    () => withState({ readAccounts: () => ({ exists: new Uint8Array(0) }) }),
    'state.readAccounts: exists must have',
  ],
  [
    'no columns',
    () => withState({ readAccounts: () => undefined }),
    'state.readAccounts must be columns of accounts, got undefined',
  ],
  [
    'a column of another kind',
    () => withState({ readAccounts: async (_: Uint32Array, n: number) => ({ exists: new Uint8Array(n), nonce: [] }) }),
    'state.readAccounts: nonce must be a Uint32Array, got an array',
  ],
  [
    'code of another hash',
    () => withState({ readCode: () => new Uint8Array([1]) }),
    'must have this hash, its hash is 0x5fe7f977e71dba2ea1a68e21057beebb9be2ac30c6410aa38d4f3fbe41dcffd2',
  ],
  ['code as text', () => withState({ readCode: () => '0x00' }), "must be a Uint8Array, got '0x00'"],
  ['no header', () => withBlock({ header: undefined }), 'header must be a block header, got undefined'],
  ['an empty header', () => withBlock({ header: {} }), 'header.parentHash must be 0x'],
  ['a header field as number', () => withBlock({ header: { ...HEADER, number: 1 } }), 'header.number must be a bigint'],
  [
    'an unknown header field',
    () => withBlock({ header: { ...HEADER, miner: BOB } }),
    "there is no field of header 'miner'; did you mean 'coinbase'?",
  ],
  ['a block null', () => executor().executeBlock(null as never), 'block must be an object, got null'],
  ...[null, 5, 'x', undefined, TX].flatMap((other) =>
    (
      [
        ['executeBlock', (block: object) => withBlock(block)],
        ['stream', (block: object) => stream([{ header: HEADER, transactions: [], ...block }]).next()],
      ] as const
    ).flatMap(([call, run]) =>
      ['transactions', 'signed'].map(
        (field) =>
          [
            `${call} of ${field} that are bytes and ${String(other)}`,
            () => run({ [field]: [SIGNED, other] }),
            `${field}[1] must be the bytes of a signed transaction, got `,
          ] as const,
      ),
    ),
  ),
  ['an unknown block option', () => withBlock({}, { parentTrie: 1 }), "there is no option 'parentTrie'"],
  [
    'a withdrawal below zero',
    () => withBlock({ withdrawals: [{ index: -1n }] }),
    'withdrawals[0].index must be a bigint',
  ],
  ['a trie that is none', () => withBlock({}, { parentState: {} }), 'parentState must be a StateTrie'],
  [
    'a stream of a number',
    () => stream(5),
    'blocks must be blocks that can be iterated, one after another or as they come, got 5',
  ],
  ['a stream with an expected state', () => stream([], { expectedState: {} }), "there is no option 'expectedState'"],
  ['a stream with nothing ahead', () => stream([], { ahead: 0 }), 'ahead must be 1 to 16, got 0'],
  ['a stream with half a block ahead', () => stream([], { ahead: 1.5 }), 'ahead must be 1 to 16, got 1.5'],
  ['a stream with 17 ahead', () => stream([], { ahead: 17 }), 'ahead must be 1 to 16, got 17'],
  ['a stream with a trie that is none', () => stream([], { parentState: {} }), 'parentState must be a StateTrie'],
  ['no parent', () => build({ parent: undefined }), 'parent must be a block header, got undefined'],
  [
    'no pool',
    () => build({ pool: undefined }),
    'pool must be an array of signed transactions, or their bytes and offsets, got undefined',
  ],
  ['a pool of another length', () => build({ decoded: [TX] }), "decoded must be as many as the pool's 0, got 1"],
  ['no attributes', () => build({ attributes: undefined }), 'attributes must be an object, got undefined'],
  [
    'a time as number',
    () => attributes({ timestamp: 12 }),
    'attributes.timestamp must be a bigint from 0 to 2^64 - 1, got 12',
  ],
  [
    'prevRandao as bigint',
    () => attributes({ prevRandao: 0n }),
    'attributes.prevRandao must be 0x and 64 hex digits, got 0',
  ],
  [
    'extra data too long',
    () => attributes({ extraData: `0x${'00'.repeat(33)}` }),
    'attributes.extraData must be 0x and an even number of hex digits, at most 64',
  ],
  [
    'an unknown attribute',
    () => attributes({ coinBase: BOB }),
    "there is no field of attributes 'coinBase'; did you mean 'coinbase'?",
  ],
  [
    'decodeSigned of text',
    () => decodeSigned(['0x02' as never], { chainId: 1n }),
    'transaction 0: expected the bytes of a signed transaction',
  ],
  [
    'decodeSigned without a chain',
    () => decodeSigned([], undefined as never),
    'options must be an object, got undefined',
  ],
  ['a trie of nothing', () => createStateTrie({ x: 1 } as never), 'x must be an account of a dump, got 1'],
]

describe('input that is wrong is refused in one line', () => {
  test('whatever a package has added to a prototype', async () => {
    Object.defineProperty(Object.prototype, 'toYAML', {
      value: '',
      enumerable: true,
      configurable: true,
      writable: true,
    })
    try {
      const { receipts } = await execute({ env: ENV, transactions: [TX] })
      expect(receipts.count).toBe(1)
    } finally {
      Reflect.deleteProperty(Object.prototype, 'toYAML')
    }
  })

  test.each(CASES)('%s', async (_, run, message) => {
    const thrown = await Promise.resolve()
      .then(run)
      .then(
        () => undefined,
        (error: unknown) => error,
      )
    expect(thrown).toBeInstanceOf(InputError)
    const error = thrown as InputError
    expect(error.message).toContain(message)
    expect(error.message).not.toMatch(/\n/)
    const listed = /^(?:transactions|signed)\[(\d+)\]/.exec(error.message)
    if (listed !== null) expect(error.index).toBe(Number(listed[1]))
    if (/^(transaction|call) \d+:/.test(error.message)) {
      expect(error).toBeInstanceOf(TransactionInputError)
      expect(error.index).toBe(Number(/\d+/.exec(error.message)![0]))
    }
    if (error.message.startsWith('override of')) expect(error).toBeInstanceOf(OverrideError)
  })
})

test('right input at its bounds is taken: words of the block, checksums, empty batches, `input` for `data`', async () => {
  const most = TOO_LONG - 1n
  const env = { number: most, timestamp: most, coinbase: '0x5B38Da6a701c568545dCfcB03FcB875f56beddC4' } as const
  const { receipts, faults } = await executor({ chainId: most }).execute({
    env: { ...ENV, ...env, gasLimit: most, prevRandao: most, blobBaseFee: most },
    transactions: [TX],
  })
  expect(receipts.get(0)?.status).toBe(1)
  expect(faults).toEqual([])
  expect((await executor().execute({ env: ENV, transactions: [] })).receipts.count).toBe(0)
  // Returns its calldata.
  const echo = { overrides: { [BOB]: { code: '0x365f5f37365ff3' } } }
  const calls = [
    { to: BOB, input: '0x1234' },
    { to: BOB, data: '0x1234' },
    { to: BOB, data: '0x1234', input: '0x1234' },
  ]
  const simulated = await executor().simulate({ at: ENV, calls, ...echo })
  for (let i = 0; i < 3; i++) expect(simulated.get(i)?.output).toBe('0x1234')
})
