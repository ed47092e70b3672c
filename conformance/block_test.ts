import { decodeBlock } from '../host/chain/decode_block.ts'
import { type BlobSchedule, type BlockHeader, blobScheduleAt } from '../host/chain/header.ts'
import { hexToBytes } from '../host/primitives/hex.ts'
import type { Allocation } from '../host/state/memory_state.ts'
import type { Fork } from '../transpiler/spec/forks.ts'
import { forkOfTests, TEST_FORKS } from './fork_name.ts'
import { allocationOf } from './json_allocation.ts'
import {
  type At,
  bytesOf,
  entriesOf,
  field,
  hashOf,
  listOf,
  type ObjectAt,
  objectOf,
  optional,
  parseJson,
  refuse,
  textOf,
  wordOf,
} from './json_field.ts'

/** An Ethereum block test: blocks on a genesis, and the state after the last valid one. */
export interface BlockTest {
  readonly file: string
  /** The key of the test in its file. */
  readonly name: string
  readonly fork: Fork
  readonly forkName: string
  readonly chainId: bigint
  readonly blobSchedule: BlobSchedule | undefined
  readonly genesis: BlockHeader
  readonly pre: Allocation
  readonly blocks: readonly TestBlock[]
  readonly lastBlockHash: string
  /** Absent where the test only has its hash. */
  readonly postState: Allocation | undefined
}

export interface TestBlock {
  readonly rlp: Uint8Array
  /** The block may not stand; the names that tests have for why. */
  readonly exception: string | undefined
}

/** Every test of a file of block tests, in the order of the file. Throws FixtureError. */
export const parseBlockTests = (file: string, text: string): BlockTest[] =>
  readBlockTests(parseJson(file, text, 'JSON of block tests'))

/** The same from parsed JSON. */
const readBlockTests = (at: At): BlockTest[] => {
  const tests = entriesOf(objectOf(at))
  if (tests.length === 0) refuse(at, 'at least one test')
  return tests.map(([name, test]) => readBlockTest(name, objectOf(test)))
}

/** The name of a test's fork, and whether it is known. */
export const forkOfBlockTest = (test: ObjectAt): { readonly forkName: string; readonly isKnown: boolean } => {
  const forkName = textOf(field(test, 'network'))
  return { forkName, isKnown: forkOfTests(forkName) !== undefined }
}

export const readBlockTest = (name: string, test: ObjectAt): BlockTest => {
  const network = field(test, 'network')
  const forkName = textOf(network)
  const fork = forkOfTests(forkName)
  if (fork === undefined) return refuse(network, `the name of a fork (${TEST_FORKS.join(', ')})`)
  const config = optional(test, 'config')
  const chainId = config === undefined ? undefined : optional(objectOf(config), 'chainid')
  const genesisAt = field(test, 'genesisRLP')
  const post = optional(test, 'postState')
  return {
    file: test.file,
    name,
    fork,
    forkName,
    chainId: chainId === undefined ? 1n : wordOf(chainId),
    blobSchedule: scheduleOf(config, forkName) ?? blobScheduleAt(fork, 0n, 0n),
    genesis: genesisOf(genesisAt),
    pre: allocationOf(objectOf(field(test, 'pre'))),
    blocks: listOf(field(test, 'blocks')).map((at) => {
      const block = objectOf(at)
      const exception = optional(block, 'expectException')
      return {
        rlp: hexToBytes(bytesOf(field(block, 'rlp'))),
        exception: exception === undefined ? undefined : textOf(exception),
      }
    }),
    lastBlockHash: hashOf(field(test, 'lastblockhash')),
    postState: post === undefined ? undefined : allocationOf(objectOf(post)),
  }
}

const genesisOf = (at: At): BlockHeader => {
  try {
    return decodeBlock(hexToBytes(bytesOf(at))).header
  } catch (thrown) {
    if (!(thrown instanceof Error) || thrown.name !== 'BlockInputError') throw thrown
    return refuse(at, `the RLP of a block (${thrown.message})`)
  }
}

const scheduleOf = (config: At | undefined, forkName: string): BlobSchedule | undefined => {
  const schedules = config === undefined ? undefined : optional(objectOf(config), 'blobSchedule')
  const own = schedules === undefined ? undefined : optional(objectOf(schedules), forkName)
  if (own === undefined) return undefined
  const schedule = objectOf(own)
  return {
    targetBlobs: Number(wordOf(field(schedule, 'target'))),
    maxBlobs: Number(wordOf(field(schedule, 'max'))),
    updateFraction: wordOf(field(schedule, 'baseFeeUpdateFraction')),
  }
}
