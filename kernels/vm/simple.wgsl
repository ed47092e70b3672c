import package::u256::u256::{U256, U256_ZERO, u256_reverse_bytes};
import package::u256::bits::{u256_byte, u256_clz, u256_signextend};
import package::u256::compare::u256_is_zero;
import package::evm::operations::{evm_compare, evm_shift, evm_sum};
import package::lane::lane::{lane_environment, lanes_in, lanes_out};
import package::vm::lane::{vm_at, vm_bytes, vm_charge, vm_exit, vm_gas, vm_go, vm_memory, vm_pc, vm_steps, vm_word, vm_words, vm_stride};
import package::vm::record::VM_NONE;
import package::vm::frame::{VM_HALT_PC, vm_destination, vm_enter_block};
import package::vm::instruction::{VM_INVERT, VM_MODE_HALT, VM_OPERAND_NONE, VM_OP_BRANCH, VM_OP_BYTES, VM_OP_COMPARE, VM_OP_COPY, VM_OP_END};
import package::vm::instruction::{VM_OP_ENVIRONMENT, VM_OP_JUMP, VM_OP_MEMORY, VM_STEPS, VM_TEST_BITS, vm_operand, vm_shift_height, vm_stack_place};

/// Instructions that need nothing but the stack, constants and the memory that is there.

/// A number of bytes plus `more`, or a number past every memory.
fn vm_near(word: U256, more: u32) -> u32 {
  return select(0x7fffffc0u, word.lo.x + more, vm_bytes(word) < 0x7fff0000u);
}

/// The first instruction that needs more: its operands a and b, gas in front of it, and whether its own gas was there. `ends`: the lane
/// has run its steps or left, and there is none.
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
  for (var turn = 0u; turn < VM_STEPS; turn++) {
    if ((vm_exit == 0u) & (vm_go != VM_NONE)) {
      vm_enter_block(vm_go);
      vm_go = VM_NONE;
    }
    ends = (started & (vm_steps >= lane_environment[1].y)) | (vm_exit != 0u);
    if (ends) {
      break;
    }
    vm_steps += select(0u, 1u, started);
    gas_before = vm_gas;
    let stops = vm_pc == VM_HALT_PC;
    instruction = lanes_in[select(vm_pc, 0u, stops)];
    if (stops) {
      instruction = vec4<u32>(0xffff0000u | (VM_MODE_HALT << 8u) | VM_OP_END, 0xffffffffu, 0xffffu, 0u);
    }
    a = vm_operand(instruction.y & 0xffffu);
    b = vm_operand(instruction.y >> 16u);
    ok = vm_charge(instruction.w & 0xffffu);
    let opcode = instruction.x & 0xffu;
    let mode = (instruction.x >> 8u) & 0x7fu;
    let inverts = ((instruction.x >> 8u) & VM_INVERT) != 0u;
    let immediate = instruction.z >> 16u;
    let offset = vm_near(a, immediate);
    let in_memory = (opcode == VM_OP_MEMORY) & (mode < 2u) & ((offset & 15u) == 0u) & (offset + 32u <= 32u * vm_words);
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
    let test = select(0u, mode >> 1u, opcode == VM_OP_BRANCH);
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
      } else if ((mode & 1u) != 0u) {
        vm_go = vm_destination(vm_bytes(a)) - 1u;
        lost = vm_go == VM_NONE;
      }
    } else if (opcode == 1u) {
      let both = vec4<u32>(0u - (mode & 1u));
      let either = vec4<u32>(0u - (mode >> 1u));
      word = U256((a.lo & b.lo & both) | ((a.lo ^ b.lo) & either), (a.hi & b.hi & both) | ((a.hi ^ b.hi) & either));
    } else if (opcode == 2u) {
      word = evm_sum(a, b, mode == 1u);
    } else if (opcode == 4u) {
      word = evm_shift(a, b, mode);
    } else if (opcode == VM_OP_BYTES) {
      if (mode == 0u) {
        word = u256_byte(a, b);
      } else if (mode == 1u) {
        word = u256_signextend(a, b);
      } else {
        word = u256_clz(a);
      }
    } else if (in_memory) {
      let at = vm_at(lane_environment[19].x + vm_memory + (offset >> 4u));
      word = b;
      if (mode == 0u) {
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
