import { readFileSync } from 'node:fs'
import { type At, bytesOf, field, type ObjectAt, objectOf, optional, parseJson } from '../../conformance/json_field.ts'
import { hexToBytes } from '../../host/primitives/hex.ts'
import { splitBody } from './body_rlp.ts'
import { readTextOf } from './tool_streams.ts'
import { readTransactions } from './transactions_json.ts'

/** The name that stands for standard input, in which all inputs that have it are one object. */
const STDIN = 'stdin'

/** What `--input.alloc`, `--input.env` and `--input.txs` name. */
export interface InputNames {
  readonly alloc: string
  readonly env: string
  readonly txs: string
}

/** The inputs, of which the transactions need the chain to be read. */
export interface Inputs {
  readonly alloc: ObjectAt
  readonly env: ObjectAt
  /** As they come over the wire. Throws ToolError and FixtureError. */
  transactions(chainId: bigint): Uint8Array[]
}

/** Reads the files that are named. Throws ToolError and FixtureError. */
export const readInputs = ({ alloc, env, txs }: InputNames, stream: () => string): Inputs => {
  const isRead = [alloc, env, txs].includes(STDIN)
  const stdin = isRead ? objectOf(parseJson(STDIN, readTextOf(STDIN, stream), 'JSON')) : undefined
  const one = (name: string, what: string): ObjectAt =>
    objectOf(
      name === STDIN
        ? field(stdin!, what)
        : parseJson(
            name,
            readTextOf(`${what} file`, () => readFileSync(name, 'utf8')),
            `JSON of the ${what}`,
          ),
    )
  const inputs = { alloc: one(alloc, 'alloc'), env: one(env, 'env') }
  return { ...inputs, transactions: (chainId) => transactionsOf(txs, stdin, chainId) }
}

const transactionsOf = (name: string, stdin: ObjectAt | undefined, chainId: bigint): Uint8Array[] => {
  if (name === STDIN) {
    const body = optional(stdin!, 'txsRlp')
    if (body !== undefined && body.value !== '') return splitBody(hexToBytes(bytesOf(body)))
    return listed(field(stdin!, 'txs'), chainId)
  }
  const at = parseJson(
    name,
    readTextOf('txs file', () => readFileSync(name, 'utf8')),
    'JSON of the transactions',
  )
  return name.endsWith('.rlp') ? splitBody(hexToBytes(bytesOf(at))) : listed(at, chainId)
}

/** Null and nothing are no transactions. */
const listed = (at: At, chainId: bigint): Uint8Array[] =>
  at.value === undefined || at.value === null ? [] : readTransactions(at, chainId)
