import package::u256::bits::u256_byte_length;
import package::u256::exp::u256_exp;
import package::u256::mul::u256_mul;
import package::u256::shift::{u256_shift_left, u256_shift_right};
import package::u256::u256::{U256, U256_ZERO, u256_from_bool, u256_from_u32, u256_low, u256_reverse_bytes, u256_select};
import package::keccak::keccak::{KeccakBlock, keccak_absorb, keccak_digest, keccak_f, keccak_zero};
import package::evm::gas::{evm_call_gas, evm_store};
import package::evm::operations::{evm_bytes, evm_compare, evm_divide, evm_logic, evm_modular, evm_shift, evm_sum};
import package::layout::environment::WORKGROUP_SIZE;
import package::layout::gas::{GAS_COLD_SLOAD, GAS_SSTORE_RESET, GAS_WARM, REFUND_SSTORE_CLEAR};
import package::layout::gas::REFUND_SSTORE_CLEAR_FRONTIER;
import package::layout::instruction::{INSTRUCTION_MODE_MASK, INSTRUCTION_MODE_SHIFT, INSTRUCTION_OPCODE_MASK};
import package::layout::instruction::{MODE_MODULAR_MULTIPLY, MODE_SUM_SUBTRACT, PROGRAM_MODE_ACCOUNT_BALANCE};
import package::layout::instruction::{PROGRAM_MODE_ACCOUNT_EXISTS, PROGRAM_MODE_ACCOUNT_HAS_CODE};
import package::layout::instruction::{PROGRAM_MODE_ACCOUNT_INSTANCE, PROGRAM_MODE_PICK_SECOND};
import package::layout::instruction::{PROGRAM_MODE_SCALAR_BYTE_LENGTH, PROGRAM_MODE_SCALAR_CALL_GAS};
import package::layout::instruction::{PROGRAM_MODE_SCALAR_MULTIPLY, PROGRAM_MODE_SCALAR_SUBTRACT};
import package::layout::instruction::{PROGRAM_MODE_SSTORE_GAS, PROGRAM_MODE_SSTORE_REFUND};
import package::layout::path::{EXIT_MISS, EXIT_NONE, HINT_COLUMNS, MISSING};
import package::layout::program::{MAX_PROGRAM_VECTORS, OPERAND_CONSTANT, OPERAND_INDEX_MASK, OPERAND_INPUT};
import package::layout::program::{OPERAND_NONE, OPERAND_SCRATCH, PROGRAM_FAST_REGISTERS, PROGRAM_INVERT};
import package::layout::program::{PROGRAM_OP_DIVIDE, PROGRAM_OP_EXP, PROGRAM_OP_FIELD, PROGRAM_OP_FIND_ACCOUNT};
import package::layout::program::{PROGRAM_OP_FIND_SLOT, PROGRAM_OP_KECCAK, PROGRAM_OP_LOAD, PROGRAM_OP_LOGIC};
import package::layout::program::{PROGRAM_OP_MUL, PROGRAM_OP_PICK, PROGRAM_OP_SCALAR, PROGRAM_OP_SSTORE};
import package::layout::program::{PROGRAM_OP_SUM, PROGRAM_SCRATCH_VECTORS, PROGRAM_SHIFT_MASK, PROGRAM_SHIFT_RIGHT};
import package::layout::tables::{ACCOUNT_ADDRESS_AT, ACCOUNT_BALANCE_AT, ACCOUNT_FLAG_EXISTS};
import package::layout::word::KECCAK_RATE_LIMBS;
import package::lane::lane::{lane_environment, lanes_in, lanes_out};
import package::state::state::{state_account, state_account_vector, state_constants, state_slot, state_slot_value};

/// Runs path programs: layout of instructions, groups and waves in transpiler/layout/program.ts.
///
/// All lanes of a workgroup run the same instructions, so that every branch on an instruction's fields is uniform. A
/// lane whose guard failed goes on with harmless values: ids come from look-ups or are MISSING, everything else is
/// arithmetic. Operands and results have one site each: lavapipe compiles a site for 0.6 s, and the one that a hash had
/// of its own for 4 s (docs/decisions/0009-path-programs.md).

const PROGRAM_REGISTERS_VECTORS = PROGRAM_FAST_REGISTERS * PROGRAM_SCRATCH_VECTORS;

/// Word registers: [register][half][lane].
var<workgroup> program_registers: array<vec4<u32>, PROGRAM_REGISTERS_VECTORS>;

/// A group's header and a lane's place in it.
struct ProgramLane {
  code: u32,
  constants: u32,
  lane_count: u32,
  inputs: u32,
  outputs: u32,
  keys: u32,
  hints: u32,
  scratch: u32,
  lane: u32,
  local: u32,
}

fn program_operand(operand: u32, at: ProgramLane) -> U256 {
  let index = operand & OPERAND_INDEX_MASK;
  var word = U256_ZERO;
  if (operand < OPERAND_CONSTANT) {
    let place = index * PROGRAM_SCRATCH_VECTORS + at.local;
    word = U256(program_registers[place], program_registers[place + WORKGROUP_SIZE]);
  } else if (operand < OPERAND_SCRATCH) {
    let input = operand >= OPERAND_INPUT;
    let place = select(at.constants + 2u * index, at.inputs + index * at.lane_count + at.lane, input);
    word = U256(lanes_in[place], lanes_in[place + select(1u, at.lane_count, input)]);
  } else if (operand != OPERAND_NONE) {
    let place = at.scratch + index * PROGRAM_SCRATCH_VECTORS;
    word = U256(lanes_out[place], lanes_out[place + WORKGROUP_SIZE]);
  }
  return word;
}

/// A rate block from 40 limbs in byte order, less the first 2 * skip. skip < 4.
fn program_block(w0: U256, w1: U256, w2: U256, w3: U256, w4: U256, skip: u32) -> KeccakBlock {
  let four = (skip & 2u) != 0u;
  let two = (skip & 1u) != 0u;
  let p0 = select(w0.lo, w0.hi, four);
  let p1 = select(w0.hi, w1.lo, four);
  let p2 = select(w1.lo, w1.hi, four);
  let p3 = select(w1.hi, w2.lo, four);
  let p4 = select(w2.lo, w2.hi, four);
  let p5 = select(w2.hi, w3.lo, four);
  let p6 = select(w3.lo, w3.hi, four);
  let p7 = select(w3.hi, w4.lo, four);
  let p8 = select(w4.lo, w4.hi, four);
  let q0 = select(p0, vec4<u32>(p0.zw, p1.xy), two);
  let q1 = select(p1, vec4<u32>(p1.zw, p2.xy), two);
  let q2 = select(p2, vec4<u32>(p2.zw, p3.xy), two);
  let q3 = select(p3, vec4<u32>(p3.zw, p4.xy), two);
  let q4 = select(p4, vec4<u32>(p4.zw, p5.xy), two);
  let q5 = select(p5, vec4<u32>(p5.zw, p6.xy), two);
  let q6 = select(p6, vec4<u32>(p6.zw, p7.xy), two);
  let q7 = select(p7, vec4<u32>(p7.zw, p8.xy), two);
  let q8 = select(p8.xy, vec2<u32>(p8.zw), two);
  return KeccakBlock(array<u32, KECCAK_RATE_LIMBS>(
    q0.x, q0.y, q0.z, q0.w, q1.x, q1.y, q1.z, q1.w, q2.x, q2.y, q2.z, q2.w,
    q3.x, q3.y, q3.z, q3.w, q4.x, q4.y, q4.z, q4.w, q5.x, q5.y, q5.z, q5.w,
    q6.x, q6.y, q6.z, q6.w, q7.x, q7.y, q7.z, q7.w, q8.x, q8.y,
  ));
}

/// Digest of a, b, c where blocks is 0, else of the words in scratch from `place` on; padding is in them.
fn program_keccak(a: U256, b: U256, c: U256, blocks: u32, place: u32) -> U256 {
  var state = keccak_zero();
  var w0 = u256_reverse_bytes(a);
  var w1 = u256_reverse_bytes(b);
  var w2 = u256_reverse_bytes(c);
  var w3 = U256_ZERO;
  // The last byte of a block's padding.
  var w4 = U256(vec4<u32>(0u, 0x80000000u, 0u, 0u), vec4<u32>(0u));
  for (var block = 0u; block < max(blocks, 1u); block++) {
    if (blocks != 0u) {
      var next = place + ((block * 17u) >> 2u) * PROGRAM_SCRATCH_VECTORS;
      for (var i = 0u; i < 5u; i++) {
        w0 = w1;
        w1 = w2;
        w2 = w3;
        w3 = w4;
        w4 = u256_reverse_bytes(U256(lanes_out[next], lanes_out[next + WORKGROUP_SIZE]));
        next += PROGRAM_SCRATCH_VECTORS;
      }
    }
    state = keccak_f(keccak_absorb(state, program_block(w0, w1, w2, w3, w4, block & 3u)));
  }
  return keccak_digest(state);
}

/// Change of gas or of the refund counter by an SSTORE, its cold part apart. `dirty`, the price of a dirty slot, tells
/// the forks apart: GAS_WARM from Berlin on (EIP-2929).
fn program_sstore(original: U256, current: U256, next: U256, mode: u32, dirty: u32) -> u32 {
  let reset = select(GAS_SSTORE_RESET, GAS_SSTORE_RESET - GAS_COLD_SLOAD, dirty == GAS_WARM);
  let clears = select(REFUND_SSTORE_CLEAR_FRONTIER, REFUND_SSTORE_CLEAR, mode == PROGRAM_MODE_SSTORE_REFUND);
  let costs = evm_store(original, current, next, dirty, reset, clears);
  return select(costs.x, costs.y, mode != PROGRAM_MODE_SSTORE_GAS);
}

fn program_scalar(a: U256, b: u32, mode: u32) -> u32 {
  let x = u256_low(a);
  var result = x + select(b, 0u - b, mode == PROGRAM_MODE_SCALAR_SUBTRACT);
  if (mode == PROGRAM_MODE_SCALAR_MULTIPLY) {
    result = x * b;
  } else if (mode == PROGRAM_MODE_SCALAR_CALL_GAS) {
    result = evm_call_gas(a, b);
  } else if (mode == PROGRAM_MODE_SCALAR_BYTE_LENGTH) {
    result = u256_byte_length(a);
  }
  return result;
}

fn program_account(id: u32, b: u32, mode: u32, index: u32) -> U256 {
  let first = select(ACCOUNT_ADDRESS_AT, ACCOUNT_BALANCE_AT, mode == PROGRAM_MODE_ACCOUNT_BALANCE);
  let v0 = state_account_vector(id, first);
  let v1 = state_account_vector(id, first + 1u);
  var word = U256(v0, select(vec4<u32>(v1.x, 0u, 0u, 0u), v1, mode == PROGRAM_MODE_ACCOUNT_BALANCE));
  if (mode == PROGRAM_MODE_ACCOUNT_INSTANCE) {
    let missing = id == MISSING;
    let place = select(min(2u * (v1.z + index), arrayLength(&state_constants) - 2u), 0u, missing);
    word = u256_select(U256(state_constants[place], state_constants[place + 1u]), U256_ZERO, missing);
  } else if (mode >= PROGRAM_MODE_ACCOUNT_EXISTS) {
    let code = select(v1.y == b, v1.y != 0u, mode == PROGRAM_MODE_ACCOUNT_HAS_CODE);
    let flag = select(code, (v1.w & ACCOUNT_FLAG_EXISTS) != 0u, mode == PROGRAM_MODE_ACCOUNT_EXISTS);
    word = u256_from_bool(flag);
  }
  return word;
}

@compute @workgroup_size(64)
fn path_program(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let number = workgroup.x + workgroup.y * workgroups.x;
  if (number >= lane_environment.count) {
    return;
  }
  let entry = lanes_in[lane_environment.list_at + number];
  let header = lanes_in[entry.x];
  let bases = lanes_in[entry.x + 1u];
  let area = lanes_in[entry.x + 2u];
  let lane = entry.y + local;
  if (lane >= header.w) {
    return;
  }
  let scratch = area.x + (entry.y / WORKGROUP_SIZE) * area.y + local;
  let at = ProgramLane(header.x, header.z, header.w, bases.x, bases.y, bases.z, bases.w, scratch, lane, local);
  var exit = EXIT_NONE;
  var missed = false;
  for (var step = 0u; step < MAX_PROGRAM_VECTORS; step++) {
    if (step >= header.y) {
      break;
    }
    let instruction = lanes_in[at.code + step];
    let opcode = instruction.x & INSTRUCTION_OPCODE_MASK;
    let mode = (instruction.x >> INSTRUCTION_MODE_SHIFT) & INSTRUCTION_MODE_MASK;
    let immediate = instruction.z >> 16u;
    let column = instruction.w & 0xffffu;
    let a = program_operand(instruction.y & 0xffffu, at);
    let b = program_operand(instruction.y >> 16u, at);
    let c = program_operand(instruction.z & 0xffffu, at);
    var word = a;
    if (opcode < PROGRAM_OP_SSTORE) {
      if (opcode < PROGRAM_OP_FIELD) {
        if (opcode < PROGRAM_OP_SUM) {
          if (opcode == PROGRAM_OP_PICK) {
            word = u256_from_u32(select(a.lo.x, a.lo.y, mode == PROGRAM_MODE_PICK_SECOND));
          } else if (opcode == PROGRAM_OP_LOGIC) {
            word = evm_logic(a, b, mode);
          }
        } else if (opcode == PROGRAM_OP_SUM) {
          word = evm_sum(a, b, mode == MODE_SUM_SUBTRACT);
        } else {
          word = evm_compare(a, b, mode);
        }
      } else if (opcode < PROGRAM_OP_SCALAR) {
        if (opcode == PROGRAM_OP_FIELD) {
          var shifted = a;
          if ((immediate & PROGRAM_SHIFT_RIGHT) == 0u) {
            shifted = u256_shift_left(a, immediate & PROGRAM_SHIFT_MASK);
          } else {
            shifted = u256_shift_right(a, immediate & PROGRAM_SHIFT_MASK);
          }
          word = U256((shifted.lo & ~b.lo) | c.lo, (shifted.hi & ~b.hi) | c.hi);
        } else {
          word = evm_shift(a, b, mode);
        }
      } else if (opcode == PROGRAM_OP_SCALAR) {
        word = u256_from_u32(program_scalar(a, b.lo.x, mode));
      } else {
        word = evm_bytes(a, b, mode);
      }
    } else if (opcode < PROGRAM_OP_MUL) {
      if (opcode < PROGRAM_OP_FIND_SLOT) {
        if (opcode == PROGRAM_OP_SSTORE) {
          word = u256_from_u32(program_sstore(a, b, c, mode, immediate));
        } else if (opcode == PROGRAM_OP_LOAD) {
          word = state_slot_value(a.lo.x);
          if (at.hints != 0u) {
            let hint = at.hints + HINT_COLUMNS * immediate * at.lane_count + lane;
            let told = U256(lanes_in[hint], lanes_in[hint + at.lane_count]);
            word = u256_select(word, told, lanes_in[hint + 2u * at.lane_count].x == a.lo.x);
          }
        } else {
          word = program_account(a.lo.x, b.lo.x, mode, immediate);
        }
      } else if (opcode == PROGRAM_OP_KECCAK) {
        word = program_keccak(a, b, c, mode, at.scratch + immediate * PROGRAM_SCRATCH_VECTORS);
      } else {
        var id = MISSING;
        var key = b;
        if (opcode == PROGRAM_OP_FIND_SLOT) {
          id = state_slot(a.lo.x, b);
        } else {
          id = state_account(a);
          key = a;
        }
        lanes_out[at.outputs + column * at.lane_count + lane][mode] = id;
        if (id == MISSING) {
          missed = true;
          let place = at.keys + immediate * at.lane_count + lane;
          lanes_out[place] = key.lo;
          lanes_out[place + at.lane_count] = key.hi;
        }
        word = u256_from_u32(id);
      }
    } else if (opcode < PROGRAM_OP_EXP) {
      if (opcode == PROGRAM_OP_MUL) {
        word = u256_mul(a, b);
      } else if (opcode == PROGRAM_OP_DIVIDE) {
        word = evm_divide(a, b, mode);
      } else {
        word = evm_modular(a, b, c, mode == MODE_MODULAR_MULTIPLY);
      }
    } else if (opcode == PROGRAM_OP_EXP) {
      word = u256_exp(a, b);
    } else {
      let outcome = select(exit, EXIT_MISS, missed & (exit == EXIT_NONE));
      lanes_out[at.outputs + lane] = vec4<u32>(outcome, a.lo.x, b.lo.x, 0u);
    }
    word.lo.x ^= select(0u, 1u, (instruction.x & PROGRAM_INVERT) != 0u);
    let guard = instruction.w >> 16u;
    if (guard != 0u) {
      exit = select(exit, guard, (exit == EXIT_NONE) & !missed & (word.lo.x == 0u));
    }
    let result = instruction.x >> 16u;
    if (result < OPERAND_CONSTANT) {
      let place = result * PROGRAM_SCRATCH_VECTORS + local;
      program_registers[place] = word.lo;
      program_registers[place + WORKGROUP_SIZE] = word.hi;
    } else if (result != OPERAND_NONE) {
      let place = at.scratch + (result & OPERAND_INDEX_MASK) * PROGRAM_SCRATCH_VECTORS;
      lanes_out[place] = word.lo;
      lanes_out[place + WORKGROUP_SIZE] = word.hi;
    }
    if ((column != OPERAND_NONE) & (opcode != PROGRAM_OP_FIND_SLOT) & (opcode != PROGRAM_OP_FIND_ACCOUNT)) {
      let place = at.outputs + column * at.lane_count + lane;
      lanes_out[place] = word.lo;
      lanes_out[place + at.lane_count] = word.hi;
    }
  }
}
