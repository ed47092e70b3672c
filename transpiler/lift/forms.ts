import {
  VM_CALLS,
  VM_COPY_SOURCES,
  VM_ENVIRONMENT,
  VM_OPCODES,
  VM_TEST_BITS,
  VM_TEST_SHIFT,
  type VmOpcode,
} from '../layout/lane_vm.ts'

/**
 * What an instruction of an opcode holds. Modes below `modes` exist, with VM_INVERT where `inverts`. `reads`: how many
 * of a, b, c it reads, of every mode or mode by mode; the others are NONE. `results`: modes that give a word, all where
 * it is true.
 */
export interface Form {
  readonly modes: number
  readonly inverts?: true
  readonly reads: number | readonly number[]
  readonly results: true | readonly number[]
  readonly immediate?: true
  readonly terminator?: true
}

/** 0 and 1, then the tests: even ones alone. */
const BRANCH_MODES = (VM_TEST_BITS << VM_TEST_SHIFT) + 1

const FORMS: Readonly<Record<VmOpcode, Form>> = {
  copy: { modes: 1, reads: 2, results: true },
  logic: { modes: 4, reads: 2, results: true },
  sum: { modes: 2, reads: 2, results: true },
  compare: { modes: 3, inverts: true, reads: 2, results: true },
  shift: { modes: 3, reads: 2, results: true },
  bytes: { modes: 3, reads: [2, 2, 1], results: true },
  environment: { modes: VM_ENVIRONMENT.length, reads: 0, results: true },
  calldataLoad: { modes: 1, reads: 1, results: true },
  memory: { modes: 3, reads: [1, 2, 2], results: [0], immediate: true },
  storage: { modes: 2, reads: [1, 2], results: [0] },
  transient: { modes: 2, reads: [1, 2], results: [0] },
  keccak: { modes: 1, reads: 2, results: true },
  mul: { modes: 1, reads: 2, results: true },
  divide: { modes: 4, reads: 2, results: true },
  modular: { modes: 2, reads: 3, results: true },
  exp: { modes: 1, reads: 2, results: true },
  copyMemory: { modes: VM_COPY_SOURCES.length, reads: 3, results: [], immediate: true },
  account: { modes: 3, reads: 1, results: true },
  log: { modes: 5, reads: 2, results: [] },
  call: { modes: VM_CALLS.length, reads: 0, results: true, immediate: true, terminator: true },
  end: { modes: 4, reads: [0, 2, 2, 0], results: [], terminator: true },
  jump: { modes: 2, reads: 2, results: true, immediate: true, terminator: true },
  branch: { modes: BRANCH_MODES, inverts: true, reads: 2, results: [], immediate: true, terminator: true },
  memo: { modes: 2, reads: [1, 2], results: true, immediate: true },
  blobHash: { modes: 1, reads: 1, results: true },
  charge: { modes: 1, reads: 1, results: [] },
  warm: { modes: 1, reads: 0, results: [] },
  enter: { modes: 1, reads: 0, results: [], terminator: true },
  refuse: { modes: 1, reads: 0, results: [], immediate: true, terminator: true },
}

/** By opcode: its name and form. */
export const FORMS_BY_CODE: ReadonlyMap<number, readonly [VmOpcode, Form]> = new Map(
  Object.entries(VM_OPCODES).map(([name, code]) => [code, [name as VmOpcode, FORMS[name as VmOpcode]]]),
)

/** Operands of a call, by its mode. */
export const CALL_OPERANDS: readonly number[] = VM_CALLS.map((name) => (name === 'call' || name === 'callcode' ? 7 : 6))
export const ACCOUNT_COPY = VM_COPY_SOURCES.indexOf('accountCode')

/** Operands of a, b, c that an instruction of this mode reads. */
export const readsOf = ({ reads }: Form, mode: number): number =>
  typeof reads === 'number' ? reads : (reads[mode] ?? 0)
