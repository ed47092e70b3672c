import package::u256::add::{u256_add_carry, u256_is_negative, u256_limb_add, u256_negate_if};
import package::u256::bits::{u256_bit_length, u256_byte, u256_clz, u256_signextend};
import package::u256::compare::{u256_eq, u256_lt};
import package::u256::div::u256_divmod;
import package::u256::modular::{u256_divmod_wide, u256_mod_wide};
import package::u256::mul::{U512, u256_mul_high, u256_mul_low, u256_mul_wide};
import package::u256::shift::{u256_shift_left, u256_shift_right};
import package::u256::u256::{U256, U256_ONE, U256_ZERO, u256_fits_u32, u256_from_bool, u256_from_u32, u256_select};
import package::layout::instruction::{MODE_BYTES_BYTE, MODE_BYTES_SIGN_EXTEND, MODE_COMPARE_EQUAL};
import package::layout::instruction::{MODE_COMPARE_SIGNED_LESS, MODE_DIVIDE_REMAINDER, MODE_DIVIDE_SIGNED};
import package::layout::instruction::{MODE_LOGIC_AND, MODE_LOGIC_XOR, MODE_MODULAR_MULTIPLY, MODE_SHIFT_LEFT};
import package::layout::instruction::MODE_SHIFT_SIGNED_RIGHT;
import package::layout::lane_vm::{VM_OP_DIVIDE, VM_OP_EXP, VM_OP_MODULAR};

/// Operations of the EVM with a mode, so that several opcodes share one site: modes are those of the instructions
/// (transpiler/layout/instruction.ts).

/// a & b, a ^ b, or their union.
fn evm_logic(a: U256, b: U256, mode: u32) -> U256 {
  let both = vec4<u32>(0u - (mode & MODE_LOGIC_AND));
  let either = vec4<u32>(0u - (mode / MODE_LOGIC_XOR));
  return U256((a.lo & b.lo & both) | ((a.lo ^ b.lo) & either), (a.hi & b.hi & both) | ((a.hi ^ b.hi) & either));
}

/// Byte a of b, b extended from byte a on, or the leading zeros of a.
fn evm_bytes(a: U256, b: U256, mode: u32) -> U256 {
  var word = U256_ZERO;
  if (mode == MODE_BYTES_BYTE) {
    word = u256_byte(a, b);
  } else if (mode == MODE_BYTES_SIGN_EXTEND) {
    word = u256_signextend(a, b);
  } else {
    word = u256_clz(a);
  }
  return word;
}

/// a + b, or a - b as a + ~b + 1.
fn evm_sum(a: U256, b: U256, subtract: bool) -> U256 {
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

fn evm_compare(a: U256, b: U256, mode: u32) -> U256 {
  let flip = vec4<u32>(0u, 0u, 0u, (mode & MODE_COMPARE_SIGNED_LESS) << 31u);
  let less = u256_lt(U256(a.lo, a.hi ^ flip), U256(b.lo, b.hi ^ flip));
  return u256_from_bool(select(less, u256_eq(a, b), mode == MODE_COMPARE_EQUAL));
}

/// Amounts of 256 and more give 0, or the sign.
fn evm_shift(amount: U256, word: U256, mode: u32) -> U256 {
  let inside = u256_fits_u32(amount) & (amount.lo.x < 256u);
  let n = amount.lo.x & 255u;
  let sign = vec4<u32>(select(0u, 0xffffffffu, (mode == MODE_SHIFT_SIGNED_RIGHT) & u256_is_negative(word)));
  let x = U256(word.lo ^ sign, word.hi ^ sign);
  var shifted = U256_ZERO;
  if (mode == MODE_SHIFT_LEFT) {
    shifted = u256_shift_left(x, n);
  } else {
    shifted = u256_shift_right(x, n);
  }
  shifted = u256_select(U256_ZERO, shifted, inside);
  return U256(shifted.lo ^ sign, shifted.hi ^ sign);
}

fn evm_divide(a: U256, b: U256, mode: u32) -> U256 {
  let is_signed = (mode & MODE_DIVIDE_SIGNED) != 0u;
  let a_negative = is_signed & u256_is_negative(a);
  let b_negative = is_signed & u256_is_negative(b);
  let parts = u256_divmod(u256_negate_if(a, a_negative), u256_negate_if(b, b_negative));
  let rest = (mode & MODE_DIVIDE_REMAINDER) != 0u;
  let word = u256_select(parts.quotient, parts.remainder, rest);
  return u256_negate_if(word, select(a_negative != b_negative, a_negative, rest));
}

fn evm_modular(a: U256, b: U256, c: U256, multiply: bool) -> U256 {
  var x = U512(U256_ZERO, U256_ZERO);
  if (multiply) {
    x = u256_mul_wide(a, b);
  } else {
    let total = u256_add_carry(a, b);
    x = U512(total.sum, u256_from_u32(total.carry));
  }
  return u256_mod_wide(x, c);
}

/// MUL, DIV and its kin, ADDMOD, MULMOD and EXP by opcode and mode of lane_vm.ts, around one multiplication and one
/// division.
///
/// EXP is the left-to-right square and multiply of u256_exp; the others that multiply do so in its first turn.
fn evm_arithmetic(opcode: u32, mode: u32, a: U256, b: U256, c: U256) -> U256 {
  let divides = opcode == VM_OP_DIVIDE;
  let is_exp = opcode == VM_OP_EXP;
  let is_signed = divides & ((mode & MODE_DIVIDE_SIGNED) != 0u);
  let a_negative = is_signed & u256_is_negative(a);
  let b_negative = is_signed & u256_is_negative(b);
  var wide = U512(u256_negate_if(a, a_negative), U256_ZERO);
  if (!divides) {
    var turns = 1u;
    var bits = 1u;
    var left = U256_ZERO;
    if (is_exp) {
      bits = u256_bit_length(b);
      let ones_of_limb = countOneBits(b.lo) + countOneBits(b.hi);
      let ones = ones_of_limb.x + ones_of_limb.y + ones_of_limb.z + ones_of_limb.w;
      turns = select(bits + ones - 2u, 0u, bits == 0u);
      left = u256_shift_left(u256_shift_left(b, 255u - min(bits - 1u, 255u)), 1u);
    }
    var multiply = false;
    var sum = vec3<u32>(0u);
    for (var i = 0u; i < turns; i++) {
      let factor = u256_select(u256_select(wide.lo, a, multiply), b, !is_exp);
      let product = u256_mul_low(wide.lo, factor);
      wide.lo = product.word;
      sum = product.sum;
      if (is_exp) {
        let bit = (left.hi.w >> 31u) != 0u;
        left = u256_select(u256_shift_left(left, 1u), left, multiply);
        multiply = !multiply & bit;
      }
    }
    wide.lo = u256_select(wide.lo, U256_ONE, is_exp & (bits == 0u));
    if ((opcode == VM_OP_MODULAR) & (mode == MODE_MODULAR_MULTIPLY)) {
      wide.hi = u256_mul_high(a, b, sum);
    } else if (opcode == VM_OP_MODULAR) {
      let total = u256_add_carry(a, b);
      wide = U512(total.sum, u256_from_u32(total.carry));
    }
  }
  var word = wide.lo;
  if (divides | (opcode == VM_OP_MODULAR)) {
    let parts = u256_divmod_wide(wide, u256_select(c, u256_negate_if(b, b_negative), divides));
    let rest = !divides | ((mode & MODE_DIVIDE_REMAINDER) != 0u);
    word = u256_select(parts.quotient, parts.remainder, rest);
    word = u256_negate_if(word, select(a_negative != b_negative, a_negative, rest));
  }
  return word;
}
