import type { ByFork } from './forks.ts'
import { type Opcode, opcode } from './opcode.ts'

/** The rows that open or close frames: STOP, calls, creations, returns, halts (0x00, 0xf0 to 0xff). */

const callGas: ByFork = [
  ['frontier', 40],
  ['tangerineWhistle', 700],
  ['berlin', 0],
]
const delegateCallGas: ByFork = [
  ['homestead', 40],
  ['tangerineWhistle', 700],
  ['berlin', 0],
]
const staticCallGas: ByFork = [
  ['byzantium', 700],
  ['berlin', 0],
]
const selfdestructGas: ByFork = [
  ['frontier', 0],
  ['tangerineWhistle', 5000],
]

const call = {
  dynamicGas: ['memory', 'accessAccount', 'call'],
  accountOperand: 1,
  reads: ['memory', 'code', 'balance', 'gas', 'frame'],
  writes: ['memory', 'returndata', 'balance'],
} as const satisfies Partial<Opcode>
const valueCall = {
  ...call,
  memory: [
    { offset: 3, length: 4 },
    { offset: 5, length: 6 },
  ],
} as const satisfies Partial<Opcode>
const plainCall = {
  ...call,
  reads: ['memory', 'code', 'gas', 'frame'],
  writes: ['memory', 'returndata'],
  memory: [
    { offset: 2, length: 3 },
    { offset: 4, length: 5 },
  ],
} as const satisfies Partial<Opcode>
const create = {
  memory: [{ offset: 1, length: 2 }],
  reads: ['memory', 'balance', 'code', 'gas', 'frame'],
  writes: ['balance', 'nonce', 'code', 'returndata'],
  staticForbidden: true,
} as const satisfies Partial<Opcode>
const result = { dynamicGas: ['memory'], memory: [{ offset: 0, length: 1 }], reads: ['memory'] } as const

export const FRAME_ROWS: readonly Opcode[] = [
  opcode(0x00, 'STOP', 0, 0, 0, 'ends the frame without output; also what stands past the end of code (YP H)', {
    ends: 'stop',
  }),
  opcode(0xf0, 'CREATE', 3, 1, 32000, 'creates a contract at keccak(rlp(sender, nonce)) (YP H, EIP-3860)', {
    ...create,
    dynamicGas: ['memory', 'initcodeWord', 'create'],
  }),
  opcode(
    0xf1,
    'CALL',
    7,
    1,
    callGas,
    'gas, to, value, in, inLength, out, outLength: runs another account (YP H, EIP-150, EIP-2929)',
    valueCall,
  ),
  opcode(
    0xf2,
    'CALLCODE',
    7,
    1,
    callGas,
    "as CALL, but the code runs on the caller's account (YP H, EIP-150, EIP-2929)",
    valueCall,
  ),
  opcode(0xf3, 'RETURN', 2, 0, 0, 'ends the frame with output memory[a .. a + n] (YP H)', {
    ...result,
    ends: 'return',
  }),
  opcode(
    0xf4,
    'DELEGATECALL',
    6,
    1,
    delegateCallGas,
    'gas, to, in, inLength, out, outLength: foreign code with our account, caller and value (EIP-7, EIP-150, EIP-2929)',
    {
      ...plainCall,
      since: 'homestead',
    },
  ),
  opcode(
    0xf5,
    'CREATE2',
    4,
    1,
    32000,
    'creates a contract at keccak(0xff, sender, salt, keccak(initcode)) (EIP-1014, EIP-3860)',
    {
      ...create,
      since: 'constantinople',
      dynamicGas: ['memory', 'keccakWord', 'initcodeWord', 'create'],
    },
  ),
  opcode(
    0xfa,
    'STATICCALL',
    6,
    1,
    staticCallGas,
    'gas, to, in, inLength, out, outLength: a call that may not change state (EIP-214, EIP-2929)',
    {
      ...plainCall,
      since: 'byzantium',
    },
  ),
  opcode(0xfd, 'REVERT', 2, 0, 0, 'ends the frame with output, drops its effects, keeps its gas left (EIP-140)', {
    ...result,
    since: 'byzantium',
    ends: 'revert',
  }),
  opcode(0xfe, 'INVALID', 0, 0, 0, 'halts and consumes all gas (EIP-141)', { ends: 'invalid' }),
  opcode(
    0xff,
    'SELFDESTRUCT',
    1,
    0,
    selfdestructGas,
    'sends the balance away; deletes the account, since Cancun only one created in the same transaction (YP H, EIP-150, EIP-6780)',
    {
      dynamicGas: ['accessAccount', 'selfdestruct'],
      accountOperand: 0,
      reads: ['balance', 'frame'],
      writes: ['balance', 'code', 'storage'],
      ends: 'selfdestruct',
      staticForbidden: true,
    },
  ),
]
