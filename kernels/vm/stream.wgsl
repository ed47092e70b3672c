import package::u256::u256::U256;
import package::keccak::keccak::{KeccakBlock, keccak_absorb, keccak_digest, keccak_f_short, keccak_zero};
import package::layout::word::{KECCAK_RATE_BYTES, KECCAK_RATE_LIMBS};
import package::lane::lane::{lanes_in, lanes_out};
import package::vm::lane::{vm_stride, vm_turns, vm_vector};

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
    v = lanes_out[source.base + k * select(vm_stride, 1u, source.kind == VM_SOURCE_WAVE)];
  }
  return v;
}

/// 16 bytes from byte p of a source on, which begin in vector a and may end in b, the next one.
fn vm_shift(a: vec4<u32>, b: vec4<u32>, p: i32, limit: u32) -> vec4<u32> {
  let two = (p & 8) != 0;
  let one = (p & 4) != 0;
  let p0 = select(a, vec4<u32>(a.zw, b.xy), two);
  let p1 = select(b, vec4<u32>(b.zw, 0u, 0u), two);
  let q0 = select(p0, vec4<u32>(p0.yzw, p1.x), one);
  let next = select(p1.x, p1.y, one);
  let bits = vec4<u32>((u32(p) & 3u) * 8u);
  let upper = vec4<u32>(q0.yzw, next) << ((vec4<u32>(32u) - bits) & vec4<u32>(31u));
  let v = (q0 >> bits) | select(upper, vec4<u32>(0u), bits == vec4<u32>(0u));
  return v & vm_byte_mask(i32(min(limit, 0x7fffffffu)) - p);
}

/// Moves `length` bytes to byte `to` behind vector `base` of the arena; `backward` where an overlap asks for it. With
/// base 0 nothing is stored, and the last 32 bytes moved are returned. Each vector of the source is loaded once.
fn vm_move(source: VmSource, base: u32, to: u32, length: u32, backward: bool) -> U256 {
  var word = U256(vec4<u32>(0u), vec4<u32>(0u));
  let first = to >> 4u;
  let count = select(((to + length - 1u) >> 4u) + 1u - first, 0u, length == 0u);
  // Byte of the source that comes to byte 0 of the first vector; before the source the bytes have no meaning.
  let start = i32(source.position + 16u * first - to);
  let turns = select(count + 1u, 0u, count == 0u);
  var before = vec4<u32>(0u);
  for (var n = 0u; n < turns; n++) {
    let index = (start >> 4u) + i32(select(n, count - n, backward));
    let loaded = vm_source_vector(source, index);
    if (n != 0u) {
      let k = select(n - 1u, count - n, backward);
      let v = vm_shift(select(before, loaded, backward), select(loaded, before, backward), start + i32(16u * k), source.limit);
      if (base != 0u) {
        let place = vm_vector(base, first + k);
        let at = i32(16u * (first + k));
        let keep = vm_byte_mask(i32(to) - at) | ~vm_byte_mask(i32(to + length) - at);
        lanes_out[place] = (lanes_out[place] & keep) | (v & ~keep);
      } else {
        word = U256(word.hi, v);
      }
    }
    before = loaded;
  }
  return word;
}

/// keccak-256 of `length` bytes of a source from its position on.
fn vm_keccak(source: VmSource, length: u32) -> U256 {
  var state = keccak_zero();
  let blocks = length / KECCAK_RATE_BYTES + 1u;
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
    var before = q0;
    let start = i32(source.position + block * KECCAK_RATE_BYTES);
    let left_of_block = i32(length) - i32(block * KECCAK_RATE_BYTES);
    for (var i = 0u; i < vm_turns(10u); i++) {
      q0 = q1;
      q1 = q2;
      q2 = q3;
      q3 = q4;
      q4 = q5;
      q5 = q6;
      q6 = q7;
      q7 = q8;
      let loaded = vm_source_vector(source, (start >> 4u) + i32(i));
      let left = left_of_block - 16 * i32(i) + 16;
      q8 = vm_shift(before, loaded, start, 0x7fffffffu) & vm_byte_mask(left);
      // The padding: 0x01 behind the last byte.
      q8 |= (vm_byte_mask(left + 1) ^ vm_byte_mask(left)) & vec4<u32>(0x01010101u);
      before = loaded;
    }
    let last = select(0u, 0x80000000u, block + 1u == blocks);
    state = keccak_f_short(keccak_absorb(state, KeccakBlock(array<u32, KECCAK_RATE_LIMBS>(
      q0.x, q0.y, q0.z, q0.w, q1.x, q1.y, q1.z, q1.w, q2.x, q2.y, q2.z, q2.w,
      q3.x, q3.y, q3.z, q3.w, q4.x, q4.y, q4.z, q4.w, q5.x, q5.y, q5.z, q5.w,
      q6.x, q6.y, q6.z, q6.w, q7.x, q7.y, q7.z, q7.w, q8.x, q8.y | last,
    ))));
  }
  return keccak_digest(state);
}
