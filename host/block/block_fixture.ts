import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type Fork, isAtLeast, isFork } from '../../transpiler/spec/forks.ts'
import { EMPTY_CODE_HASH, keccak256, keccak256Hex } from '../state/keccak.ts'
import type { AllocatedAccount, Allocation, MemoryState } from '../state/memory_state.ts'
import { rlpHex, rlpInteger, rlpList } from '../state/rlp.ts'
import type { Authorization, TransactionExtras, TransactionObject } from './batch.ts'
import { blobBaseFee, blobParameters } from './blob_schedule.ts'
import { bytesToHex, hexToBytes } from './encode_batch.ts'
import type { BlockEnvironment } from './environment.ts'
import { addressOfPublicKey, HALF_ORDER, recoverPublicKey } from './recover.ts'
import type { Withdrawal } from './withdrawals.ts'

export const FIXTURE_SCHEMA = 'evm-block-fixture/1'

/** An authorization with what its authority was recovered from, which the serial reference needs. */
export interface SignedAuthorization extends Authorization {
  readonly signature: { readonly yParity: bigint; readonly r: bigint; readonly s: bigint }
}

/** What the header of the block says about its execution; empty for a block that comes without. */
export interface FixtureExpectation {
  readonly gasUsed?: bigint
  readonly receiptsRoot?: string
  readonly stateRoot?: string
  readonly logsBloom?: string
  readonly transactionsRoot?: string
  readonly blobGasUsed?: bigint
}

/** A real block with what its transactions touch of the state in front of it. Addresses and hashes are 0x-hex in lower case. */
export interface BlockFixture {
  readonly file: string
  /** The file without its folder and endings, as `mainnet-46147`. */
  readonly name: string
  readonly chain: string
  readonly chainId: bigint
  /** Rules of the block: those of an OP-stack block are Prague's. */
  readonly fork: Fork
  /** `fork` as the file says it. */
  readonly forkName: string
  readonly env: BlockEnvironment
  /** Header fields as the file has them; absent ones are left out. */
  readonly header: Readonly<Record<string, string>>
  /** Empty before Shanghai too. */
  readonly withdrawals: readonly Withdrawal[]
  readonly transactions: readonly TransactionObject[]
  /** Accounts that exist in front of the block, and only those that it touches. */
  readonly pre: Allocation
  /** Every code that `pre` names, by its hash. */
  readonly codes: ReadonlyMap<string, Uint8Array>
  readonly blockHashes: ReadonlyMap<bigint, string>
  readonly expected: FixtureExpectation
}

/** A fixture that cannot be read or used: one line that names file, field and expectation. */
export class FixtureError extends Error {
  override readonly name = 'FixtureError'
  readonly file: string
  readonly field: string

  constructor(file: string, field: string, problem: string) {
    super(field === '' ? `${file}: ${problem}` : `${file}: ${field}: ${problem}`)
    this.file = file
    this.field = field
  }
}

/** Reads `evm-block-fixture/1`, as JSON or gzip of it. Throws FixtureError. */
export const readBlockFixture = (file: string): BlockFixture => {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(file)
  } catch (thrown) {
    throw new FixtureError(file, '', `cannot be read (${(thrown as NodeJS.ErrnoException).code ?? String(thrown)})`)
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes)
    } catch (thrown) {
      throw new FixtureError(file, '', `expected whole gzip data: ${(thrown as Error).message}`)
    }
  }
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(bytes))
  } catch (thrown) {
    const reason = (thrown as Error).message.replaceAll(/\s+/g, ' ').slice(0, 120)
    throw new FixtureError(file, '', `expected JSON, or gzip of it, with schema '${FIXTURE_SCHEMA}': ${reason}`)
  }
  return parseBlockFixture(value, file)
}

/** The same from parsed JSON; `file` names it in messages. */
export const parseBlockFixture = (value: unknown, file: string): BlockFixture => {
  const root = objectOf({ file, path: '', value })
  const schema = field(root, 'schema')
  if (schema.value !== FIXTURE_SCHEMA) refuse(schema, `'${FIXTURE_SCHEMA}'`)
  const chain = textOf(field(root, 'chain'))
  const chainId = BigInt(wholeOf(field(root, 'chainId')))
  const forkName = textOf(field(root, 'fork'))
  const fork = forkName === 'op-stack' ? 'prague' : forkName
  if (!isFork(fork)) return refuse(field(root, 'fork'), 'the name of a fork (frontier to osaka, or op-stack)')
  const missing = optionalList(root, 'missingCode')
  if (missing.length > 0) return refuse(missing[0]!, 'no missing code: a block is replayed with every code it names')
  const header = objectOf(field(root, 'header'))
  const codes = readCodes(objectOf(field(root, 'code')))
  return {
    file,
    name: basename(file).replace(/\.json(\.gz)?$/, ''),
    chain,
    chainId,
    fork,
    forkName,
    env: readEnvironment(header, fork, chainId),
    header: Object.fromEntries(
      entries(header).flatMap(([name, at]) => (at.value === null ? [] : [[name, textOf(at)] as const])),
    ),
    withdrawals: optionalList(root, 'withdrawals').map(readWithdrawal),
    transactions: listOf(field(root, 'transactions')).map(readTransaction),
    pre: readAccounts(objectOf(field(root, 'pre')), codes),
    codes,
    blockHashes: new Map(
      entries(objectOf(field(root, 'blockHashes'))).map(([number, at]) => {
        if (!/^(\d+|0x[0-9a-f]+)$/.test(number)) refuse({ ...at, value: number }, 'a block number as key')
        return [BigInt(number), hashOf(at)] as const
      }),
    ),
    expected: readExpectation(objectOf(field(root, 'expected'))),
  }
}

/** Puts what the fixture knows into `state`, which is returned. */
export const fillState = <S extends Pick<MemoryState, 'addCode' | 'setAccount' | 'setBlockHash'>>(
  { pre, codes, blockHashes }: Pick<BlockFixture, 'pre' | 'codes' | 'blockHashes'>,
  state: S,
): S => {
  for (const code of codes.values()) state.addCode(code)
  for (const [address, account] of Object.entries(pre)) state.setAccount(address, account)
  for (const [number, hash] of blockHashes) state.setBlockHash(number, hash)
  return state
}

/** A value of the file and where it stands. */
interface At {
  readonly file: string
  readonly path: string
  readonly value: unknown
}

type ObjectAt = At & { readonly value: Readonly<Record<string, unknown>> }

const QUANTITY = /^0x(0|[1-9a-f][0-9a-f]{0,63})$/
const HASH = /^0x[0-9a-fA-F]{64}$/
const ADDRESS = /^0x[0-9a-fA-F]{40}$/
const BYTES = /^0x([0-9a-fA-F]{2})*$/
const BLOOM = /^0x[0-9a-fA-F]{512}$/

const refuse = ({ file, path, value }: At, expectation: string): never => {
  const shown = value === undefined ? 'nothing' : JSON.stringify(value)
  throw new FixtureError(
    file,
    path,
    `expected ${expectation}, got ${shown.length > 60 ? `${shown.slice(0, 60)}...` : shown}`,
  )
}

const field = (parent: ObjectAt, name: string): At => ({
  file: parent.file,
  path: parent.path === '' ? name : `${parent.path}.${name}`,
  value: Object.hasOwn(parent.value, name) ? parent.value[name] : undefined,
})

/** A field that may be absent or null. */
const optional = (parent: ObjectAt, name: string): At | undefined => {
  const at = field(parent, name)
  return at.value === undefined || at.value === null ? undefined : at
}

const objectOf = (at: At): ObjectAt => {
  const { value } = at
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(at, 'an object')
  return { ...at, value: value as Readonly<Record<string, unknown>> }
}

const entries = (at: ObjectAt): (readonly [string, At])[] =>
  Object.keys(at.value).map((name) => [name, field(at, name)] as const)

const listOf = (at: At): readonly At[] => {
  if (!Array.isArray(at.value)) return refuse(at, 'an array')
  return at.value.map((value: unknown, i) => ({ file: at.file, path: `${at.path}[${i}]`, value }))
}

const optionalList = (parent: ObjectAt, name: string): readonly At[] => {
  const at = optional(parent, name)
  return at === undefined ? [] : listOf(at)
}

const matching = (at: At, pattern: RegExp, expectation: string): string =>
  typeof at.value === 'string' && pattern.test(at.value) ? at.value : refuse(at, expectation)

const textOf = (at: At): string => (typeof at.value === 'string' ? at.value : refuse(at, 'a string'))

const quantityOf = (at: At): bigint => BigInt(matching(at, QUANTITY, 'a quantity (0x-hex without leading zeros)'))

const wholeOf = (at: At): number =>
  typeof at.value === 'number' && Number.isSafeInteger(at.value) && at.value >= 0
    ? at.value
    : refuse(at, 'a whole number')

const hashOf = (at: At): string => matching(at, HASH, '0x and 64 hex digits').toLowerCase()
const addressOf = (at: At): string => matching(at, ADDRESS, 'an address (0x and 40 hex digits)').toLowerCase()
const bytesOf = (at: At): string => matching(at, BYTES, 'bytes (0x and an even number of hex digits)')

const readCodes = (at: ObjectAt): ReadonlyMap<string, Uint8Array> => {
  const codes = new Map<string, Uint8Array>()
  for (const [hash, code] of entries(at)) {
    const bytes = hexToBytes(bytesOf(code))
    const found = keccak256Hex(bytes)
    if (found !== hash.toLowerCase()) refuse({ ...code, value: found }, 'code whose keccak-256 is its key')
    codes.set(found, bytes)
  }
  return codes
}

const readAccounts = (at: ObjectAt, codes: ReadonlyMap<string, Uint8Array>): Allocation => {
  const accounts: Record<string, AllocatedAccount> = {}
  for (const [address, entry] of entries(at)) {
    addressOf({ ...entry, value: address })
    const account = objectOf(entry)
    const codeHash = hashOf(field(account, 'codeHash'))
    const code = codes.get(codeHash)
    if (code === undefined && codeHash !== EMPTY_CODE_HASH) refuse(field(account, 'codeHash'), 'a hash that `code` has')
    const storage: Record<string, bigint> = {}
    for (const [key, value] of entries(objectOf(field(account, 'storage')))) {
      wordOf({ ...value, value: key })
      storage[key] = wordOf(value)
    }
    accounts[address.toLowerCase()] = {
      balance: quantityOf(field(account, 'balance')),
      nonce: quantityOf(field(account, 'nonce')),
      ...(code === undefined ? {} : { code }),
      storage,
    }
  }
  return accounts
}

const wordOf = (at: At): bigint => BigInt(matching(at, /^0x[0-9a-fA-F]{1,64}$/, 'a word (0x and 1 to 64 hex digits)'))

const readEnvironment = (header: ObjectAt, fork: Fork, chainId: bigint): BlockEnvironment => {
  const timestamp = quantityOf(field(header, 'timestamp'))
  const blobs = blobParameters(fork, chainId, timestamp)
  return {
    number: quantityOf(field(header, 'number')),
    timestamp,
    coinbase: addressOf(field(header, 'miner')),
    gasLimit: quantityOf(field(header, 'gasLimit')),
    baseFeePerGas: isAtLeast(fork, 'london') ? quantityOf(field(header, 'baseFeePerGas')) : 0n,
    prevRandao: isAtLeast(fork, 'paris')
      ? BigInt(hashOf(field(header, 'mixHash')))
      : quantityOf(field(header, 'difficulty')),
    ...(blobs === undefined
      ? {}
      : { blobBaseFee: blobBaseFee(quantityOf(field(header, 'excessBlobGas')), blobs), maxBlobs: blobs.maxBlobs }),
  }
}

const readExpectation = (at: ObjectAt): FixtureExpectation => {
  const gasUsed = optional(at, 'gasUsed')
  const receiptsRoot = optional(at, 'receiptsRoot')
  const stateRoot = optional(at, 'stateRoot')
  const logsBloom = optional(at, 'logsBloom')
  const transactionsRoot = optional(at, 'transactionsRoot')
  const blobGasUsed = optional(at, 'blobGasUsed')
  return {
    ...(gasUsed === undefined ? {} : { gasUsed: quantityOf(gasUsed) }),
    ...(receiptsRoot === undefined ? {} : { receiptsRoot: hashOf(receiptsRoot) }),
    ...(stateRoot === undefined ? {} : { stateRoot: hashOf(stateRoot) }),
    ...(logsBloom === undefined
      ? {}
      : { logsBloom: matching(logsBloom, BLOOM, 'a bloom (0x and 512 hex digits)').toLowerCase() }),
    ...(transactionsRoot === undefined ? {} : { transactionsRoot: hashOf(transactionsRoot) }),
    ...(blobGasUsed === undefined ? {} : { blobGasUsed: quantityOf(blobGasUsed) }),
  }
}

const readWithdrawal = (at: At): Withdrawal => {
  const object = objectOf(at)
  return {
    index: quantityOf(field(object, 'index')),
    validatorIndex: quantityOf(field(object, 'validatorIndex')),
    address: addressOf(field(object, 'address')),
    amount: quantityOf(field(object, 'amount')),
  }
}

const TYPES = [0, 1, 2, 3, 4, 0x7e] as const

const readTransaction = (at: At): TransactionObject => {
  const object = objectOf(at)
  const typeAt = optional(object, 'type')
  const number = typeAt === undefined ? 0 : Number(quantityOf(typeAt))
  const type = TYPES.find((known) => known === number)
  if (typeAt !== undefined && type === undefined) return refuse(typeAt, 'a transaction type (0x0 to 0x4, or 0x7e)')
  const to = optional(object, 'to')
  const accesses = optionalList(object, 'accessList').map(readAccess)
  if (type === 0 && accesses.length > 0) {
    refuse(field(object, 'accessList'), 'no access list in a transaction of type 0x0')
  }
  const paysCaps = type === 2 || type === 3 || type === 4
  return {
    type: type!,
    from: addressOf(field(object, 'from')),
    ...(to === undefined ? {} : { to: addressOf(to) }),
    nonce: quantityOf(field(object, 'nonce')),
    gasLimit: quantityOf(field(object, 'gas')),
    ...(paysCaps
      ? {
          maxFeePerGas: quantityOf(field(object, 'maxFeePerGas')),
          maxPriorityFeePerGas: quantityOf(field(object, 'maxPriorityFeePerGas')),
        }
      : { gasPrice: quantityOf(field(object, 'gasPrice')) }),
    value: quantityOf(field(object, 'value')),
    data: bytesOf(field(object, 'input')).toLowerCase(),
    ...(accesses.length > 0 ? { accessList: accesses } : {}),
    ...readExtras(object, type!),
  }
}

const readExtras = (object: ObjectAt, type: number): TransactionExtras => {
  switch (type) {
    case 3:
      return {
        maxFeePerBlobGas: quantityOf(field(object, 'maxFeePerBlobGas')),
        blobVersionedHashes: listOf(field(object, 'blobVersionedHashes')).map(hashOf),
      }
    case 4:
      return { authorizations: listOf(field(object, 'authorizationList')).map(readAuthorization) }
    case 0x7e: {
      const isSystem = optional(object, 'isSystemTx')
      if (isSystem !== undefined && typeof isSystem.value !== 'boolean') refuse(isSystem, 'true or false')
      return {
        deposit: {
          sourceHash: hashOf(field(object, 'sourceHash')),
          mint: quantityOf(field(object, 'mint')),
          isSystem: isSystem?.value === true,
        },
      }
    }
    default:
      return {}
  }
}

const readAccess = (at: At): NonNullable<TransactionObject['accessList']>[number] => {
  const object = objectOf(at)
  return {
    address: addressOf(field(object, 'address')),
    storageKeys: listOf(field(object, 'storageKeys')).map(hashOf),
  }
}

/** EIP-7702: the authority signs keccak-256 of 0x05 and the list of chain id, address and nonce. */
const readAuthorization = (at: At): SignedAuthorization => {
  const object = objectOf(at)
  const chainId = quantityOf(field(object, 'chainId'))
  const address = addressOf(field(object, 'address'))
  const nonce = quantityOf(field(object, 'nonce'))
  const yParity = quantityOf(field(object, 'yParity'))
  const r = quantityOf(field(object, 'r'))
  const s = quantityOf(field(object, 's'))
  const list = rlpList([rlpInteger(chainId), rlpHex(address), rlpInteger(nonce)])
  const signature = hexToBytes(`0x${r.toString(16).padStart(64, '0')}${s.toString(16).padStart(64, '0')}`)
  const key =
    yParity > 1n || s > HALF_ORDER
      ? undefined
      : recoverPublicKey(keccak256(Uint8Array.of(0x05, ...list)), signature, yParity === 0n ? 0 : 1)
  return {
    chainId,
    address,
    nonce,
    authority: key === undefined ? undefined : bytesToHex(addressOfPublicKey(key)),
    signature: { yParity, r, s },
  }
}
