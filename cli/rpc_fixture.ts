import { Common, Holesky, Hoodi, Mainnet, Sepolia } from '@ethereumjs/common'
import { type BlockFixture, FIXTURE_SCHEMA, fillState, parseBlockFixture } from '../conformance/block_fixture.ts'
import { checkFixture } from '../conformance/fixture_check.ts'
import { encodeBatch } from '../host/chain/encode_batch.ts'
import { createExecutor } from '../host/flows/executor.ts'
import { MemoryState } from '../host/state/memory_state.ts'
import type { State } from '../host/state/state.ts'
import { type Fork, isAtLeast, isFork } from '../transpiler/spec/forks.ts'
import { UserError } from './fail.ts'
import { type JsonRpc, RpcError } from './json_rpc.ts'
import { existsOf, RpcState, type SlotBefore } from './rpc_state.ts'

export interface FixtureRequest {
  readonly rpc: JsonRpc
  /** As `eth_getBlockByNumber` takes it: a number in hex, or `latest`. */
  readonly block: string
  /** For chains whose forks are not known here. */
  readonly fork: Fork | undefined
  readonly onStep: (what: string) => void
}

export interface MadeFixture {
  readonly name: string
  /** JSON of `evm-block-fixture/1`. */
  readonly json: string
  readonly fixture: BlockFixture
  /** What of the header its replay gives. */
  readonly against: string
}

type Json = Readonly<Record<string, unknown>>

/** Networks whose forks are known, by chain id. */
const CHAINS = new Map([
  [1, { name: 'mainnet', config: Mainnet }],
  [11_155_111, { name: 'sepolia', config: Sepolia }],
  [17_000, { name: 'holesky', config: Holesky }],
  [560_048, { name: 'hoodi', config: Hoodi }],
])

/** Names of @ethereumjs/common for forks that change no rules of execution. */
const SAME_RULES: Readonly<Record<string, Fork>> = {
  chainstart: 'frontier',
  dao: 'homestead',
  muirGlacier: 'istanbul',
  arrowGlacier: 'london',
  grayGlacier: 'london',
  mergeNetsplitBlock: 'paris',
  bpo1: 'osaka',
  bpo2: 'osaka',
  bpo3: 'osaka',
  bpo4: 'osaka',
  bpo5: 'osaka',
}

/** The fork of a block, undefined on a chain that is not known. */
export const forkOfChain = (chainId: number, number: bigint, timestamp: bigint): Fork | undefined => {
  const chain = CHAINS.get(chainId)
  if (chain === undefined) return undefined
  const name = new Common({ chain: chain.config }).getHardforkBy({ blockNumber: number, timestamp })
  return SAME_RULES[name] ?? (isFork(name) ? name : undefined)
}

const BEACON_ROOTS = '0x000f3df6d732807ef1319fb7b8bb8522d0beac02'
const HISTORY = '0x0000f90827f1c53a10cb7a02335b175320002935'
const HISTORY_SLOTS = 8191n

/** What the block's own calls have set before its first transaction (EIP-4788, 2935). */
const systemSlots = (header: Json, fork: Fork): SlotBefore[] => {
  const number = BigInt(String(header['number']))
  const timestamp = BigInt(String(header['timestamp']))
  const slots: SlotBefore[] = []
  if (isAtLeast(fork, 'cancun') && typeof header['parentBeaconBlockRoot'] === 'string') {
    const at = timestamp % HISTORY_SLOTS
    slots.push({ address: BEACON_ROOTS, key: at, value: timestamp })
    slots.push({ address: BEACON_ROOTS, key: at + HISTORY_SLOTS, value: BigInt(header['parentBeaconBlockRoot']) })
  }
  if (isAtLeast(fork, 'prague')) {
    const value = BigInt(String(header['parentHash']))
    slots.push({ address: HISTORY, key: (number - 1n) % HISTORY_SLOTS, value })
  }
  return slots
}

const EXPECTED = ['gasUsed', 'receiptsRoot', 'stateRoot', 'logsBloom', 'transactionsRoot', 'blobGasUsed'] as const

/**
 * A fixture of a block, from an archive node. The block is executed on the node's state, which says what it reads; then
 * once more from the fixture alone. Both have to give the block's header. Throws RpcError and FixtureError.
 */
export const makeFixture = async ({ rpc, block, fork: given, onStep }: FixtureRequest): Promise<MadeFixture> => {
  const chainId = Number(await rpc.call('eth_chainId', []))
  if (!Number.isSafeInteger(chainId)) throw new RpcError('eth_chainId: expected a number in hex')
  const found = await rpc.call('eth_getBlockByNumber', [block, true])
  if (typeof found !== 'object' || found === null) throw new RpcError(`the node has no block ${block}`)
  const whole = found as Json
  const number = BigInt(String(whole['number']))
  if (number === 0n) throw new UserError('--block 0 is the genesis: it has no transactions, and no state before it')
  const fork = given ?? forkOfChain(chainId, number, BigInt(String(whole['timestamp'])))
  if (fork === undefined)
    throw new UserError(`the forks of chain ${chainId} are not known here: name the block's by --fork`)
  const name = `${CHAINS.get(chainId)?.name ?? `chain-${chainId}`}-${number}`
  const header = Object.fromEntries(Object.entries(whole).filter(([, value]) => typeof value === 'string'))
  const draft = {
    schema: FIXTURE_SCHEMA,
    chain: CHAINS.get(chainId)?.name ?? `chain-${chainId}`,
    chainId,
    fork,
    source: 'JSON-RPC of an archive node: eth_getBlockByNumber, and what the transactions read of the state before it',
    header,
    withdrawals: whole['withdrawals'] ?? null,
    uncles: whole['uncles'] ?? [],
    transactions: whole['transactions'],
    expected: Object.fromEntries(EXPECTED.filter((field) => field in header).map((field) => [field, header[field]])),
    pre: {},
    code: {},
    blockHashes: {},
    missingCode: [],
  }
  const read = parseBlockFixture(draft, name)
  onStep(`${name}, ${fork}: ${read.transactions.length} transactions`)
  const state = new RpcState(rpc, `0x${(number - 1n).toString(16)}`, systemSlots(header, fork))
  await execute(read, state, `${name}: the state that the node gives does not lead to the block`)
  const made = { ...draft, ...stateOf(state) }
  const fixture = parseBlockFixture(made, name)
  const against = await execute(fixture, fillState(fixture, new MemoryState()), `${name}: the fixture does not replay`)
  return { name, json: `${JSON.stringify(made, null, 1)}\n`, fixture, against }
}

/** What the header says of the result. Throws RpcError, with `failure`, where the result is another. */
const execute = async (fixture: BlockFixture, state: State, failure: string): Promise<string> => {
  const { fork, chainId, env, transactions } = fixture
  const executor = createExecutor({ fork, chainId, state, workers: 0 })
  try {
    const { receipts } = await executor.execute({ env, transactions: encodeBatch(transactions) })
    const { difference, against } = checkFixture(fixture, receipts)
    if (difference !== undefined) throw new RpcError(`${failure}: ${difference}`)
    if (against === '') throw new RpcError(`${failure}: its header has neither gasUsed nor a receipts root`)
    return against
  } finally {
    executor.close()
  }
}

const hex = (value: bigint): string => `0x${value.toString(16)}`

/** Accounts that exist, with the slots that were read and are not zero. */
const stateOf = ({ accounts, blockHashes }: RpcState) => {
  const pre: Record<string, object> = {}
  const code: Record<string, string> = {}
  for (const [address, account] of [...accounts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!existsOf(account)) continue
    const slots = [...account.storage].filter(([, value]) => value !== 0n).sort(([a], [b]) => (a < b ? -1 : 1))
    pre[address] = {
      balance: hex(account.balance),
      nonce: hex(account.nonce),
      codeHash: account.codeHash,
      storage: Object.fromEntries(slots.map(([key, value]) => [key, hex(value)])),
    }
    if (account.code.length > 0) code[account.codeHash] = `0x${Buffer.from(account.code).toString('hex')}`
  }
  return { pre, code, blockHashes: Object.fromEntries([...blockHashes].map(([at, hash]) => [String(at), hash])) }
}
