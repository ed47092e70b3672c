import package::u256::u256::{U256, U256_ZERO, u256_fits_u32, u256_from_bool, u256_from_u32, u256_low, u256_reverse_bytes, u256_select};
import package::u256::add::{u256_add_carry, u256_is_negative, u256_negate_if, u256_limb_add};
import package::u256::bits::{u256_byte, u256_byte_length, u256_clz, u256_signextend};
import package::u256::compare::{u256_eq, u256_is_zero, u256_lt};
import package::u256::div::u256_divmod;
import package::u256::exp::u256_exp;
import package::u256::modular::u256_mod_wide;
import package::u256::mul::{U512, u256_mul, u256_mul_wide};
import package::u256::shift::{u256_shift_left, u256_shift_right};
import package::keccak::keccak::{KeccakBlock, KeccakState, keccak_absorb, keccak_digest, keccak_f, keccak_zero};
import package::lane::lane::{lane_environment, lanes_in, lanes_out};
import package::state::state::{MISSING, state_account, state_account_vector, state_constants, state_slot, state_slot_value};

/// Runs path programs: layout of instructions, groups and waves in transpiler/layout/program.ts.
///
/// All lanes of a workgroup run the same instructions, so that every branch on an instruction's fields is uniform. A lane whose
/// guard failed goes on with harmless values: ids come from look-ups or are MISSING, everything else is arithmetic.

const PROGRAM_NONE = 0xffffu;
const PROGRAM_EXIT_MISS = 0xffffffffu;
/// Instructions that one dispatch runs at most: MAX_PROGRAM_VECTORS.
const PROGRAM_STEPS = 16384u;
const PROGRAM_WORKGROUP = 64u;

/// Word registers: [register][half][lane].
var<workgroup> program_registers: array<vec4<u32>, 1024>;

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
  let index = operand & 0x3fffu;
  var word = U256_ZERO;
  if (operand < 0x4000u) {
    let place = index * 2u * PROGRAM_WORKGROUP + at.local;
    word = U256(program_registers[place], program_registers[place + PROGRAM_WORKGROUP]);
  } else if (operand < 0xc000u) {
    let input = operand >= 0x8000u;
    let place = select(at.constants + 2u * index, at.inputs + index * at.lane_count + at.lane, input);
    word = U256(lanes_in[place], lanes_in[place + select(1u, at.lane_count, input)]);
  } else if (operand != PROGRAM_NONE) {
    let place = at.scratch + index * 2u * PROGRAM_WORKGROUP;
    word = U256(lanes_out[place], lanes_out[place + PROGRAM_WORKGROUP]);
  }
  return word;
}

/// The 40 limbs of five words in byte order, less the first 2 * skip, as a rate block. skip < 4.
fn program_block(w0: U256, w1: U256, w2: U256, w3: U256, w4: U256, skip: u32) -> KeccakBlock {
  var q = array<vec4<u32>, 10>(w0.lo, w0.hi, w1.lo, w1.hi, w2.lo, w2.hi, w3.lo, w3.hi, w4.lo, w4.hi);
  let four = (skip & 2u) != 0u;
  let two = (skip & 1u) != 0u;
  for (var i = 0u; i < 9u; i++) {
    q[i] = select(q[i], q[i + 1u], four);
  }
  for (var i = 0u; i < 9u; i++) {
    q[i] = select(q[i], vec4<u32>(q[i].zw, q[i + 1u].xy), two);
  }
  return KeccakBlock(array<u32, 34>(
    q[0].x, q[0].y, q[0].z, q[0].w, q[1].x, q[1].y, q[1].z, q[1].w, q[2].x, q[2].y, q[2].z, q[2].w,
    q[3].x, q[3].y, q[3].z, q[3].w, q[4].x, q[4].y, q[4].z, q[4].w, q[5].x, q[5].y, q[5].z, q[5].w,
    q[6].x, q[6].y, q[6].z, q[6].w, q[7].x, q[7].y, q[7].z, q[7].w, q[8].x, q[8].y,
  ));
}

/// Digest of the word list at `list`.
fn program_keccak(list: u32, blocks: u32, at: ProgramLane) -> U256 {
  var state = keccak_zero();
  for (var block = 0u; block < blocks; block++) {
    var w0 = U256_ZERO;
    var w1 = U256_ZERO;
    var w2 = U256_ZERO;
    var w3 = U256_ZERO;
    var w4 = U256_ZERO;
    for (var i = 0u; i < 5u; i++) {
      let position = 5u * block + i;
      let pair = lanes_in[list + (position >> 3u)][(position >> 1u) & 3u];
      let operand = select(pair & 0xffffu, pair >> 16u, (position & 1u) != 0u);
      w0 = w1;
      w1 = w2;
      w2 = w3;
      w3 = w4;
      w4 = u256_reverse_bytes(program_operand(operand, at));
    }
    state = keccak_f(keccak_absorb(state, program_block(w0, w1, w2, w3, w4, block & 3u)));
  }
  return keccak_digest(state);
}

/// Change of gas (mode 0) or of the refund counter (mode 1) by an SSTORE to a warm slot (EIP-2200, EIP-2929, EIP-3529);
/// `clears` is the refund for a cleared slot.
fn program_sstore(original: U256, current: U256, next: U256, mode: u32, clears: u32) -> u32 {
  let original_zero = u256_is_zero(original);
  let clean = u256_eq(original, current);
  let unchanged = u256_eq(current, next);
  let gas = select(100u, select(2900u, 20000u, original_zero), clean & !unchanged);
  let cleared = select(0u, clears, !original_zero & u256_is_zero(next));
  let uncleared = select(0u, clears, !original_zero & u256_is_zero(current));
  let restored = select(0u, select(2800u, 19900u, original_zero), u256_eq(original, next));
  let refund = select(select(cleared - uncleared + restored, cleared, clean), 0u, unchanged);
  return select(gas, refund, mode != 0u);
}

/// a + b, or a - b as a + ~b + 1.
fn program_sum(a: U256, b: U256, subtract: bool) -> U256 {
  let flip = vec4<u32>(select(0u, 0xffffffffu, subtract));
  let x = U256(b.lo ^ flip, b.hi ^ flip);
  let s0 = u256_limb_add(a.lo.x, x.lo.x, flip.x & 1u);
  let s1 = u256_limb_add(a.lo.y, x.lo.y, s0.y);
  let s2 = u256_limb_add(a.lo.z, x.lo.z, s1.y);
  let s3 = u256_limb_add(a.lo.w, x.lo.w, s2.y);
  let s4 = u256_limb_add(a.hi.x, x.hi.x, s3.y);
  let s5 = u256_limb_add(a.hi.y, x.hi.y, s4.y);
  let s6 = u256_limb_add(a.hi.z, x.hi.z, s5.y);
  let s7 = u256_limb_add(a.hi.w, x.hi.w, s6.y);
  return U256(vec4<u32>(s0.x, s1.x, s2.x, s3.x), vec4<u32>(s4.x, s5.x, s6.x, s7.x));
}

fn program_compare(a: U256, b: U256, mode: u32) -> U256 {
  let flip = vec4<u32>(0u, 0u, 0u, (mode & 1u) << 31u);
  let less = u256_lt(U256(a.lo, a.hi ^ flip), U256(b.lo, b.hi ^ flip));
  return u256_from_bool(select(less, u256_eq(a, b), mode == 2u));
}

/// Amounts of 256 and more give 0, or the sign.
fn program_shift(amount: U256, word: U256, mode: u32) -> U256 {
  let inside = u256_fits_u32(amount) & (amount.lo.x < 256u);
  let n = amount.lo.x & 255u;
  let sign = vec4<u32>(select(0u, 0xffffffffu, (mode == 2u) & u256_is_negative(word)));
  let x = U256(word.lo ^ sign, word.hi ^ sign);
  var shifted = U256_ZERO;
  if (mode == 0u) {
    shifted = u256_shift_left(x, n);
  } else {
    shifted = u256_shift_right(x, n);
  }
  shifted = u256_select(U256_ZERO, shifted, inside);
  return U256(shifted.lo ^ sign, shifted.hi ^ sign);
}

fn program_scalar(a: U256, b: u32, mode: u32) -> u32 {
  let x = u256_low(a);
  var result = x + select(b, 0u - b, mode == 1u);
  if (mode == 2u) {
    result = x * b;
  } else if (mode == 3u) {
    // Gas of a callee: what was asked for, at most all but one 64th of what is left (EIP-150).
    let cap = b - b / 64u;
    result = select(cap, min(x, cap), u256_fits_u32(a));
  } else if (mode == 4u) {
    result = u256_byte_length(a);
  }
  return result;
}

fn program_account(id: u32, b: u32, mode: u32, index: u32) -> U256 {
  let first = select(0u, 2u, mode == 1u);
  let v0 = state_account_vector(id, first);
  let v1 = state_account_vector(id, first + 1u);
  var word = U256(v0, select(vec4<u32>(v1.x, 0u, 0u, 0u), v1, mode == 1u));
  if (mode == 5u) {
    let missing = id == MISSING;
    let place = select(2u * (v1.z + index), 0u, missing);
    word = u256_select(U256(state_constants[place], state_constants[place + 1u]), U256_ZERO, missing);
  } else if (mode >= 2u) {
    let flag = select(select(v1.y == b, v1.y != 0u, mode == 3u), (v1.w & 1u) != 0u, mode == 2u);
    word = u256_from_bool(flag);
  }
  return word;
}

fn program_divide(a: U256, b: U256, mode: u32) -> U256 {
  let is_signed = (mode & 1u) != 0u;
  let a_negative = is_signed & u256_is_negative(a);
  let b_negative = is_signed & u256_is_negative(b);
  let parts = u256_divmod(u256_negate_if(a, a_negative), u256_negate_if(b, b_negative));
  let rest = (mode & 2u) != 0u;
  let word = u256_select(parts.quotient, parts.remainder, rest);
  return u256_negate_if(word, select(a_negative != b_negative, a_negative, rest));
}

fn program_modular(a: U256, b: U256, c: U256, multiply: bool) -> U256 {
  var x = U512(U256_ZERO, U256_ZERO);
  if (multiply) {
    x = u256_mul_wide(a, b);
  } else {
    let total = u256_add_carry(a, b);
    x = U512(total.sum, u256_from_u32(total.carry));
  }
  return u256_mod_wide(x, c);
}

@compute @workgroup_size(64)
fn path_program(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let number = workgroup.x + workgroup.y * workgroups.x;
  if (number >= lane_environment[0].x) {
    return;
  }
  let entry = lanes_in[lane_environment[0].y + number];
  let header = lanes_in[entry.x];
  let bases = lanes_in[entry.x + 1u];
  let area = lanes_in[entry.x + 2u];
  let lane = entry.y + local;
  if (lane >= header.w) {
    return;
  }
  let scratch = area.x + (entry.y / PROGRAM_WORKGROUP) * area.y + local;
  let at = ProgramLane(header.x, header.z, header.w, bases.x, bases.y, bases.z, bases.w, scratch, lane, local);
  var exit = 0u;
  var missed = false;
  for (var step = 0u; step < PROGRAM_STEPS; step++) {
    if (step >= header.y) {
      break;
    }
    let instruction = lanes_in[at.code + step];
    let opcode = instruction.x & 0xffu;
    let mode = (instruction.x >> 8u) & 0x7fu;
    let immediate = instruction.z >> 16u;
    let column = instruction.w & 0xffffu;
    let a = program_operand(instruction.y & 0xffffu, at);
    let b = program_operand(instruction.y >> 16u, at);
    var word = a;
    if (opcode < 9u) {
      if (opcode < 5u) {
        if (opcode < 3u) {
          if (opcode == 1u) {
            word = u256_from_u32(select(a.lo.x, a.lo.y, mode == 1u));
          } else if (opcode == 2u) {
            let both = vec4<u32>(0u - (mode & 1u));
            let either = vec4<u32>(0u - (mode >> 1u));
            word = U256((a.lo & b.lo & both) | ((a.lo ^ b.lo) & either), (a.hi & b.hi & both) | ((a.hi ^ b.hi) & either));
          }
        } else if (opcode == 3u) {
          word = program_sum(a, b, mode == 1u);
        } else {
          word = program_compare(a, b, mode);
        }
      } else if (opcode < 7u) {
        if (opcode == 5u) {
          var shifted = a;
          if ((immediate & 0x100u) == 0u) {
            shifted = u256_shift_left(a, immediate & 0xffu);
          } else {
            shifted = u256_shift_right(a, immediate & 0xffu);
          }
          let c = program_operand(instruction.z & 0xffffu, at);
          word = U256((shifted.lo & ~b.lo) | c.lo, (shifted.hi & ~b.hi) | c.hi);
        } else {
          word = program_shift(a, b, mode);
        }
      } else if (opcode == 7u) {
        word = u256_from_u32(program_scalar(a, b.lo.x, mode));
      } else {
        if (mode == 0u) {
          word = u256_byte(a, b);
        } else if (mode == 1u) {
          word = u256_signextend(a, b);
        } else {
          word = u256_clz(a);
        }
      }
    } else if (opcode < 15u) {
      if (opcode < 12u) {
        if (opcode == 9u) {
          let c = program_operand(instruction.z & 0xffffu, at);
          word = u256_from_u32(program_sstore(a, b, c, mode, immediate));
        } else if (opcode == 10u) {
          word = state_slot_value(a.lo.x);
          if (at.hints != 0u) {
            let hint = at.hints + 3u * immediate * at.lane_count + lane;
            let told = U256(lanes_in[hint], lanes_in[hint + at.lane_count]);
            word = u256_select(word, told, lanes_in[hint + 2u * at.lane_count].x == a.lo.x);
          }
        } else {
          word = program_account(a.lo.x, b.lo.x, mode, immediate);
        }
      } else if (opcode == 14u) {
        word = program_keccak(at.code + immediate, mode, at);
      } else {
        var id = MISSING;
        var key = b;
        if (opcode == 12u) {
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
    } else if (opcode < 18u) {
      if (opcode == 15u) {
        word = u256_mul(a, b);
      } else if (opcode == 16u) {
        word = program_divide(a, b, mode);
      } else {
        let c = program_operand(instruction.z & 0xffffu, at);
        word = program_modular(a, b, c, mode == 1u);
      }
    } else if (opcode == 18u) {
      word = u256_exp(a, b);
    } else {
      let outcome = select(exit, PROGRAM_EXIT_MISS, missed & (exit == 0u));
      lanes_out[at.outputs + lane] = vec4<u32>(outcome, a.lo.x, b.lo.x, 0u);
    }
    word.lo.x ^= (instruction.x >> 15u) & 1u;
    let guard = instruction.w >> 16u;
    if (guard != 0u) {
      let fails = !missed & (word.lo.x == 0u) & ((exit == 0u) | (guard < exit));
      exit = select(exit, guard, fails);
    }
    let result = instruction.x >> 16u;
    if (result < 0x4000u) {
      let place = result * 2u * PROGRAM_WORKGROUP + local;
      program_registers[place] = word.lo;
      program_registers[place + PROGRAM_WORKGROUP] = word.hi;
    } else if (result != PROGRAM_NONE) {
      let place = at.scratch + (result & 0x3fffu) * 2u * PROGRAM_WORKGROUP;
      lanes_out[place] = word.lo;
      lanes_out[place + PROGRAM_WORKGROUP] = word.hi;
    }
    if ((column != PROGRAM_NONE) & (opcode != 12u) & (opcode != 13u)) {
      let place = at.outputs + column * at.lane_count + lane;
      lanes_out[place] = word.lo;
      lanes_out[place + at.lane_count] = word.hi;
    }
  }
}
