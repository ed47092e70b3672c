import type { ByFork } from './forks.ts'
import { type Opcode, opcode } from './opcode.ts'

/** The rows that read the frame, the transaction, accounts and the block (0x30 to 0x4a). */

const balanceGas: ByFork = [
  ['frontier', 20],
  ['tangerineWhistle', 400],
  ['istanbul', 700],
  ['berlin', 0],
]
const codeGas: ByFork = [
  ['frontier', 20],
  ['tangerineWhistle', 700],
  ['berlin', 0],
]
const codeHashGas: ByFork = [
  ['constantinople', 400],
  ['istanbul', 700],
  ['berlin', 0],
]

const frame = { reads: ['frame'] } as const
const transaction = { reads: ['transaction'] } as const
const block = { reads: ['block'] } as const

export const ENVIRONMENT_ROWS: readonly Opcode[] = [
  opcode(0x30, 'ADDRESS', 0, 1, 2, 'address of the executing account (YP H)', frame),
  opcode(
    0x31,
    'BALANCE',
    1,
    1,
    balanceGas,
    'balance of an account, 0 where it does not exist (YP H, EIP-150, EIP-1884, EIP-2929)',
    {
      dynamicGas: ['accessAccount'],
      accountOperand: 0,
      reads: ['balance'],
    },
  ),
  opcode(0x32, 'ORIGIN', 0, 1, 2, 'sender of the transaction (YP H)', transaction),
  opcode(0x33, 'CALLER', 0, 1, 2, 'address of the caller (YP H)', frame),
  opcode(0x34, 'CALLVALUE', 0, 1, 2, 'wei sent with the call (YP H)', frame),
  opcode(0x35, 'CALLDATALOAD', 1, 1, 3, '32 bytes of calldata, zero padded (YP H)', { reads: ['calldata'] }),
  opcode(0x36, 'CALLDATASIZE', 0, 1, 2, 'bytes of calldata (YP H)', frame),
  opcode(0x37, 'CALLDATACOPY', 3, 0, 3, 'memory[a ..] = calldata[b .. b + n], zero padded (YP H)', {
    dynamicGas: ['memory', 'copyWord'],
    memory: [{ offset: 0, length: 2 }],
    reads: ['calldata'],
    writes: ['memory'],
  }),
  opcode(0x38, 'CODESIZE', 0, 1, 2, 'bytes of the executing code (YP H)', frame),
  opcode(0x39, 'CODECOPY', 3, 0, 3, 'memory[a ..] = code[b .. b + n], zero padded (YP H)', {
    dynamicGas: ['memory', 'copyWord'],
    memory: [{ offset: 0, length: 2 }],
    reads: ['frame'],
    writes: ['memory'],
  }),
  opcode(0x3a, 'GASPRICE', 0, 1, 2, 'effective wei per gas (YP H, EIP-1559)', transaction),
  opcode(0x3b, 'EXTCODESIZE', 1, 1, codeGas, 'bytes of the code of an account (YP H, EIP-150, EIP-2929)', {
    dynamicGas: ['accessAccount'],
    accountOperand: 0,
    reads: ['code'],
  }),
  opcode(
    0x3c,
    'EXTCODECOPY',
    4,
    0,
    codeGas,
    'memory[b ..] = code of a [c .. c + n], zero padded (YP H, EIP-150, EIP-2929)',
    {
      dynamicGas: ['memory', 'copyWord', 'accessAccount'],
      memory: [{ offset: 1, length: 3 }],
      accountOperand: 0,
      reads: ['code'],
      writes: ['memory'],
    },
  ),
  opcode(0x3d, 'RETURNDATASIZE', 0, 1, 2, 'bytes returned by the last call (EIP-211)', {
    since: 'byzantium',
    reads: ['returndata'],
  }),
  opcode(
    0x3e,
    'RETURNDATACOPY',
    3,
    0,
    3,
    'memory[a ..] = returndata[b .. b + n]; halts where b + n is past its end (EIP-211)',
    {
      since: 'byzantium',
      dynamicGas: ['memory', 'copyWord'],
      memory: [{ offset: 0, length: 2 }],
      reads: ['returndata'],
      writes: ['memory'],
    },
  ),
  opcode(
    0x3f,
    'EXTCODEHASH',
    1,
    1,
    codeHashGas,
    'code hash of an account, 0 where it is empty or absent (EIP-1052, EIP-1884, EIP-2929)',
    {
      since: 'constantinople',
      dynamicGas: ['accessAccount'],
      accountOperand: 0,
      reads: ['code', 'balance'],
    },
  ),
  opcode(0x40, 'BLOCKHASH', 1, 1, 20, 'hash of one of the last 256 blocks, else 0 (YP H)', block),
  opcode(0x41, 'COINBASE', 0, 1, 2, "address of the block's beneficiary (YP H)", block),
  opcode(0x42, 'TIMESTAMP', 0, 1, 2, "the block's time, seconds (YP H)", block),
  opcode(0x43, 'NUMBER', 0, 1, 2, "the block's number (YP H)", block),
  opcode(0x44, 'DIFFICULTY', 0, 1, 2, "the block's difficulty, until Paris (YP H)", block),
  opcode(0x44, 'PREVRANDAO', 0, 1, 2, 'randomness of the previous beacon state (EIP-4399)', {
    ...block,
    since: 'paris',
  }),
  opcode(0x45, 'GASLIMIT', 0, 1, 2, "the block's gas limit (YP H)", block),
  opcode(0x46, 'CHAINID', 0, 1, 2, 'chain id (EIP-1344)', { ...block, since: 'istanbul' }),
  opcode(0x47, 'SELFBALANCE', 0, 1, 5, 'balance of the executing account (EIP-1884)', {
    since: 'istanbul',
    reads: ['balance', 'frame'],
  }),
  opcode(0x48, 'BASEFEE', 0, 1, 2, 'base fee of the block, wei per gas (EIP-3198)', { ...block, since: 'london' }),
  opcode(0x49, 'BLOBHASH', 1, 1, 3, 'versioned hash of a blob of the transaction, 0 past the last (EIP-4844)', {
    ...transaction,
    since: 'cancun',
  }),
  opcode(0x4a, 'BLOBBASEFEE', 0, 1, 2, 'blob base fee of the block, wei per blob gas (EIP-7516)', {
    ...block,
    since: 'cancun',
  }),
]
