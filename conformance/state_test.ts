import type { Authorization, TransactionObject } from '../host/chain/batch.ts'
import { type BlobParameters, blobBaseFee, blobParameters } from '../host/chain/blob_schedule.ts'
import type { BlockEnvironment } from '../host/chain/environment.ts'
import { keccak256Hex } from '../host/primitives/keccak.ts'
import { recoverAuthority } from '../host/senders/recover.ts'
import type { Allocation } from '../host/state/memory_state.ts'
import type { Fork } from '../transpiler/spec/forks.ts'
import { isAtLeast } from '../transpiler/spec/forks.ts'
import { forkOfTests, TEST_FORKS } from './fork_name.ts'
import { allocationOf } from './json_allocation.ts'
import {
  type At,
  addressOf,
  bytesOf,
  entriesOf,
  field,
  hashOf,
  indexOf,
  listOf,
  matching,
  type ObjectAt,
  objectOf,
  optional,
  parseJson,
  refuse,
  textOf,
  wordOf,
} from './json_field.ts'

/** Which of the data, gas limits and values of the test's transaction an entry takes. */
export interface StateTestIndexes {
  readonly data: number
  readonly gas: number
  readonly value: number
}

/**
 * One entry of an Ethereum state test: one transaction on a whole state at one fork, with the state root after it.
 * Forms: execution-spec-tests (`config`, full post-state) and ethereum/tests (`_info`).
 */
export interface StateTestEntry {
  readonly file: string
  /** The key of the test in its file. */
  readonly name: string
  readonly indexes: StateTestIndexes
  readonly fork: Fork
  /** As the file spells it. */
  readonly forkName: string
  readonly chainId: bigint
  readonly env: BlockEnvironment
  readonly pre: Allocation
  /** As it came over the wire, where the test has it so; else in object form. */
  readonly transaction: string | TransactionObject
  readonly sender: string | undefined
  readonly expected: {
    readonly stateRoot: string
    readonly logsHash: string
    /** The transaction may not be included; the names that tests have for why. */
    readonly exception?: string
  }
}

/** Every entry of a file of state tests, in the order of the file. Throws FixtureError. */
export const parseStateTests = (file: string, text: string): StateTestEntry[] =>
  readStateTests(parseJson(file, text, 'JSON of state tests'))

/** The same from parsed JSON. */
const readStateTests = (at: At): StateTestEntry[] => {
  const tests = entriesOf(objectOf(at))
  if (tests.length === 0) refuse(at, 'at least one test')
  return tests.flatMap(([name, test]) => readStateTest(name, objectOf(test)))
}

/**
 * The entries of one test. Told of a fork of an unknown name and the number of its entries, it leaves them out; else it
 * refuses them.
 */
export const readStateTest = (
  name: string,
  test: ObjectAt,
  onUnknownFork?: (forkName: string, entries: number) => void,
): StateTestEntry[] => {
  const env = objectOf(field(test, 'env'))
  const transaction = objectOf(field(test, 'transaction'))
  const pre = allocationOf(objectOf(field(test, 'pre')))
  const config = optional(test, 'config')
  const sender = optional(transaction, 'sender')
  const chainIdAt = config === undefined ? undefined : optional(objectOf(config), 'chainid')
  return entriesOf(objectOf(field(test, 'post'))).flatMap(([forkName, entries]) => {
    const fork = forkOfTests(forkName)
    if (fork === undefined) {
      if (onUnknownFork !== undefined) {
        onUnknownFork(forkName, listOf(entries).length)
        return []
      }
      return refuse({ ...entries, value: forkName }, `the name of a fork (${TEST_FORKS.join(', ')}) as key`)
    }
    const environment = readEnvironment(env, fork, scheduleOf(config, forkName, fork))
    return listOf(entries).map((entryAt): StateTestEntry => {
      const entry = objectOf(entryAt)
      const indexes = readIndexes(objectOf(field(entry, 'indexes')))
      const signed = optional(entry, 'txbytes')
      const exception = optional(entry, 'expectException')
      return {
        file: test.file,
        name,
        indexes,
        fork,
        forkName,
        chainId: chainIdAt === undefined ? 1n : wordOf(chainIdAt),
        env: environment,
        pre,
        transaction: signed === undefined ? readTransaction(transaction, indexes) : bytesOf(signed),
        sender: sender === undefined ? undefined : addressOf(sender),
        expected: {
          stateRoot: hashOf(field(entry, 'hash')),
          logsHash: hashOf(field(entry, 'logs')),
          ...(exception === undefined ? {} : { exception: textOf(exception) }),
        },
      }
    })
  })
}

const readIndexes = (at: ObjectAt): StateTestIndexes => ({
  data: indexOf(field(at, 'data')),
  gas: indexOf(field(at, 'gas')),
  value: indexOf(field(at, 'value')),
})

/** Hash of ancestor `number` in every state test: that of its decimal digits (geth's `vmTestBlockHash`). */
export const stateTestBlockHash = (number: bigint): string => keccak256Hex(new TextEncoder().encode(number.toString()))

const scheduleOf = (config: At | undefined, forkName: string, fork: Fork): BlobParameters | undefined => {
  const schedule = config === undefined ? undefined : optional(objectOf(config), 'blobSchedule')
  const own = schedule === undefined ? undefined : optional(objectOf(schedule), forkName)
  if (own === undefined) return blobParameters(fork, 0n, 0n)
  const parameters = objectOf(own)
  return {
    maxBlobs: Number(wordOf(field(parameters, 'max'))),
    updateFraction: wordOf(field(parameters, 'baseFeeUpdateFraction')),
  }
}

const readEnvironment = (env: ObjectAt, fork: Fork, blobs: BlobParameters | undefined): BlockEnvironment => {
  const word = (name: string, absent?: bigint): bigint => {
    const at = optional(env, name)
    return at === undefined && absent !== undefined ? absent : wordOf(at ?? field(env, name))
  }
  return {
    number: word('currentNumber'),
    timestamp: word('currentTimestamp'),
    coinbase: addressOf(field(env, 'currentCoinbase')),
    gasLimit: word('currentGasLimit'),
    baseFeePerGas: isAtLeast(fork, 'london') ? word('currentBaseFee') : 0n,
    prevRandao: isAtLeast(fork, 'paris') ? word('currentRandom', 0n) : word('currentDifficulty'),
    ...(blobs === undefined
      ? {}
      : { blobBaseFee: blobBaseFee(word('currentExcessBlobGas', 0n), blobs), maxBlobs: blobs.maxBlobs }),
  }
}

/** The transaction from its fields, for tests that do not have it signed. */
const readTransaction = (at: ObjectAt, { data, gas, value }: StateTestIndexes): TransactionObject => {
  const chosen = (name: string, index: number): At => {
    const list = field(at, name)
    return listOf(list)[index] ?? refuse(list, `an array with an element ${index}`)
  }
  const to = matching(field(at, 'to'), /^(0x[0-9a-fA-F]{40}|)$/, "an address, or '' for a creation")
  const lists = optional(at, 'accessLists')
  const list = lists === undefined ? undefined : listOf(lists)[data]
  const accessList = list === undefined || list.value === null ? undefined : listOf(list).map(readAccess)
  const feeCap = optional(at, 'maxFeePerGas')
  const blobHashes = optional(at, 'blobVersionedHashes')
  const authorizations = optional(at, 'authorizationList')
  const type = authorizations !== undefined ? 4 : blobHashes !== undefined ? 3 : feeCap !== undefined ? 2 : 0
  return {
    type: type === 0 && accessList !== undefined ? 1 : type,
    from: addressOf(field(at, 'sender')),
    ...(to === '' ? {} : { to: to.toLowerCase() }),
    nonce: wordOf(field(at, 'nonce')),
    gasLimit: wordOf(chosen('gasLimit', gas)),
    ...(feeCap === undefined
      ? { gasPrice: wordOf(field(at, 'gasPrice')) }
      : { maxFeePerGas: wordOf(feeCap), maxPriorityFeePerGas: wordOf(field(at, 'maxPriorityFeePerGas')) }),
    value: wordOf(chosen('value', value)),
    data: bytesOf(chosen('data', data)),
    ...(accessList === undefined ? {} : { accessList }),
    ...(blobHashes === undefined
      ? {}
      : {
          maxFeePerBlobGas: wordOf(field(at, 'maxFeePerBlobGas')),
          blobVersionedHashes: listOf(blobHashes).map(hashOf),
        }),
    ...(authorizations === undefined ? {} : { authorizations: listOf(authorizations).map(readAuthorization) }),
  }
}

const readAccess = (at: At): NonNullable<TransactionObject['accessList']>[number] => {
  const object = objectOf(at)
  return {
    address: addressOf(field(object, 'address')),
    storageKeys: listOf(field(object, 'storageKeys')).map(hashOf),
  }
}

const readAuthorization = (at: At): Authorization => {
  const object = objectOf(at)
  const word = (name: string): bigint => wordOf(field(object, name))
  const signed = { chainId: word('chainId'), address: addressOf(field(object, 'address')), nonce: word('nonce') }
  const signature = { yParity: wordOf(optional(object, 'yParity') ?? field(object, 'v')), r: word('r'), s: word('s') }
  return { ...signed, authority: recoverAuthority(signed, signature), signature }
}
