import { basename } from 'node:path'
import type { Authorization, TransactionExtras, TransactionObject } from '../host/chain/batch.ts'
import { blobBaseFee, blobParameters } from '../host/chain/blob_schedule.ts'
import type { BlockEnvironment } from '../host/chain/environment.ts'
import type { Withdrawal } from '../host/chain/withdrawals.ts'
import { hexToBytes } from '../host/primitives/hex.ts'
import { EMPTY_CODE_HASH, keccak256Hex } from '../host/primitives/keccak.ts'
import { recoverAuthority } from '../host/senders/recover.ts'
import type { AllocatedAccount, Allocation, MemoryState } from '../host/state/memory_state.ts'
import { type Fork, isAtLeast, isFork } from '../transpiler/spec/forks.ts'
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
  refuse,
  textOf,
  wordOf,
} from './json_field.ts'
import { readJsonFile } from './json_file.ts'

export const FIXTURE_SCHEMA = 'evm-block-fixture/1'

/** What the header of the block says about its execution; empty for a block that comes without. */
export interface FixtureExpectation {
  readonly gasUsed?: bigint
  readonly receiptsRoot?: string
  readonly stateRoot?: string
  readonly logsBloom?: string
  readonly transactionsRoot?: string
  readonly blobGasUsed?: bigint
}

/**
 * A real block with what its transactions touch of the state before it. Addresses and hashes are 0x-hex in lower
 * case.
 */
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
  /** Accounts that exist before the block, and only those that it touches. */
  readonly pre: Allocation
  /** Every code that `pre` names, by its hash. */
  readonly codes: ReadonlyMap<string, Uint8Array>
  readonly blockHashes: ReadonlyMap<bigint, string>
  readonly expected: FixtureExpectation
}

/** Reads `evm-block-fixture/1`, as JSON or gzip of it. Throws FixtureError. */
export const readBlockFixture = (file: string): BlockFixture => {
  const { value } = readJsonFile(file, `JSON, or gzip of it, with schema '${FIXTURE_SCHEMA}'`)
  return parseBlockFixture(value, file)
}

/** The same from parsed JSON; `file` names it in messages. */
export const parseBlockFixture = (value: unknown, file: string): BlockFixture => {
  const root = objectOf({ file, path: '', value })
  const schema = field(root, 'schema')
  if (schema.value !== FIXTURE_SCHEMA) refuse(schema, `'${FIXTURE_SCHEMA}'`)
  const chain = textOf(field(root, 'chain'))
  const chainId = BigInt(indexOf(field(root, 'chainId')))
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
      entriesOf(header).flatMap(([name, at]) => (at.value === null ? [] : [[name, textOf(at)] as const])),
    ),
    withdrawals: optionalList(root, 'withdrawals').map(readWithdrawal),
    transactions: listOf(field(root, 'transactions')).map(readTransaction),
    pre: readAccounts(objectOf(field(root, 'pre')), codes),
    codes,
    blockHashes: new Map(
      entriesOf(objectOf(field(root, 'blockHashes'))).map(([number, at]) => {
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

const QUANTITY = /^0x(0|[1-9a-f][0-9a-f]{0,63})$/
const BLOOM = /^0x[0-9a-fA-F]{512}$/

const optionalList = (parent: ObjectAt, name: string): readonly At[] => {
  const at = optional(parent, name)
  return at === undefined ? [] : listOf(at)
}

const quantityOf = (at: At): bigint => BigInt(matching(at, QUANTITY, 'a quantity (0x-hex without leading zeros)'))

const readCodes = (at: ObjectAt): ReadonlyMap<string, Uint8Array> => {
  const codes = new Map<string, Uint8Array>()
  for (const [hash, code] of entriesOf(at)) {
    const bytes = hexToBytes(bytesOf(code))
    const found = keccak256Hex(bytes)
    if (found !== hash.toLowerCase()) refuse({ ...code, value: found }, 'code whose keccak-256 is its key')
    codes.set(found, bytes)
  }
  return codes
}

const readAccounts = (at: ObjectAt, codes: ReadonlyMap<string, Uint8Array>): Allocation => {
  const accounts: Record<string, AllocatedAccount> = {}
  for (const [address, entry] of entriesOf(at)) {
    addressOf({ ...entry, value: address })
    const account = objectOf(entry)
    const codeHash = hashOf(field(account, 'codeHash'))
    const code = codes.get(codeHash)
    if (code === undefined && codeHash !== EMPTY_CODE_HASH) refuse(field(account, 'codeHash'), 'a hash that `code` has')
    const storage: Record<string, bigint> = {}
    for (const [key, value] of entriesOf(objectOf(field(account, 'storage')))) {
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
    data: bytesOf(field(object, 'input')),
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

const readAuthorization = (at: At): Authorization => {
  const object = objectOf(at)
  const quantity = (name: string): bigint => quantityOf(field(object, name))
  const signed = {
    chainId: quantity('chainId'),
    address: addressOf(field(object, 'address')),
    nonce: quantity('nonce'),
  }
  const signature = { yParity: quantity('yParity'), r: quantity('r'), s: quantity('s') }
  return { ...signed, authority: recoverAuthority(signed, signature), signature }
}
