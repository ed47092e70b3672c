import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'
import { OUTCOME_EXECUTED, OUTCOME_NONE, STATUS_NONE, STATUS_SUCCESS, TIER_NONE } from '../host/batch/open_batch.ts'
import { TYPE_BLOB, TYPE_DEPOSIT } from '../host/chain/batch.ts'
import {
  CHARGE_REQUEST,
  KIND_LEFT,
  MOST_KINDS,
  MOST_MEASURE,
  OPERATOR_MILLIONTH,
  OPERATOR_NONE,
} from '../host/chain/op/charge_request.ts'
import { TABLE_AT } from '../host/chain/op/fast_lz.ts'
import { REJECTION } from '../host/chain/rejection.ts'
import { LEFT, RULES_REQUEST } from '../host/chain/rules_request.ts'
import { CHUNK } from '../host/primitives/column_request.ts'
import { HEX_REQUEST, HEX_STATES } from '../host/primitives/hex_request.ts'
import { EXECUTION_BYTES, READ_BYTES, STORE_BYTES, SWEEP_REQUEST } from '../host/settle/sweep_request.ts'
import {
  EXISTS,
  HAS_CODE,
  NAME,
  ROW_BALANCE as STORED_BALANCE,
  ROW_NONCE as STORED_NONCE,
  ROW_STORAGE as STORED_STORAGE,
} from '../host/state/memory_rows.ts'
import { STORE_REQUEST } from '../host/state/store_request.ts'
import {
  HOST_CODE,
  HOST_MARKS,
  MARK_EXISTED,
  MARK_NEW_CODE,
  MARK_WRITTEN,
  ROW_BALANCE,
  ROW_FLAGS,
} from '../host/state/tables/account_table.ts'
import { COLLECT_REQUEST, NEW_CODE } from '../host/state/writes/collect_request.ts'
import {
  ENTRY_BALANCE,
  ENTRY_EXISTS,
  ENTRY_READ,
  ENTRY_SEEN,
  RECORD_BEFORE_AT,
  RECORD_LEAST_AT,
  RECORD_PRESENT_AT,
  SLOT_READ,
  SLOT_VECTORS,
  VM_ACCOUNT_VECTORS,
} from '../transpiler/layout/lane_vm.ts'
import { CONDITION_NO_OVERFLOW, CONDITION_NO_UNDERFLOW, CONDITION_SAME_ZERONESS } from '../transpiler/layout/settle.ts'
import {
  ACCOUNT_CODE_SHIFT,
  ACCOUNT_FLAG_EXISTS,
  ACCOUNT_HASH_SEED,
  HASH_MULTIPLIER,
  HASH_SHIFT,
  SLOT_HASH_SEED,
} from '../transpiler/layout/tables.ts'
import { GAS_CALLDATA_ZERO, GAS_FLOOR_TOKEN, GAS_TRANSACTION, TOKENS_PER_NONZERO_BYTE } from '../transpiler/spec/gas.ts'

/**
 * Compiles kernels/columns/*.as, passes over columns in AssemblyScript. The sources have an ending of their own because
 * no other tool reads this dialect of TypeScript. Each imports the numbers that it shares with the host from `layout`,
 * which is made here.
 */
interface Module {
  /** Of kernels/columns. */
  readonly source: string
  readonly path: string
  readonly constant: string
  /** Of the file that uses it, and what it exports. */
  readonly text: string
  /** Places, in bytes. */
  readonly offsets: Readonly<Record<string, number>>
  readonly values: Readonly<Record<string, number>>
}

const VECTOR_BYTES = 16
const HASH_VALUES = { ACCOUNT_HASH_SEED, HASH_MULTIPLIER, HASH_SHIFT, SLOT_HASH_SEED }

const MODULES: readonly Module[] = [
  {
    source: 'sweep',
    path: 'host/settle/sweep_module.generated.ts',
    constant: 'SWEEP_MODULE',
    text: 'The module of column_sweep.ts',
    offsets: {
      ...SWEEP_REQUEST,
      executionBytes: EXECUTION_BYTES,
      readBytes: READ_BYTES,
      storeBytes: STORE_BYTES,
      recordBefore: VECTOR_BYTES * RECORD_BEFORE_AT,
      recordPresent: VECTOR_BYTES * RECORD_PRESENT_AT,
      recordLeast: VECTOR_BYTES * RECORD_LEAST_AT,
      rowFlags: 4 * ROW_FLAGS,
      rowBalance: 4 * ROW_BALANCE,
      hostCode: 4 * HOST_CODE,
      hostMarks: 4 * HOST_MARKS,
    },
    values: {
      ENTRY_BALANCE,
      ENTRY_EXISTS,
      ENTRY_READ,
      ENTRY_SEEN,
      FLAG_EXISTS: ACCOUNT_FLAG_EXISTS,
      MARK_EXISTED,
      MARK_WRITTEN,
      SLOT_READ,
      SLOT_VECTORS,
      VM_ACCOUNT_VECTORS,
      OPERATOR_MILLIONTH,
      OPERATOR_NONE,
      OUTCOME_EXECUTED,
      OUTCOME_NONE,
      STATUS_NONE,
      STATUS_SUCCESS,
      TIER_NONE,
      TYPE_BLOB,
      CONDITION_NO_OVERFLOW,
      CONDITION_NO_UNDERFLOW,
      CONDITION_SAME_ZERONESS,
    },
  },
  {
    source: 'collect',
    path: 'host/state/writes/collect_module.generated.ts',
    constant: 'COLLECT_MODULE',
    text: 'The module of column_writes.ts',
    offsets: {
      ...COLLECT_REQUEST,
      rowFlags: 4 * ROW_FLAGS,
      rowBalance: 4 * ROW_BALANCE,
      hostCode: 4 * HOST_CODE,
      hostMarks: 4 * HOST_MARKS,
    },
    values: { CHUNK, FLAG_EXISTS: ACCOUNT_FLAG_EXISTS, MARK_NEW_CODE, MARK_WRITTEN, NEW_CODE },
  },
  {
    source: 'probe',
    path: 'host/state/tables/probe_module.generated.ts',
    constant: 'PROBE_MODULE',
    text: 'The module of table_probe.ts',
    offsets: { rowFlags: 4 * ROW_FLAGS },
    values: { ...HASH_VALUES, CODE_SHIFT: ACCOUNT_CODE_SHIFT },
  },
  {
    source: 'rules',
    path: 'host/chain/rules_module.generated.ts',
    constant: 'RULES_MODULE',
    text: 'The module of rules_pass.ts',
    offsets: RULES_REQUEST,
    values: {
      GAS_CALLDATA_ZERO,
      GAS_FLOOR_TOKEN,
      GAS_TRANSACTION,
      TOKENS_PER_NONZERO_BYTE,
      LEFT,
      TIP_ABOVE_FEE_CAP: REJECTION.tipAboveFeeCap,
      FEE_CAP_BELOW_BASE_FEE: REJECTION.feeCapBelowBaseFee,
      INSUFFICIENT_FUNDS: REJECTION.insufficientFunds,
      INTRINSIC_GAS: REJECTION.intrinsicGas,
      FLOOR_GAS: REJECTION.floorGas,
      GAS_LIMIT_TOO_HIGH: REJECTION.gasLimitTooHigh,
      NONCE_MAX: REJECTION.nonceMax,
    },
  },
  {
    source: 'charges',
    path: 'host/chain/op/charges_module.generated.ts',
    constant: 'CHARGES_MODULE',
    text: 'The module of charge_pass.ts',
    offsets: CHARGE_REQUEST,
    values: {
      KIND_LEFT,
      MOST_KINDS,
      MOST_MEASURE,
      OPERATOR_MILLIONTH,
      OPERATOR_NONE,
      TYPE_BLOB,
      TYPE_DEPOSIT,
      TYPE_NOT_SUPPORTED: REJECTION.typeNotSupported,
      INSUFFICIENT_FUNDS: REJECTION.insufficientFunds,
    },
  },
  {
    source: 'fastlz',
    path: 'host/chain/op/fastlz_module.generated.ts',
    constant: 'FASTLZ_MODULE',
    text: 'The module of fast_lz.ts',
    offsets: { tableAt: TABLE_AT },
    values: {},
  },
  {
    source: 'hex',
    path: 'host/primitives/hex_module.generated.ts',
    constant: 'HEX_MODULE',
    text: 'The module of packed_hex.ts',
    offsets: HEX_REQUEST,
    values: Object.fromEntries(Object.entries(HEX_STATES).map(([name, state]) => [name.toUpperCase(), state])),
  },
  {
    source: 'store',
    path: 'host/state/store_module.generated.ts',
    constant: 'STORE_MODULE',
    text: 'The module of memory_commit.ts',
    offsets: {
      ...STORE_REQUEST,
      rowStorage: 4 * STORED_STORAGE,
      rowNonce: 4 * STORED_NONCE,
      rowBalance: 4 * STORED_BALANCE,
    },
    values: {
      ...HASH_VALUES,
      EXISTS_BIT: EXISTS,
      HAS_CODE_BIT: HAS_CODE,
      NAME_BITS: NAME,
    },
  },
]

const FOLDER = resolve(dirname(fileURLToPath(import.meta.url)), '../kernels/columns')

const layoutOf = ({ offsets, values }: Module): string =>
  [
    ...Object.entries(offsets).map(([name, at]) => `export const ${screaming(name)}: usize = ${at}\n`),
    ...Object.entries(values).map(([name, value]) => `export const ${name}: u32 = ${value}\n`),
  ].join('')

const screaming = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()

const compiled = async (module: Module): Promise<Uint8Array> => {
  let binary = new Uint8Array(0)
  const read = (name: string): string | null => {
    if (name === 'layout.ts') return layoutOf(module)
    try {
      return readFileSync(resolve(FOLDER, name.replace(/\.ts$/, '.as')), 'utf8')
    } catch {
      return null
    }
  }
  const { error, stderr } = await asc.main(
    [
      `${module.source}.ts`,
      ...['--outFile', 'module.wasm', '-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd,threads'],
      ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
    ],
    {
      readFile: read,
      writeFile: (_name, contents) => {
        binary = Uint8Array.from(contents as Uint8Array)
      },
      listFiles: () => [],
    },
  )
  if (error !== null) throw new Error(`${module.source}.as does not compile: ${stderr.toString()}`, { cause: error })
  return binary
}

const textOf = async (module: Module): Promise<string> => {
  const lines = Buffer.from(await compiled(module))
    .toString('base64')
    .match(/.{1,100}/g)!
  return [
    '// Generated by scripts/column_modules.ts. Do not edit.',
    '',
    `/** ${module.text}, base64: imports a shared memory. */`,
    `export const ${module.constant}: string = [`,
    ...lines.map((line) => `  '${line}',`),
    "].join('')",
    '',
  ].join('\n')
}

export const COLUMN_MODULES = MODULES.map((module) => ({ path: module.path, text: () => textOf(module) }))
