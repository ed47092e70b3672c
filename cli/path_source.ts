import { readProgram } from '../conformance/program_file.ts'
import type { Block } from '../host/chain/batch.ts'
import { decodeTransaction } from '../host/chain/encode_batch.ts'
import type { BlockEnvironment } from '../host/chain/environment.ts'
import { hexToBytes } from '../host/primitives/hex.ts'
import { MemoryState } from '../host/state/memory_state.ts'
import type { RecordedTransaction, RecordState } from '../transpiler/index.ts'
import type { EnvironmentWord } from '../transpiler/layout/environment.ts'
import { type Fork, isAtLeast } from '../transpiler/spec/forks.ts'
import { UserError } from './fail.ts'

/** A transaction to transpile, and the state before it. */
export interface PathSource {
  readonly label: string
  readonly transaction: RecordedTransaction
  readonly state: RecordState
}

/** What the command line says about a bare bytecode's transaction. */
export interface BytecodeCall {
  readonly fork: Fork
  readonly calldata: string
  readonly caller: string
  readonly value: bigint
  readonly gas: number
}

const HEX = /^(0x)?([0-9a-fA-F]{2})*$/
const CODE_ADDRESS = 0xc0de_0000_0000_0000_0001n
/** The most that a path can be recorded with. */
export const MAX_GAS = 2 ** 32 - 1

export const parseHex = (text: string, what: string): Uint8Array => {
  if (!HEX.test(text))
    throw new UserError(`${what} is not hex (0x and an even number of digits): '${text.slice(0, 40)}'`)
  return Uint8Array.from(Buffer.from(text.replace(/^0x/, ''), 'hex'))
}

const ENVIRONMENT: Readonly<Record<EnvironmentWord, bigint>> = {
  number: 24_000_000n,
  timestamp: 1_764_800_000n,
  coinbase: 0x95222290dd7278aa3ddd389cc1e1d165cc4bafe5n,
  prevrandao: 1n,
  gaslimit: 60_000_000n,
  chainid: 1n,
  basefee: 1_000_000_000n,
  blobbasefee: 1n,
}

export const bytecodeSource = (code: Uint8Array, call: BytecodeCall): PathSource[] => [
  {
    label: 'bytecode',
    transaction: {
      fork: call.fork,
      environment: ENVIRONMENT,
      from: BigInt(call.caller),
      to: CODE_ADDRESS,
      value: call.value,
      gasPrice: 2_000_000_000n,
      data: parseHex(call.calldata, '--calldata'),
      gas: call.gas,
    },
    state: {
      account: (address) => (address === CODE_ADDRESS ? { balance: 0n, code } : undefined),
      storage: () => 0n,
    },
  },
]

/** The calls of a program file, each on a fresh copy of its `pre`. Throws FixtureError. */
export const programSources = (file: string, fork: Fork | undefined): PathSource[] => {
  const program = readProgram(file)
  const state = recordStateOf(MemoryState.from(program.pre))
  const environment = {
    ...ENVIRONMENT,
    ...environmentWords(program.env),
    chainid: program.chainId,
  }
  return program.calls.map((call) => ({
    label: `${program.name}: ${call.label}`,
    transaction: {
      fork: fork ?? program.fork,
      environment,
      from: BigInt(call.from),
      to: BigInt(call.to),
      value: call.value ?? 0n,
      gasPrice: environment.basefee,
      data: hexToBytes(call.data),
      gas: call.gas < BigInt(MAX_GAS) ? Number(call.gas) : MAX_GAS,
    },
    state,
  }))
}

const environmentWords = (env: BlockEnvironment) => ({
  number: env.number,
  timestamp: env.timestamp,
  coinbase: BigInt(env.coinbase),
  prevrandao: env.prevRandao,
  gaslimit: env.gasLimit,
  basefee: env.baseFeePerGas,
})

/** A state as the recorder reads it. */
const recordStateOf = (state: MemoryState): RecordState => {
  const hex = (address: bigint): string => `0x${address.toString(16).padStart(40, '0')}`
  return {
    account: (address) => {
      const found = state.account(hex(address))
      return found === undefined ? undefined : { balance: found.balance, code: state.code(found.codeHash) }
    },
    storage: (address, key) => state.storage(hex(address), key),
  }
}

/** One transaction for every (skeleton, selector, calldata size) that a workload's block calls. */
export const blockSources = (
  name: string,
  block: Block,
  state: MemoryState,
  fork: Fork,
  chainId: bigint,
): PathSource[] => {
  const recordState = recordStateOf(state)
  const { env, transactions } = block
  const seen = new Set<string>()
  const sources: PathSource[] = []
  for (let i = 0; i < transactions.count; i++) {
    const transaction = decodeTransaction(transactions, i)
    if (transaction.to === undefined) continue
    const data = transaction.data ?? '0x'
    const account = recordState.account(BigInt(transaction.to))
    if (account === undefined || account instanceof Promise || account.code.length === 0) continue
    const key = `${account.code.length}/${data.slice(0, 10)}/${data.length}`
    if (seen.has(key)) continue
    seen.add(key)
    const base = env.baseFeePerGas
    const tip = transaction.maxPriorityFeePerGas ?? 0n
    const cap = transaction.maxFeePerGas ?? transaction.gasPrice ?? 0n
    sources.push({
      label: `${name}: ${data.slice(0, 10)} on ${transaction.to}`,
      transaction: {
        fork,
        environment: {
          ...ENVIRONMENT,
          ...environmentWords(env),
          chainid: chainId,
          blobbasefee: env.blobBaseFee ?? 1n,
        },
        from: BigInt(transaction.from),
        to: BigInt(transaction.to),
        value: transaction.value ?? 0n,
        gasPrice: isAtLeast(fork, 'london') && base + tip < cap ? base + tip : cap,
        data: parseHex(data, 'calldata'),
        gas: Number(transaction.gasLimit),
      },
      state: recordState,
    })
  }
  return sources
}
