import { ENVIRONMENT_WORDS } from './environment.ts'

/**
 * The lane VM: what the lifter (transpiler/lift), the kernel (kernels/entry/lane_vm.wgsl) and the host
 * (host/tiers/lane_vm) agree on. Every offset and length is in vectors (vec4<u32>) where nothing else is said. One lane
 * runs one transaction.
 *
 * INSTRUCTION  one vector (instruction.ts), of lifted code
 *   x   opcode (bits 0..7) | mode (8..15) | result operand (16..31: STACK or NONE)
 *   y   operand a (0..15) | operand b (16..31)
 *   z   operand c (0..15) | immediate (16..31)
 *   w   gas (0..15): base gas of this instruction and of all that vanished before it | block (16..31)
 *   Gas is charged before the instruction; a lane that lacks it halts. So gas left is exact at every instruction.
 *
 * OPERAND      16 bits, kind in the two top ones:
 *   STACK      word at (stack height at the start of the block) + index; index is 14 bits, two's complement. Indices
 *              from the block's own height on also serve as temporaries.
 *   CONSTANT   word of the skeleton's constant pool
 *   INSTANCE   lifted immediate `index` of the executing code (transpiler/skeleton.ts): word constants base + 2 + index
 *              of the constants table
 *   NONE       0xffff: the word 0, or no result
 *
 * BLOCK        one vector: (first instruction, counted from the first of the code,
 *                           words that the stack must hold | words that it grows by at most << 16   (the EVM's own
 *                           bounds), words above the block's height that results and temporaries use at most,
 *                           its plain form: the block to enter in its stead where the bounds do not hold, 0 for none;
 *                           that one may name one more, which refuses)
 *   A lane enters a block through a terminator (jump, branch, call), which adds the terminator's immediate (i16) to the
 *   height and checks the bounds. Block 0 starts the code. A superblock goes through several blocks of the EVM's; a
 *   branch in its middle (c = NONE) adds its immediate and enters `block` only where it is taken.
 *
 * CODE STORE   `lanesIn`: what is lifted stays from wave to wave; places are vectors of the store
 *   code headers   at `codesAt`, CODE_HEADER_VECTORS for each code id of the host's code table; zeros where the code is
 *                  not there
 *     [0]  (instructions, constant pool, blocks, jump table)
 *     [1]  (bytes of the code or 0 where they are not there, size in bytes, CODE_* flags, 0)
 *     A delegation (EIP-7702) has CODE_DELEGATION; its bytes are there.
 *   machine code   at `microAt`, one header of the same form for each MICRO_CODES entry: private programs of the kernel
 *     (MICRO_PRECOMPILE + p runs precompile p in a frame of its own). Their constants base is 0: they have no INSTANCE
 *     operands.
 *   jump table     u16 by byte of the code, 8 to a vector: block + 1 of the JUMPDEST there, 0 = none
 *   bytes          16 to a vector, the first in the low bits; padded with zeros to a whole vector
 *
 * WAVE STORE   `lanesOut`
 *   lane columns   LANE_COLUMNS vectors for each lane: column k of lane l at k * lane count + l (LANE_* below)
 *   then           calldata, items and blob hashes of the lanes, at places that their columns name; the list of the
 *                  lanes to run (u32, 4 to a vector) at `order`
 *   arenas         at `arenasAt`: vector k of lane l at arenasAt + ((l >> 6) * laneVectors + k) * 64 + (l & 63); the
 *                  regions of a lane and their sizes are those of a VmQuota
 *
 * UNIFORM      environment.ts
 */

export const VM_INSTRUCTION_LIMBS = 4
export const VM_BLOCK_LIMBS = 4
export const CODE_HEADER_VECTORS = 2
export const CODE_PRESENT = 1
export const CODE_DELEGATION = 2

export const VM_OPERAND_STACK = 0x0000
export const VM_OPERAND_CONSTANT = 0x4000
export const VM_OPERAND_INSTANCE = 0x8000
export const VM_OPERAND_NONE = 0xffff
/** Bits of an index. */
export const VM_OPERAND_INDEX_BITS = 14
export const VM_OPERAND_MASK = (1 << VM_OPERAND_INDEX_BITS) - 1

/**
 * Opcodes; the kernel's if-tree follows their order. Modes by name in instruction.ts. `wide` ones take their further
 * operands from the stack: the n-th of them stands n words below operand c, which is a STACK operand.
 */
export const VM_OPCODES = {
  /** a; and b to STACK operand c, where there is one: both are read before either is written. */
  copy: 0,
  /** Bit 0: a & b; bit 1: a ^ b; both: a | b. */
  logic: 1,
  /** 0: a + b; 1: a - b. */
  sum: 2,
  /** 0: a < b; 1: the same, signed; 2: a == b. VM_INVERT: its negation. */
  compare: 3,
  /** 0: b << a; 1: b >> a; 2: the same, signed. */
  shift: 4,
  /** 0: byte a of b; 1: b sign-extended from byte a; 2: leading zeros of a. */
  bytes: 5,
  /** VM_ENVIRONMENT[mode] */
  environment: 6,
  /** 32 bytes of calldata from a on. */
  calldataLoad: 7,
  /** 0: word at memory[a + immediate]; 1: memory[a + immediate ..] = b; 2: memory[a + immediate] = lowest byte of b. */
  memory: 8,
  /** 0: value of slot a; 1: slot a = b. */
  storage: 9,
  /** The same of transient slots. */
  transient: 10,
  /** Hash of memory[a .. a + b]. */
  keccak: 11,
  mul: 12,
  /** Bit 0: signed; bit 1: remainder. */
  divide: 13,
  /** 0: (a + b) mod c; 1: (a * b) mod c. */
  modular: 14,
  exp: 15,
  /**
   * memory[a ..] = source[b .. b + c]; VM_COPY_SOURCES[mode]. Of `code` of another account: its address stands at
   * operand `immediate` (STACK).
   */
  copyMemory: 16,
  /** Of the account at address a. 0: balance; 1: code size; 2: code hash. */
  account: 17,
  /** Logs memory[a .. a + b] with `mode` topics. Wide: topics from c on. */
  log: 18,
  /**
   * VM_CALLS[mode]. Wide: gas, to, (value,) in, in length, out, out length from c on. Ends the block; block: the next
   * one; result: the new top, where the last of them stood.
   */
  call: 19,
  /** Ends the frame. 0: stop; 1: return memory[a .. a + b]; 2: revert with it; 3: halt. */
  end: 20,
  /** Goes to `block`; bit 0: to the JUMPDEST at a. Its result, where it has one, is b. */
  jump: 21,
  /**
   * Where b is not 0, goes to `block`; bit 0: to the JUMPDEST at a. Or, bits 1 to 3: where a is less than b (1), less
   * as signed words (2), equal to it (3), has a bit in common with it (4). VM_INVERT: where it is not so. Else goes to
   * block c, or on where c is NONE.
   */
  branch: 22,
  /**
   * The host's answer to a question: 0: hash of block a; 1: word b of the outcome of precompile `immediate` with input
   * hash a.
   */
  memo: 23,
  /** Blob hash a of the transaction. */
  blobHash: 24,
  /** Private: charges gas a in a frame where nothing else costs. */
  charge: 25,
  /** Private: enters the next item of the transaction; stays until there is none. */
  warm: 26,
  /** Private: opens the transaction's own frame. */
  enter: 27,
  /** Leaves the device with exit VM_EXITS.refused; the immediate is the code of the EVM opcode. */
  refuse: 28,
} as const
export type VmOpcode = keyof typeof VM_OPCODES

/** Mode bit: the result, or the condition, is negated. */
export const VM_INVERT = 0x80
/** Where the test of a branch stands in its mode: 0 none, 1 + mode of `compare`, or VM_TEST_BITS. */
export const VM_TEST_SHIFT = 1
export const VM_TEST_BITS = 4

/** Instructions that one dispatch runs at most: a bound that a compiler can see, more than the host ever asks for. */
export const VM_MAX_STEPS = 1 << 20
/** The instruction of a lane that halts in its next turn. */
export const VM_HALT_PC = 0xffffffff
/** No block, or no record. */
export const VM_NONE = 0xffffffff

export const VM_ENVIRONMENT = [
  'address',
  'origin',
  'caller',
  'callvalue',
  'calldatasize',
  'codesize',
  'gasprice',
  'returndatasize',
  'msize',
  'gas',
  'selfbalance',
  ...ENVIRONMENT_WORDS,
] as const

export const VM_COPY_SOURCES = ['memory', 'calldata', 'code', 'returndata', 'accountCode'] as const
export const VM_CALLS = ['call', 'callcode', 'delegatecall', 'staticcall'] as const

/** Codes of the kernel's own: the prologue of every transaction, then precompiles 1 to 0x11 and, last, 0x100. */
export const MICRO_PROLOGUE = 0
export const MICRO_PRECOMPILE = 0
export const MICRO_PRECOMPILE_LAST = 0x11
/** Index of precompile 0x100 among the micro codes. */
export const MICRO_P256 = 0x12
export const MICRO_P256_ADDRESS = 0x100
export const MICRO_CODES = 0x13

/**
 * Memos of the lane VM belong to account ids from here on (memo.ts): word 0 is (1 + bytes of output, 0 = failed; gas; 0
 * ...), then the output.
 */
export const VM_MEMO_OWNERS = 0xffff_fe00
/** Owner of the hashes of ancestors, by block number: VM_MEMO_OWNERS + this. */
export const VM_MEMO_BLOCK_HASH = 0x1fe

/** Columns of a lane. I: written by the host before the first dispatch; O: what it may read afterwards. */
/**
 * I O: (VM_EXITS, instruction (vector of the code store), stack height of the block, low limb of the gas left). The
 * host enters 0, 0, the micro code of a called precompile or 0, and the low limb of `executionGas`. Gas is below 2^53.
 */
export const LANE_STATE = 0
/** O: (number of the frame, request word's owner or account id, refund as i32, instructions run) */
export const LANE_REQUEST = 1
/** O: key of a missed slot, address of a missed account, number of a block, hash of an input; two columns */
export const LANE_REQUEST_WORD = 2
/**
 * O: of a lane that ended, in the place of its request: (slots, accounts that are held, vectors of these slots, of
 * these accounts); see HELD RECORD.
 */
export const LANE_HELD = 2
/** O: (slots, accounts, log vectors, logs) */
export const LANE_COUNTS = 4
/**
 * O: (journal entries, transients, bytes of return data, memory: first vector of the arena that the frame's memory
 * begins at)
 */
export const LANE_TOPS = 5
/**
 * I O: output of a lane that ended, or input of a precompile that is asked for: (byte from the start of the memory
 * arena, bytes, memory words of the frame, high limb of the gas left)
 */
export const LANE_OUTPUT = 6
/** I: (sender's account id, called account's id, vector of the calldata, its bytes) */
export const LANE_PARTIES = 7
/** I: (vector of the items, their number, vector of the blob hashes, their number) */
export const LANE_LISTS = 8
/** I: words, two columns each: gas price, value, and what the sender pays up front */
export const LANE_GAS_PRICE = 9
export const LANE_VALUE = 11
export const LANE_COST = 13
export const LANE_COLUMNS = 15

/**
 * Items of a lane, which it enters before it starts: ITEM_VECTORS each: (ITEM_* flags, id of the account or slot,
 * account id of a slot's owner, 0), value.
 * What they name is resident. Sender, called account and, from Shanghai, coinbase are warm without one.
 */
export const ITEM_VECTORS = 3
/** A slot; else an account. */
export const ITEM_SLOT = 1
/** It is warm from the start (EIP-2930). */
export const ITEM_WARM = 2
/** The slot holds this value, or the account this balance, whatever the tables say (a rerun after a conflict). */
export const ITEM_VALUE = 4

/**
 * States of a lane. `running`: goes on with the next dispatch. From `missAccount` on to `codeBytes` the lane waits for
 * the host and runs the same instruction again. The others ended.
 */
export const VM_EXITS = {
  running: 0,
  /** Ended. The writes of `reverted` and `halted` are void. */
  succeeded: 1,
  reverted: 2,
  halted: 3,
  /** The account at the request word is not resident. */
  missAccount: 4,
  /** Slot (request word) of the account in LANE_REQUEST.y is not resident. */
  missSlot: 5,
  /** The code of account LANE_REQUEST.y is not in the store. */
  missCode: 6,
  /** The bytes of the code of account LANE_REQUEST.y are not in the store. */
  missBytes: 7,
  /** Hash of block number (request word). */
  missBlockHash: 8,
  /** Outcome of precompile LANE_REQUEST.y for the input at LANE_OUTPUT, whose hash is the request word. */
  missPrecompile: 9,
  /** LANE_REQUEST.y: code of an EVM opcode that the device does not execute. */
  refused: 16,
  /** A region is full (LANE_REQUEST.y: VM_REGIONS index): needs a larger VmQuota. */
  quota: 17,
} as const
export type VmExit = keyof typeof VM_EXITS

/** Regions of a lane's arena in order, for `VM_EXITS.quota`. */
export const VM_REGIONS = [
  'frames',
  'stack',
  'memory',
  'returndata',
  'slots',
  'accounts',
  'journal',
  'logs',
  'transients',
] as const

/**
 * FRAME        FRAME_VECTORS of region frames for each depth
 *   [0]  (code header (vector of the code store), account id, caller's account id, FRAME_* flags)
 *   [1]  (instruction to return to, stack height there, first stack word of the frame, first memory vector of the frame
 *        in the arena)
 *   [2]  (calldata: vector, byte in it, bytes, 0 = wave store, linear / 1 = arena, strided)
 *   [3]  (memory words, low limb of the gas left when it called another, out offset, out length)
 *   [4]  (journal entries at entry, log vectors at entry, logs at entry, refund at entry)
 *   [5]  value, two vectors
 *   [7]  (constants base of the code, id of the account that has the code, high limb of that gas, 0)
 */
export const FRAME_VECTORS = 8
export const FRAME_PARTIES_AT = 0
export const FRAME_BASES_AT = 1
export const FRAME_CALLDATA_AT = 2
export const FRAME_LEFT_AT = 3
export const FRAME_MARKS_AT = 4
export const FRAME_VALUE_AT = 5
export const FRAME_CODE_AT = 7
export const FRAME_CALLDATA_IN_ARENA = 1
export const FRAME_STATIC = 1
/** Nothing costs but `charge`. */
export const FRAME_FREE = 2

/**
 * Vectors of a record: the word before the transaction, of a transient slot its key; the present word; the least one of
 * an account. Vector 0 is its header.
 */
export const RECORD_BEFORE_AT = 1
export const RECORD_PRESENT_AT = 3
export const RECORD_LEAST_AT = 5

/**
 * SLOT         SLOT_VECTORS: (slot id, SLOT_* flags, account id, 0), value before the transaction, present value
 * bucket       u32 by (slot id * HASH_MULTIPLIER >> 16) & bucket mask, linear: 1 + index of the slot, 0 = empty; 4 to a
 *              vector
 */
export const SLOT_VECTORS = 5
export const SLOT_WARM = 1
/** Looked at by the transaction; else it only stands in its access list. */
export const SLOT_READ = 2

/**
 * ACCOUNT      ACCOUNT_VECTORS: (account id, ENTRY_* flags, code id, 0),
 *              balance before the transaction, present balance, least balance so far (also what a payment would
 *              have left that moved nothing: a CALLCODE's, one to oneself)
 * The balance before of the sender is what it has after it paid up front.
 */
export const VM_ACCOUNT_VECTORS = 7
export const ENTRY_WARM = 1
/** Whether it exists, and its code, was looked at: both must be the same at the transaction's place. */
export const ENTRY_READ = 2
/** Its balance was looked at as a number, or lacked what a call was to pay; else it paid at most what it had. */
export const ENTRY_BALANCE = 4
/** It existed before the transaction. */
export const ENTRY_EXISTS = 8
/** It was paid, or called: a touch (EIP-161). */
export const ENTRY_TOUCHED = 16
/** Of an account that the transaction looked at, or may have changed; else it is only warm. */
export const ENTRY_SEEN = ENTRY_READ | ENTRY_BALANCE | ENTRY_TOUCHED
/** Flags of any record that a revert takes back: warm, touched. */
export const ENTRY_UNDONE = ENTRY_WARM | ENTRY_TOUCHED

/**
 * HELD RECORD  what the host is told of a record when its lane ended (kernels/vm/held.wgsl): the record, whose header
 *              ends with the number of its vectors, cut where the host needs no more. Of a slot that was looked at and
 *              has its old value: up to that value. Of an account whose balance is what it was at its least and was not
 *              looked at: the header. Slots and accounts that are only warm are not held, but for the sender.
 */
export const HELD_SLOT_VECTORS = 3
export const HELD_ACCOUNT_VECTORS = 1

/** JOURNAL      (kind, index, flags before, 0), word before: two vectors */
export const JOURNAL_VECTORS = 3
/**
 * LOG          (account id, topics, bytes of the data, vectors of the whole record), topics (two vectors each), data
 *              (16 bytes a vector)
 */
/** TRANSIENT    (account id, 0, 0, 0), key, value */
export const TRANSIENT_VECTORS = 5
