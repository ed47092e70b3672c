import package::u256::u256::{U256, U256_ZERO};
import package::layout::instruction::{INSTRUCTION_MODE_MASK, INSTRUCTION_MODE_SHIFT, INSTRUCTION_OPCODE_MASK};
import package::layout::lane_vm::{VM_OPERAND_CONSTANT, VM_OPERAND_INDEX_BITS, VM_OPERAND_INSTANCE, VM_OPERAND_MASK};
import package::layout::lane_vm::VM_OPERAND_NONE;
import package::layout::tables::CONSTANTS_IMMEDIATES_AT;
import package::lane::lane::{lanes_in, lanes_out};
import package::state::state::state_constants;
import package::vm::lane::{vm_constants, vm_height, vm_shape, vm_spread, vm_stack, vm_stride};

/// Instructions of the lane VM (transpiler/layout/lane_vm.ts): opcodes and operands.

fn vm_opcode(instruction: vec4<u32>) -> u32 {
  return instruction.x & INSTRUCTION_OPCODE_MASK;
}

/// Without VM_INVERT.
fn vm_mode(instruction: vec4<u32>) -> u32 {
  return (instruction.x >> INSTRUCTION_MODE_SHIFT) & INSTRUCTION_MODE_MASK;
}

/// Vector of the word at a STACK operand.
fn vm_stack_place(operand: u32) -> u32 {
  let above = 32u - VM_OPERAND_INDEX_BITS;
  return u32(i32(vm_stack) + ((i32(operand << above) >> above) << (vm_spread + 1u)));
}

/// Words from the stack, of the code, or of its instance; 0 for none.
fn vm_operand(operand: u32) -> U256 {
  let index = operand & VM_OPERAND_MASK;
  var word = U256_ZERO;
  if (operand < VM_OPERAND_CONSTANT) {
    let place = vm_stack_place(operand);
    word = U256(lanes_out[place], lanes_out[place + vm_stride]);
  } else if (operand < VM_OPERAND_INSTANCE) {
    let place = vm_shape.y + 2u * index;
    word = U256(lanes_in[place], lanes_in[place + 1u]);
  } else if (operand != VM_OPERAND_NONE) {
    let place = 2u * (vm_constants + CONSTANTS_IMMEDIATES_AT + index);
    word = U256(state_constants[place], state_constants[place + 1u]);
  }
  return word;
}

fn vm_shift_height(immediate: u32) {
  let words = i32(immediate << 16u) >> 16u;
  vm_height = u32(i32(vm_height) + words);
  vm_stack = u32(i32(vm_stack) + (words << (vm_spread + 1u)));
}
