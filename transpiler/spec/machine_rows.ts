import type { ByFork } from './forks.ts'
import { GAS_LOG, GAS_LOG_TOPIC } from './gas.ts'
import { type Opcode, opcode } from './opcode.ts'

/** The rows of the machine itself: hashing, stack, memory, storage, jumps, logs (0x20, 0x50 to 0xa4). */

const loadGas: ByFork = [
  ['frontier', 50],
  ['tangerineWhistle', 200],
  ['istanbul', 800],
  ['berlin', 0],
]

const word = [{ offset: 0, lengthBytes: 32 }] as const
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n)

const PUSH_ROWS = range(32).map((n) =>
  opcode(
    0x60 + n,
    `PUSH${n + 1}`,
    0,
    1,
    3,
    `the ${n + 1} immediate bytes, big-endian; zeros past the end of code (YP H)`,
    {
      immediateBytes: n + 1,
    },
  ),
)
const DUP_ROWS = range(16).map((n) =>
  opcode(0x80 + n, `DUP${n + 1}`, n + 1, n + 2, 3, `a copy of stack item ${n + 1} on top (YP H)`),
)
const SWAP_ROWS = range(16).map((n) =>
  opcode(0x90 + n, `SWAP${n + 1}`, n + 2, n + 2, 3, `exchanges the top with stack item ${n + 2} (YP H)`),
)
const LOG_ROWS = range(5).map((n) =>
  opcode(
    0xa0 + n,
    `LOG${n}`,
    n + 2,
    0,
    GAS_LOG + n * GAS_LOG_TOPIC,
    `logs memory[a .. a + n] with ${n} topics (YP H)`,
    {
      dynamicGas: ['memory', 'logByte'],
      memory: [{ offset: 0, length: 1 }],
      reads: ['memory', 'frame'],
      writes: ['log'],
      staticForbidden: true,
    },
  ),
)

export const MACHINE_ROWS: readonly Opcode[] = [
  opcode(0x20, 'KECCAK256', 2, 1, 30, 'keccak-256 of memory[a .. a + n] (YP H)', {
    dynamicGas: ['memory', 'keccakWord'],
    memory: [{ offset: 0, length: 1 }],
    reads: ['memory'],
  }),
  opcode(0x50, 'POP', 1, 0, 2, 'drops the top (YP H)'),
  opcode(0x51, 'MLOAD', 1, 1, 3, 'the word at memory[a .. a + 32] (YP H)', {
    dynamicGas: ['memory'],
    memory: word,
    reads: ['memory'],
  }),
  opcode(0x52, 'MSTORE', 2, 0, 3, 'memory[a .. a + 32] = word (YP H)', {
    dynamicGas: ['memory'],
    memory: word,
    writes: ['memory'],
  }),
  opcode(0x53, 'MSTORE8', 2, 0, 3, 'memory[a] = lowest byte (YP H)', {
    dynamicGas: ['memory'],
    memory: [{ offset: 0, lengthBytes: 1 }],
    writes: ['memory'],
  }),
  opcode(0x54, 'SLOAD', 1, 1, loadGas, 'value of a storage slot (YP H, EIP-150, EIP-1884, EIP-2929)', {
    dynamicGas: ['accessSlot'],
    reads: ['storage'],
  }),
  opcode(0x55, 'SSTORE', 2, 0, 0, 'storage slot = word (YP H, EIP-1283, EIP-2200, EIP-2929, EIP-3529)', {
    dynamicGas: ['sstore'],
    reads: ['storage', 'gas'],
    writes: ['storage'],
    staticForbidden: true,
  }),
  opcode(0x56, 'JUMP', 1, 0, 8, 'continues at a JUMPDEST, else halts (YP H)', { ends: 'jump' }),
  opcode(0x57, 'JUMPI', 2, 0, 10, 'continues at a JUMPDEST where the second operand is not 0 (YP H)', {
    ends: 'branch',
  }),
  opcode(0x58, 'PC', 0, 1, 2, 'position of this instruction (YP H)', { reads: ['frame'] }),
  opcode(0x59, 'MSIZE', 0, 1, 2, 'bytes of memory touched so far, in whole words (YP H)', { reads: ['memory'] }),
  opcode(0x5a, 'GAS', 0, 1, 2, 'gas left after this instruction (YP H)', { reads: ['gas'] }),
  opcode(0x5b, 'JUMPDEST', 0, 0, 1, 'a place that jumps may reach (YP H)'),
  opcode(0x5c, 'TLOAD', 1, 1, 100, 'value of a transient slot (EIP-1153)', { since: 'cancun', reads: ['transient'] }),
  opcode(0x5d, 'TSTORE', 2, 0, 100, 'transient slot = word (EIP-1153)', {
    since: 'cancun',
    writes: ['transient'],
    staticForbidden: true,
  }),
  opcode(0x5e, 'MCOPY', 3, 0, 3, 'memory[a .. a + n] = memory[b .. b + n], overlap allowed (EIP-5656)', {
    since: 'cancun',
    dynamicGas: ['memory', 'copyWord'],
    memory: [
      { offset: 0, length: 2 },
      { offset: 1, length: 2 },
    ],
    reads: ['memory'],
    writes: ['memory'],
  }),
  opcode(0x5f, 'PUSH0', 0, 1, 2, 'the word 0 (EIP-3855)', { since: 'shanghai' }),
  ...PUSH_ROWS,
  ...DUP_ROWS,
  ...SWAP_ROWS,
  ...LOG_ROWS,
]
