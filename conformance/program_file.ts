import type { CallObject } from '../host/chain/call_batch.ts'
import type { BlockEnvironment } from '../host/chain/environment.ts'
import type { AllocatedAccount, Allocation } from '../host/state/memory_state.ts'
import { type Fork, isFork } from '../transpiler/spec/forks.ts'
import {
  type At,
  addressOf,
  bytesOf,
  entriesOf,
  FixtureError,
  field,
  hashOf,
  indexOf,
  listOf,
  type ObjectAt,
  objectOf,
  optional,
  refuse,
  textOf,
  wordOf,
} from './json_field.ts'
import { readJsonFile } from './json_file.ts'

export interface ProgramCall extends CallObject {
  readonly label: string
  readonly from: string
  readonly to: string
  readonly data: string
  readonly gas: bigint
}

/** What a call gives on a fresh copy of `pre`; gas is execution gas. */
export interface ProgramExpectation {
  readonly status: string
  readonly gasUsed: bigint
  readonly output: string | undefined
}

/** A benchmark program: `{ name, fork, env, pre, calls[], expected[] }`, each call on a fresh copy of `pre`. */
export interface Program {
  readonly name: string
  readonly fork: Fork
  readonly chainId: bigint
  readonly env: BlockEnvironment
  readonly pre: Allocation
  readonly calls: readonly ProgramCall[]
  /** By call; empty where the file has none. */
  readonly expected: readonly ProgramExpectation[]
}

const EXPECTATION = 'a program file, JSON with { name, fork, env, pre, calls }'

/** Reads a program as JSON or gzip of it. Throws FixtureError. */
export const readProgram = (file: string): Program => {
  const root = readJsonFile(file, EXPECTATION)
  if (typeof root.value !== 'object' || root.value === null || Array.isArray(root.value))
    throw new FixtureError(file, '', `expected ${EXPECTATION}`)
  const program = objectOf(root)
  const missing = ['name', 'fork', 'env', 'pre', 'calls'].filter((name) => field(program, name).value === undefined)
  if (missing.length > 0) throw new FixtureError(file, missing[0]!, `expected ${EXPECTATION}, got nothing`)
  const env = objectOf(field(program, 'env'))
  const calls = listOf(field(program, 'calls')).map((at) => callOf(objectOf(at)))
  if (calls.length === 0) refuse(field(program, 'calls'), 'at least one call')
  const expected = optional(program, 'expected')
  const expectations = expected === undefined ? [] : listOf(expected).map((at) => expectationOf(objectOf(at)))
  if (expected !== undefined && expectations.length !== calls.length)
    throw new FixtureError(
      file,
      'expected',
      `expected ${calls.length} results, one for each call, got ${expectations.length}`,
    )
  return {
    name: textOf(field(program, 'name')),
    fork: forkOf(field(program, 'fork')),
    chainId: BigInt(indexOf(optional(env, 'chainId') ?? { ...field(env, 'chainId'), value: 1 })),
    env: {
      number: wordOf(field(env, 'number')),
      timestamp: wordOf(field(env, 'timestamp')),
      gasLimit: wordOf(field(env, 'gasLimit')),
      baseFeePerGas: wordOf(field(env, 'baseFee')),
      coinbase: addressOf(field(env, 'coinbase')),
      prevRandao: BigInt(hashOf(field(env, 'prevRandao'))),
    },
    pre: Object.fromEntries(
      entriesOf(objectOf(field(program, 'pre'))).map(([address, at]) => [
        addressOf({ ...at, value: address }),
        accountOf(objectOf(at)),
      ]),
    ),
    calls,
    expected: expectations,
  }
}

const forkOf = (at: At): Fork => {
  const name = textOf(at)
  const fork = name.slice(0, 1).toLowerCase() + name.slice(1)
  return isFork(fork) ? fork : refuse(at, 'the name of a fork, as Osaka')
}

const accountOf = (account: ObjectAt): AllocatedAccount => {
  const [balance, nonce, code, storage] = ['balance', 'nonce', 'code', 'storage'].map((name) => optional(account, name))
  return {
    ...(balance === undefined ? {} : { balance: wordOf(balance) }),
    ...(nonce === undefined ? {} : { nonce: wordOf(nonce) }),
    ...(code === undefined ? {} : { code: bytesOf(code) }),
    ...(storage === undefined
      ? {}
      : {
          storage: Object.fromEntries(
            entriesOf(objectOf(storage)).map(([key, at]) => [String(wordOf({ ...at, value: key })), wordOf(at)]),
          ),
        }),
  }
}

const callOf = (call: ObjectAt): ProgramCall => {
  const value = optional(call, 'value')
  return {
    label: textOf(field(call, 'label')),
    from: addressOf(field(call, 'from')),
    to: addressOf(field(call, 'to')),
    data: bytesOf(field(call, 'data')),
    value: value === undefined ? 0n : wordOf(value),
    gas: wordOf(field(call, 'gasLimit')),
  }
}

const expectationOf = (expectation: ObjectAt): ProgramExpectation => {
  const output = optional(expectation, 'output')
  return {
    status: textOf(field(expectation, 'status')),
    gasUsed: BigInt(indexOf(field(expectation, 'gasUsed'))),
    output: output === undefined ? undefined : bytesOf(output),
  }
}
