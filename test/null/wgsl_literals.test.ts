import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { LAYOUT_FILES } from '../../scripts/layout_wgsl.ts'
import { literalMessages, tellingNumbers } from '../../scripts/wgsl_literals.ts'
import { VM_MODES } from '../../transpiler/layout/instruction.ts'
import { VM_EXITS } from '../../transpiler/layout/lane_vm.ts'

const TELLING = tellingNumbers(LAYOUT_FILES.map(({ text }) => text()))
const messages = (text: string): readonly string[] => literalMessages('kernels/vm/planted.wgsl', text, TELLING)
const SOURCE = readFileSync(new URL('../../kernels/entry/lane_vm.wgsl', import.meta.url), 'utf8')

test.each([
  ['let steps = lane_environment[1].y;', 'the uniform has members with names'],
  ['if (opcode == 12u) {', 'an opcode, a mode and an exit have names'],
  ['} else if (turn_mode >= 0x2u) {', 'an opcode, a mode and an exit have names'],
  ['if ((vm_exit) != 0u) {', 'an opcode, a mode and an exit have names'],
  ['const VM_OP_COPY = 0u;', 'the number VM_OP_COPY belongs to a layout'],
  ['if (operand < 0x4000u) {', 'a kind of operand has a name'],
  ['let counts = lanes_out[vm_columns(4u)];', 'a column and a vector of a frame have names'],
  ['let value = lanes_out[vm_vector(vm_frame, 5u)];', 'a column and a vector of a frame have names'],
  ['vm_put_word(place + (3u << vm_spread), now);', 'a vector of a record has a name'],
  ['let gas = select(2600u, warm, found);', 'this number is GAS_COLD_ACCOUNT'],
  ['return (hash ^ limb) * 0x9e3779b1u;', 'this number is HASH_MULTIPLIER'],
])('a number of a layout is found in %s', (line, message) => {
  expect(messages(`fn planted() {\n  ${line}\n}`)).toEqual([`kernels/vm/planted.wgsl:2: ${message}`])
})

test('a name, a comment, a shift and a number that no layout has are none', () => {
  expect(messages('if (mode == VM_CALL_CALL) { x = mode >> 1u; } // opcode == 12u costs 2600u')).toEqual([])
  expect(messages('const VM_SOURCE_ARENA = 0u;\nlet k = at + 255u + 1024u + 99u;')).toEqual([])
})

test('the kernel of the lane VM is read by these rules, and one name less is found', () => {
  expect(messages(SOURCE)).toEqual([])
  expect(messages(SOURCE.replace('turn_opcode == VM_OP_KECCAK', 'turn_opcode == 11u'))).toHaveLength(1)
})

test('a frame that ends has its mode for an exit, but for STOP, which is a success', () => {
  const { end } = VM_MODES
  expect([end.return, end.revert, end.halt]).toEqual([VM_EXITS.succeeded, VM_EXITS.reverted, VM_EXITS.halted])
})
