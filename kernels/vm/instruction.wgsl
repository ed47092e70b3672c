import package::u256::u256::{U256, U256_ZERO};
import package::lane::lane::{lanes_in, lanes_out};
import package::state::state::state_constants;
import package::vm::lane::{vm_constants, vm_height, vm_shape, vm_stack, vm_spread, vm_stride};

/// Instructions of the lane VM (transpiler/layout/lane_vm.ts): opcodes and operands.

/// More than the host ever asks for: a bound that the compiler can see.
const VM_STEPS = 1048576u;
const VM_OPERAND_NONE = 0xffffu;
const VM_INVERT = 0x80u;
const VM_TEST_BITS = 4u;
const VM_MODE_HALT = 3u;

const VM_OP_COPY = 0u;
const VM_OP_COMPARE = 3u;
const VM_OP_BYTES = 5u;
const VM_OP_ENVIRONMENT = 6u;
const VM_OP_CALLDATA_LOAD = 7u;
const VM_OP_MEMORY = 8u;
const VM_OP_STORAGE = 9u;
const VM_OP_TRANSIENT = 10u;
const VM_OP_KECCAK = 11u;
const VM_OP_MODULAR = 14u;
const VM_OP_COPY_MEMORY = 16u;
const VM_OP_ACCOUNT = 17u;
const VM_OP_LOG = 18u;
const VM_OP_CALL = 19u;
const VM_OP_END = 20u;
const VM_OP_JUMP = 21u;
const VM_OP_BRANCH = 22u;
const VM_OP_MEMO = 23u;
const VM_OP_BLOB_HASH = 24u;
const VM_OP_CHARGE = 25u;
const VM_OP_WARM = 26u;
const VM_OP_ENTER = 27u;
const VM_OP_REFUSE = 28u;

/// Vector of the word at a STACK operand.
fn vm_stack_place(operand: u32) -> u32 {
  return u32(i32(vm_stack) + ((i32(operand << 18u) >> 18u) << (vm_spread + 1u)));
}

/// Words from the stack, of the code, or of its instance; 0 for none.
fn vm_operand(operand: u32) -> U256 {
  let index = operand & 0x3fffu;
  var word = U256_ZERO;
  if (operand < 0x4000u) {
    let place = vm_stack_place(operand);
    word = U256(lanes_out[place], lanes_out[place + vm_stride]);
  } else if (operand < 0x8000u) {
    let place = vm_shape.y + 2u * index;
    word = U256(lanes_in[place], lanes_in[place + 1u]);
  } else if (operand != VM_OPERAND_NONE) {
    let place = 2u * (vm_constants + 2u + index);
    word = U256(state_constants[place], state_constants[place + 1u]);
  }
  return word;
}

fn vm_shift_height(immediate: u32) {
  let words = i32(immediate << 16u) >> 16u;
  vm_height = u32(i32(vm_height) + words);
  vm_stack = u32(i32(vm_stack) + (words << (vm_spread + 1u)));
}
