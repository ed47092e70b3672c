import package::u256::u256::U256;
import package::keccak::keccak::{KeccakBlock, keccak_absorb, keccak_digest, keccak_f, keccak_zero};
import package::lane::lane::{lanes_in, lanes_out};
import package::vm::lane::{VM_STRIDE};

/// Bytes on the move: 16 at a time, from any byte of a source to any byte of the lane's arena or into registers.

const VM_SOURCE_ARENA = 0u;
const VM_SOURCE_WAVE = 1u;
const VM_SOURCE_CODES = 2u;
const VM_SOURCE_WORD = 3u;

/// Bytes [position, ...) of a source whose byte 0 is in vector `base`; what lies at `limit` and behind reads as zero.
struct VmSource {
  kind: u32,
  base: u32,
  limit: u32,
  position: u32,
  /// The source of kind word: 32 bytes in order.
  word: U256,
}

/// The bytes below `count` of a vector.
fn vm_byte_mask(count: i32) -> vec4<u32> {
  let bytes = clamp(vec4<i32>(count) - vec4<i32>(0, 4, 8, 12), vec4<i32>(0), vec4<i32>(4));
  let bits = vec4<u32>(bytes * 8);
  return select((vec4<u32>(1u) << (bits & vec4<u32>(31u))) - vec4<u32>(1u), vec4<u32>(0xffffffffu), bits == vec4<u32>(32u));
}

fn vm_source_vector(source: VmSource, index: i32) -> vec4<u32> {
  let k = u32(max(index, 0));
  var v = vec4<u32>(0u);
  if (source.kind == VM_SOURCE_CODES) {
    if (16u * k < source.limit) {
      v = lanes_in[source.base + k];
    }
  } else if (source.kind == VM_SOURCE_WORD) {
    v = select(select(vec4<u32>(0u), source.word.hi, index == 1), source.word.lo, index == 0);
  } else if (16u * k < source.limit) {
    v = lanes_out[source.base + k * select(VM_STRIDE, 1u, source.kind == VM_SOURCE_WAVE)];
  }
  return v;
}

/// 16 bytes from byte p on; p may be negative, where the bytes in front of the source are of no meaning.
fn vm_fetch(source: VmSource, p: i32) -> vec4<u32> {
  let index = p >> 4u;
  let a = vm_source_vector(source, index);
  let shift = u32(p) & 15u;
  var b = vec4<u32>(0u);
  if (shift != 0u) {
    b = vm_source_vector(source, index + 1);
  }
  let two = (shift & 8u) != 0u;
  let one = (shift & 4u) != 0u;
  let p0 = select(a, vec4<u32>(a.zw, b.xy), two);
  let p1 = select(b, vec4<u32>(b.zw, 0u, 0u), two);
  let q0 = select(p0, vec4<u32>(p0.yzw, p1.x), one);
  let next = select(p1.x, p1.y, one);
  let bits = vec4<u32>((shift & 3u) * 8u);
  let upper = vec4<u32>(q0.yzw, next) << ((vec4<u32>(32u) - bits) & vec4<u32>(31u));
  let v = (q0 >> bits) | select(upper, vec4<u32>(0u), bits == vec4<u32>(0u));
  return v & vm_byte_mask(i32(min(source.limit, 0x7fffffffu)) - p);
}

/// Moves `length` bytes to byte `to` behind vector `base` of the arena. `backward` where an overlap asks for it. Returns the
/// last two vectors moved: the word, for a move of 32 bytes to byte 0; with base 0 nothing is stored.
fn vm_move(source: VmSource, base: u32, to: u32, length: u32, backward: bool) -> U256 {
  var word = U256(vec4<u32>(0u), vec4<u32>(0u));
  let first = to >> 4u;
  let count = select(((to + length - 1u) >> 4u) + 1u - first, 0u, length == 0u);
  for (var n = 0u; n < count; n++) {
    let d = first + select(n, count - 1u - n, backward);
    let v = vm_fetch(source, i32(source.position + 16u * d - to));
    if (base != 0u) {
      let place = base + d * VM_STRIDE;
      let keep = vm_byte_mask(i32(to) - i32(16u * d)) | ~vm_byte_mask(i32(to + length) - i32(16u * d));
      lanes_out[place] = (lanes_out[place] & keep) | (v & ~keep);
    } else {
      word = U256(word.hi, v);
    }
  }
  return word;
}

/// keccak-256 of `length` bytes of a source from its position on.
fn vm_keccak(source: VmSource, length: u32) -> U256 {
  var state = keccak_zero();
  let blocks = length / 136u + 1u;
  for (var block = 0u; block < blocks; block++) {
    var q0 = vec4<u32>(0u);
    var q1 = q0;
    var q2 = q0;
    var q3 = q0;
    var q4 = q0;
    var q5 = q0;
    var q6 = q0;
    var q7 = q0;
    var q8 = q0;
    for (var i = 0u; i < 9u; i++) {
      q0 = q1;
      q1 = q2;
      q2 = q3;
      q3 = q4;
      q4 = q5;
      q5 = q6;
      q6 = q7;
      q7 = q8;
      let at = block * 136u + 16u * i;
      let left = i32(length) - i32(at);
      q8 = vec4<u32>(0u);
      if (left > 0) {
        q8 = vm_fetch(source, i32(source.position + at)) & vm_byte_mask(left);
      }
      // The padding: 0x01 behind the last byte.
      q8 |= (vm_byte_mask(left + 1) ^ vm_byte_mask(left)) & vec4<u32>(0x01010101u);
    }
    let last = select(0u, 0x80000000u, block + 1u == blocks);
    state = keccak_f(keccak_absorb(state, KeccakBlock(array<u32, 34>(
      q0.x, q0.y, q0.z, q0.w, q1.x, q1.y, q1.z, q1.w, q2.x, q2.y, q2.z, q2.w,
      q3.x, q3.y, q3.z, q3.w, q4.x, q4.y, q4.z, q4.w, q5.x, q5.y, q5.z, q5.w,
      q6.x, q6.y, q6.z, q6.w, q7.x, q7.y, q7.z, q7.w, q8.x, q8.y | last,
    ))));
  }
  return keccak_digest(state);
}
