import { type BlockFixture, fillState } from '../conformance/block_fixture.ts'
import type { TransactionObject } from '../host/chain/batch.ts'
import type { BlockEnvironment } from '../host/chain/environment.ts'
import { type Receipts, STATUS_REJECTED } from '../host/receipts/receipts.ts'
import { type AllocatedAccount, MemoryState } from '../host/state/memory_state.ts'
import { blockJob, type Job, type Replayer } from './replay.ts'
import type { MergedReplay } from './report/replay_schema.ts'

/** How `mergeBlocks` joins, in words: what the output says. */
const JOINING =
  'one batch per fork and chain, in the order of the block numbers; where blocks disagree about the state before them, the ' +
  'newest value of a slot or code holds, the highest nonce (nonces are renumbered per sender), the sum of the balances of accounts ' +
  'without code and the highest balance of the others; environment of the newest block with the lowest base fee and the gas limits ' +
  'added up. So it is no block of any chain: it is compared with serial execution of the same batch'

const ALONE = 'the only block of its fork and chain: executed as it is'

/** Blocks that can be merged: those of one fork and chain, in ascending order of number. Ascending in time. */
export const mergeableBlocks = (fixtures: readonly BlockFixture[]): readonly (readonly BlockFixture[])[] => {
  const merges = new Map<string, BlockFixture[]>()
  for (const fixture of [...fixtures].sort((a, b) => Number(a.env.timestamp - b.env.timestamp))) {
    const key = `${fixture.chainId} ${fixture.forkName}`
    const group = merges.get(key)
    if (group === undefined) merges.set(key, [fixture])
    else group.push(fixture)
  }
  return [...merges.values()]
}

/**
 * The transactions of blocks of one fork and chain as one batch on a joined state (JOINING). Blocks in ascending order.
 */
export const mergeBlocks = (fixtures: readonly BlockFixture[]): Job => {
  const newest = fixtures.at(-1)!
  const accounts = new Map<string, AllocatedAccount>()
  for (const { pre } of fixtures) {
    for (const [address, account] of Object.entries(pre)) {
      accounts.set(address, joined(accounts.get(address), account))
    }
  }
  const nonces = new Map<string, bigint>()
  const transactions = fixtures
    .flatMap((fixture) => fixture.transactions)
    .map((transaction): TransactionObject => {
      const { from } = transaction
      const nonce = nonces.get(from) ?? accounts.get(from)?.nonce ?? 0n
      nonces.set(from, nonce + 1n)
      return { ...transaction, nonce }
    })
  const codes = new Map(fixtures.flatMap((fixture) => [...fixture.codes]))
  const blockHashes = new Map(fixtures.flatMap((fixture) => [...fixture.blockHashes]))
  return {
    fork: newest.fork,
    chainId: newest.chainId,
    env: joinedEnvironment(fixtures.map(({ env }) => env)),
    state: fillState({ pre: Object.fromEntries(accounts), codes, blockHashes }, new MemoryState()),
    transactions,
    check: () => ({ difference: undefined, against: '' }),
  }
}

const joined = (older: AllocatedAccount | undefined, newer: AllocatedAccount): AllocatedAccount => {
  if (older === undefined) return newer
  const code = newer.code ?? older.code
  const balances = [older.balance ?? 0n, newer.balance ?? 0n] as const
  return {
    balance: code === undefined ? balances[0] + balances[1] : highest(...balances),
    nonce: highest(older.nonce ?? 0n, newer.nonce ?? 0n),
    ...(code === undefined ? {} : { code }),
    storage: { ...older.storage, ...newer.storage },
  }
}

const highest = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const lowest = (values: readonly bigint[]): bigint =>
  values.reduce((least, value) => (highest(least, value) === value ? least : value))

const joinedEnvironment = (blocks: readonly BlockEnvironment[]): BlockEnvironment => {
  const newest = blocks.at(-1)!
  const blobFees = blocks.flatMap(({ blobBaseFee }) => (blobBaseFee === undefined ? [] : [blobBaseFee]))
  return {
    ...newest,
    gasLimit: blocks.reduce((sum, { gasLimit }) => sum + gasLimit, 0n),
    baseFeePerGas: lowest(blocks.map(({ baseFeePerGas }) => baseFeePerGas)),
    ...(blobFees.length === 0 ? {} : { blobBaseFee: lowest(blobFees) }),
    ...(newest.maxBlobs === undefined ? {} : { maxBlobs: blocks.reduce((sum, { maxBlobs = 0 }) => sum + maxBlobs, 0) }),
  }
}

/**
 * Runs the blocks of one fork and chain: first each block by itself, once and checked against its header, which records
 * its paths and tells how its transactions end there; then all of them as one batch, measured and compared with serial
 * execution of that batch. A block that is alone of its fork and chain runs as it is.
 */
export const replayMerged = async (replayer: Replayer, fixtures: readonly BlockFixture[]): Promise<MergedReplay> => {
  const { chain, forkName } = fixtures[0]!
  const origin = { fork: forkName, chain, blocks: fixtures.map(({ name }) => name) }
  if (fixtures.length === 1) {
    const { run, receipts } = await replayer.run(blockJob(fixtures[0]!))
    const rejected = receipts.status.reduce((sum, status) => sum + (status === STATUS_REJECTED ? 1 : 0), 0)
    return { ...run, ...origin, asInOwnBlock: run.txCount, rejected, joining: ALONE }
  }
  const own: Receipts[] = []
  let difference: string | undefined
  for (const fixture of fixtures) {
    const alone = await replayer.once(fixture)
    own.push(alone.receipts)
    if (alone.difference !== undefined) difference ??= `${fixture.name} by itself: ${alone.difference}`
  }
  const { run, receipts } = await replayer.run(mergeBlocks(fixtures))
  let asInOwnBlock = 0
  let rejected = 0
  let at = 0
  for (const before of own) {
    for (let i = 0; i < before.count; i++, at++) {
      if (receipts.status[at] === STATUS_REJECTED) rejected++
      if (receipts.status[at] === before.status[i] && receipts.gasUsed[at] === before.gasUsed[i]) asInOwnBlock++
    }
  }
  return {
    ...run,
    ...(difference === undefined ? {} : { verdict: 'different', verification: difference }),
    ...origin,
    asInOwnBlock,
    rejected,
    joining: JOINING,
  }
}
