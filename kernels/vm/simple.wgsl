import package::u256::compare::u256_is_zero;
import package::u256::u256::{U256, U256_ZERO, u256_reverse_bytes};
import package::evm::operations::{evm_bytes, evm_compare, evm_logic, evm_shift, evm_sum};
import package::layout::instruction::{INSTRUCTION_MODE_SHIFT, MODE_SUM_SUBTRACT, VM_MODE_END_HALT};
import package::layout::instruction::{VM_MODE_JUMP_DYNAMIC, VM_MODE_MEMORY_LOAD, VM_MODE_MEMORY_STORE};
import package::layout::lane_vm::{VM_EXIT_RUNNING, VM_HALT_PC, VM_INVERT, VM_MAX_STEPS, VM_NONE, VM_OPERAND_NONE};
import package::layout::lane_vm::{VM_OP_BRANCH, VM_OP_BYTES, VM_OP_COMPARE, VM_OP_COPY, VM_OP_END, VM_OP_ENVIRONMENT};
import package::layout::lane_vm::{VM_OP_JUMP, VM_OP_LOGIC, VM_OP_MEMORY, VM_OP_SHIFT, VM_OP_SUM, VM_TEST_BITS};
import package::layout::lane_vm::VM_TEST_SHIFT;
import package::layout::word::BYTES_PER_WORD;
import package::lane::lane::{lane_environment, lanes_in, lanes_out};
import package::vm::frame::{vm_destination, vm_enter_block};
import package::vm::instruction::{vm_mode, vm_opcode, vm_operand, vm_shift_height, vm_stack_place};
import package::vm::lane::{vm_at, vm_bytes, vm_charge, vm_exit, vm_gas, vm_go, vm_memory, vm_pc, vm_steps, vm_stride};
import package::vm::lane::{vm_word, vm_words};

/// Instructions that need nothing but the stack, constants and the memory that is there.

/// A number of bytes plus `more`, or a number past every memory.
fn vm_near(word: U256, more: u32) -> u32 {
  return select(0x7fffffc0u, word.lo.x + more, vm_bytes(word) < 0x7fff0000u);
}

/// The first instruction that needs more: its operands a and b, gas before it, and whether its own gas was there.
/// `ends`: the lane has run its steps or left, and there is none.
struct VmNext {
  instruction: vec4<u32>,
  a: U256,
  b: U256,
  gas_before: vec2<u32>,
  ok: bool,
  ends: bool,
}

/// Runs what is simple, block after block. Steps count once the transaction has `started`.
fn vm_run_simple(started: bool) -> VmNext {
  var instruction = vec4<u32>(0u);
  var a = U256_ZERO;
  var b = U256_ZERO;
  var ok = true;
  var gas_before = vm_gas;
  var ends = false;
  for (var turn = 0u; turn < VM_MAX_STEPS; turn++) {
    if ((vm_exit == VM_EXIT_RUNNING) & (vm_go != VM_NONE)) {
      vm_enter_block(vm_go);
      vm_go = VM_NONE;
    }
    ends = (started & (vm_steps >= lane_environment.steps)) | (vm_exit != VM_EXIT_RUNNING);
    if (ends) {
      break;
    }
    vm_steps += select(0u, 1u, started);
    gas_before = vm_gas;
    let stops = vm_pc == VM_HALT_PC;
    instruction = lanes_in[select(vm_pc, 0u, stops)];
    if (stops) {
      let ends_it = (VM_MODE_END_HALT << INSTRUCTION_MODE_SHIFT) | VM_OP_END;
      instruction = vec4<u32>((VM_OPERAND_NONE << 16u) | ends_it, VM_OPERAND_NONE * 0x10001u, VM_OPERAND_NONE, 0u);
    }
    a = vm_operand(instruction.y & 0xffffu);
    b = vm_operand(instruction.y >> 16u);
    ok = vm_charge(instruction.w & 0xffffu);
    let opcode = vm_opcode(instruction);
    let mode = vm_mode(instruction);
    let inverts = ((instruction.x >> INSTRUCTION_MODE_SHIFT) & VM_INVERT) != 0u;
    let immediate = instruction.z >> 16u;
    let offset = vm_near(a, immediate);
    let is_word = (opcode == VM_OP_MEMORY) & (mode <= VM_MODE_MEMORY_STORE) & ((offset & 15u) == 0u);
    let in_memory = is_word & (offset + BYTES_PER_WORD <= BYTES_PER_WORD * vm_words);
    let jumps = (opcode == VM_OP_JUMP) | (opcode == VM_OP_BRANCH);
    if (!(ok & ((opcode < VM_OP_ENVIRONMENT) | jumps | in_memory))) {
      break;
    }
    let c_operand = instruction.z & 0xffffu;
    var word = a;
    var place = vm_stack_place(instruction.x >> 16u);
    var stores = (instruction.x >> 16u) != VM_OPERAND_NONE;
    // No JUMPDEST at its destination.
    var lost = false;
    let test = select(0u, mode >> VM_TEST_SHIFT, opcode == VM_OP_BRANCH);
    if ((opcode == VM_OP_COMPARE) | (test != 0u)) {
      word = evm_compare(a, b, select(mode, test - 1u, test != 0u));
      word.lo.x ^= select(0u, 1u, inverts & (test == 0u));
    }
    if (jumps) {
      if ((test == 0u) | (test == VM_TEST_BITS)) {
        let mask = vec4<u32>(select(0u, 0xffffffffu, test == 0u));
        word = U256(b.lo & (a.lo | mask), b.hi & (a.hi | mask));
      }
      vm_go = instruction.w >> 16u;
      let taken = (opcode == VM_OP_JUMP) | (u256_is_zero(word) == inverts);
      if (!taken) {
        // A side exit that is not taken goes on with the next instruction.
        vm_go = select(c_operand, VM_NONE, c_operand == VM_OPERAND_NONE);
      } else if ((mode & VM_MODE_JUMP_DYNAMIC) != 0u) {
        vm_go = vm_destination(vm_bytes(a)) - 1u;
        lost = vm_go == VM_NONE;
      }
    } else if (opcode == VM_OP_LOGIC) {
      word = evm_logic(a, b, mode);
    } else if (opcode == VM_OP_SUM) {
      word = evm_sum(a, b, mode == MODE_SUM_SUBTRACT);
    } else if (opcode == VM_OP_SHIFT) {
      word = evm_shift(a, b, mode);
    } else if (opcode == VM_OP_BYTES) {
      word = evm_bytes(a, b, mode);
    } else if (in_memory) {
      let at = vm_at(lane_environment.memory_at + vm_memory + (offset >> 4u));
      word = b;
      if (mode == VM_MODE_MEMORY_LOAD) {
        word = vm_word(at, vm_stride);
      } else {
        place = at;
        stores = true;
      }
      word = u256_reverse_bytes(word);
    }
    if (stores) {
      lanes_out[place] = word.lo;
      lanes_out[place + vm_stride] = word.hi;
    }
    if ((opcode == VM_OP_COPY) & (c_operand != VM_OPERAND_NONE)) {
      let second = vm_stack_place(c_operand);
      lanes_out[second] = b.lo;
      lanes_out[second + vm_stride] = b.hi;
    }
    vm_pc = select(vm_pc + 1u, VM_HALT_PC, lost);
    if (jumps & (vm_go != VM_NONE)) {
      vm_shift_height(immediate);
    }
  }
  return VmNext(instruction, a, b, gas_before, ok, ends);
}
