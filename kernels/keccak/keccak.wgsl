import package::u256::u256::{U256, u256_reverse_bytes};
import package::layout::word::KECCAK_RATE_LIMBS;

/// The 1600-bit state: lane i (x + 5 y in FIPS 202) as its low half a<i>l and its high half a<i>h. Named members
/// instead of an array keep it in registers on every driver.
struct KeccakState {
  a0l: u32, a0h: u32,
  a1l: u32, a1h: u32,
  a2l: u32, a2h: u32,
  a3l: u32, a3h: u32,
  a4l: u32, a4h: u32,
  a5l: u32, a5h: u32,
  a6l: u32, a6h: u32,
  a7l: u32, a7h: u32,
  a8l: u32, a8h: u32,
  a9l: u32, a9h: u32,
  a10l: u32, a10h: u32,
  a11l: u32, a11h: u32,
  a12l: u32, a12h: u32,
  a13l: u32, a13h: u32,
  a14l: u32, a14h: u32,
  a15l: u32, a15h: u32,
  a16l: u32, a16h: u32,
  a17l: u32, a17h: u32,
  a18l: u32, a18h: u32,
  a19l: u32, a19h: u32,
  a20l: u32, a20h: u32,
  a21l: u32, a21h: u32,
  a22l: u32, a22h: u32,
  a23l: u32, a23h: u32,
  a24l: u32, a24h: u32,
}

/// A rate block of keccak-256: 136 bytes in order, four to a u32, the first in the low bits.
struct KeccakBlock {
  w: array<u32, KECCAK_RATE_LIMBS>,
}

fn keccak_zero() -> KeccakState {
  return KeccakState();
}

/// The state after absorbing the padded 32 bytes of a word, most significant byte first as the EVM hashes it. Call
/// keccak_f on it for the digest. The padding of keccak-256 (0x01 .. 0x80, not SHA-3's 0x06) is part of it.
fn keccak_init_32(a: U256) -> KeccakState {
  let first = u256_reverse_bytes(a);
  var s = KeccakState();
  s.a0l = first.lo.x;
  s.a0h = first.lo.y;
  s.a1l = first.lo.z;
  s.a1h = first.lo.w;
  s.a2l = first.hi.x;
  s.a2h = first.hi.y;
  s.a3l = first.hi.z;
  s.a3h = first.hi.w;
  s.a4l = 1u;
  s.a16h = 0x80000000u;
  return s;
}

/// The same for the 64 bytes a . b: the slot of a mapping entry is the digest of key . position.
fn keccak_init_64(a: U256, b: U256) -> KeccakState {
  var s = keccak_init_32(a);
  let second = u256_reverse_bytes(b);
  s.a4l = second.lo.x;
  s.a4h = second.lo.y;
  s.a5l = second.lo.z;
  s.a5h = second.lo.w;
  s.a6l = second.hi.x;
  s.a6h = second.hi.y;
  s.a7l = second.hi.z;
  s.a7h = second.hi.w;
  s.a8l = 1u;
  return s;
}

/// The same for the low 20 bytes of a word: an address as the bloom filter and the state trie hash it.
fn keccak_init_20(address: U256) -> KeccakState {
  let bytes = u256_reverse_bytes(address);
  var s = KeccakState();
  s.a0l = bytes.lo.w;
  s.a0h = bytes.hi.x;
  s.a1l = bytes.hi.y;
  s.a1h = bytes.hi.z;
  s.a2l = bytes.hi.w;
  s.a2h = 1u;
  s.a16h = 0x80000000u;
  return s;
}

/// Adds one rate block to the state; the caller pads the last block and calls keccak_f after each.
fn keccak_absorb(state: KeccakState, block: KeccakBlock) -> KeccakState {
  var s = state;
  s.a0l ^= block.w[0];
  s.a0h ^= block.w[1];
  s.a1l ^= block.w[2];
  s.a1h ^= block.w[3];
  s.a2l ^= block.w[4];
  s.a2h ^= block.w[5];
  s.a3l ^= block.w[6];
  s.a3h ^= block.w[7];
  s.a4l ^= block.w[8];
  s.a4h ^= block.w[9];
  s.a5l ^= block.w[10];
  s.a5h ^= block.w[11];
  s.a6l ^= block.w[12];
  s.a6h ^= block.w[13];
  s.a7l ^= block.w[14];
  s.a7h ^= block.w[15];
  s.a8l ^= block.w[16];
  s.a8h ^= block.w[17];
  s.a9l ^= block.w[18];
  s.a9h ^= block.w[19];
  s.a10l ^= block.w[20];
  s.a10h ^= block.w[21];
  s.a11l ^= block.w[22];
  s.a11h ^= block.w[23];
  s.a12l ^= block.w[24];
  s.a12h ^= block.w[25];
  s.a13l ^= block.w[26];
  s.a13h ^= block.w[27];
  s.a14l ^= block.w[28];
  s.a14h ^= block.w[29];
  s.a15l ^= block.w[30];
  s.a15h ^= block.w[31];
  s.a16l ^= block.w[32];
  s.a16h ^= block.w[33];
  return s;
}

/// The first 32 bytes of the state as the word that KECCAK256 pushes.
fn keccak_digest(s: KeccakState) -> U256 {
  return u256_reverse_bytes(U256(vec4<u32>(s.a0l, s.a0h, s.a1l, s.a1h), vec4<u32>(s.a2l, s.a2h, s.a3l, s.a3h)));
}

/// keccak-f[1600] (FIPS 202, 3.3): 24 rounds, two to a turn of the loop, each with constant places. Unrolled further it
/// compiles four times as long for a quarter more speed on lavapipe, and gains nothing on SwiftShader
/// (docs/decisions/0002-kernel-forms.md).
fn keccak_f(state: KeccakState) -> KeccakState {
  var s = state;
  for (var pair = 0u; pair < 12u; pair++) {
    s = keccak_round(s, 2u * pair);
    s = keccak_round(s, 2u * pair + 1u);
  }
  return s;
}

/// The same, one round to a turn: half the code, for kernels that hash now and then.
fn keccak_f_short(state: KeccakState) -> KeccakState {
  var s = state;
  for (var round = 0u; round < 24u; round++) {
    s = keccak_round(s, round);
  }
  return s;
}

/// The round constants of iota have bits at 0, 1, 3, 7, 15, 31 and 63 only: one mask over the rounds for each. A table
/// indexed by the loop's counter would make Mesa unroll the loop whole.
fn keccak_round_constant(round: u32) -> vec2<u32> {
  var low = (0x50f4f1u >> round) & 1u;
  low |= ((0xdb916u >> round) & 1u) << 1u;
  low |= ((0x8c7f94u >> round) & 1u) << 3u;
  low |= ((0x327356u >> round) & 1u) << 7u;
  low |= ((0xb5d4deu >> round) & 1u) << 15u;
  low |= ((0xd81c68u >> round) & 1u) << 31u;
  return vec2<u32>(low, ((0xbbe0ccu >> round) & 1u) << 31u);
}

fn keccak_round(state: KeccakState, round: u32) -> KeccakState {
  var s = state;
  // theta
  let c0l = s.a0l ^ s.a5l ^ s.a10l ^ s.a15l ^ s.a20l;
  let c0h = s.a0h ^ s.a5h ^ s.a10h ^ s.a15h ^ s.a20h;
  let c1l = s.a1l ^ s.a6l ^ s.a11l ^ s.a16l ^ s.a21l;
  let c1h = s.a1h ^ s.a6h ^ s.a11h ^ s.a16h ^ s.a21h;
  let c2l = s.a2l ^ s.a7l ^ s.a12l ^ s.a17l ^ s.a22l;
  let c2h = s.a2h ^ s.a7h ^ s.a12h ^ s.a17h ^ s.a22h;
  let c3l = s.a3l ^ s.a8l ^ s.a13l ^ s.a18l ^ s.a23l;
  let c3h = s.a3h ^ s.a8h ^ s.a13h ^ s.a18h ^ s.a23h;
  let c4l = s.a4l ^ s.a9l ^ s.a14l ^ s.a19l ^ s.a24l;
  let c4h = s.a4h ^ s.a9h ^ s.a14h ^ s.a19h ^ s.a24h;
  let d0l = c4l ^ ((c1l << 1u) | (c1h >> 31u));
  let d0h = c4h ^ ((c1h << 1u) | (c1l >> 31u));
  let d1l = c0l ^ ((c2l << 1u) | (c2h >> 31u));
  let d1h = c0h ^ ((c2h << 1u) | (c2l >> 31u));
  let d2l = c1l ^ ((c3l << 1u) | (c3h >> 31u));
  let d2h = c1h ^ ((c3h << 1u) | (c3l >> 31u));
  let d3l = c2l ^ ((c4l << 1u) | (c4h >> 31u));
  let d3h = c2h ^ ((c4h << 1u) | (c4l >> 31u));
  let d4l = c3l ^ ((c0l << 1u) | (c0h >> 31u));
  let d4h = c3h ^ ((c0h << 1u) | (c0l >> 31u));
  // rho and pi: lane x, y moves to y, 2 x + 3 y.
  let t0l = s.a0l ^ d0l;
  let t0h = s.a0h ^ d0h;
  let b0l = t0l;
  let b0h = t0h;
  let t5l = s.a5l ^ d0l;
  let t5h = s.a5h ^ d0h;
  let b16l = (t5h << 4u) | (t5l >> 28u);
  let b16h = (t5l << 4u) | (t5h >> 28u);
  let t10l = s.a10l ^ d0l;
  let t10h = s.a10h ^ d0h;
  let b7l = (t10l << 3u) | (t10h >> 29u);
  let b7h = (t10h << 3u) | (t10l >> 29u);
  let t15l = s.a15l ^ d0l;
  let t15h = s.a15h ^ d0h;
  let b23l = (t15h << 9u) | (t15l >> 23u);
  let b23h = (t15l << 9u) | (t15h >> 23u);
  let t20l = s.a20l ^ d0l;
  let t20h = s.a20h ^ d0h;
  let b14l = (t20l << 18u) | (t20h >> 14u);
  let b14h = (t20h << 18u) | (t20l >> 14u);
  let t1l = s.a1l ^ d1l;
  let t1h = s.a1h ^ d1h;
  let b10l = (t1l << 1u) | (t1h >> 31u);
  let b10h = (t1h << 1u) | (t1l >> 31u);
  let t6l = s.a6l ^ d1l;
  let t6h = s.a6h ^ d1h;
  let b1l = (t6h << 12u) | (t6l >> 20u);
  let b1h = (t6l << 12u) | (t6h >> 20u);
  let t11l = s.a11l ^ d1l;
  let t11h = s.a11h ^ d1h;
  let b17l = (t11l << 10u) | (t11h >> 22u);
  let b17h = (t11h << 10u) | (t11l >> 22u);
  let t16l = s.a16l ^ d1l;
  let t16h = s.a16h ^ d1h;
  let b8l = (t16h << 13u) | (t16l >> 19u);
  let b8h = (t16l << 13u) | (t16h >> 19u);
  let t21l = s.a21l ^ d1l;
  let t21h = s.a21h ^ d1h;
  let b24l = (t21l << 2u) | (t21h >> 30u);
  let b24h = (t21h << 2u) | (t21l >> 30u);
  let t2l = s.a2l ^ d2l;
  let t2h = s.a2h ^ d2h;
  let b20l = (t2h << 30u) | (t2l >> 2u);
  let b20h = (t2l << 30u) | (t2h >> 2u);
  let t7l = s.a7l ^ d2l;
  let t7h = s.a7h ^ d2h;
  let b11l = (t7l << 6u) | (t7h >> 26u);
  let b11h = (t7h << 6u) | (t7l >> 26u);
  let t12l = s.a12l ^ d2l;
  let t12h = s.a12h ^ d2h;
  let b2l = (t12h << 11u) | (t12l >> 21u);
  let b2h = (t12l << 11u) | (t12h >> 21u);
  let t17l = s.a17l ^ d2l;
  let t17h = s.a17h ^ d2h;
  let b18l = (t17l << 15u) | (t17h >> 17u);
  let b18h = (t17h << 15u) | (t17l >> 17u);
  let t22l = s.a22l ^ d2l;
  let t22h = s.a22h ^ d2h;
  let b9l = (t22h << 29u) | (t22l >> 3u);
  let b9h = (t22l << 29u) | (t22h >> 3u);
  let t3l = s.a3l ^ d3l;
  let t3h = s.a3h ^ d3h;
  let b5l = (t3l << 28u) | (t3h >> 4u);
  let b5h = (t3h << 28u) | (t3l >> 4u);
  let t8l = s.a8l ^ d3l;
  let t8h = s.a8h ^ d3h;
  let b21l = (t8h << 23u) | (t8l >> 9u);
  let b21h = (t8l << 23u) | (t8h >> 9u);
  let t13l = s.a13l ^ d3l;
  let t13h = s.a13h ^ d3h;
  let b12l = (t13l << 25u) | (t13h >> 7u);
  let b12h = (t13h << 25u) | (t13l >> 7u);
  let t18l = s.a18l ^ d3l;
  let t18h = s.a18h ^ d3h;
  let b3l = (t18l << 21u) | (t18h >> 11u);
  let b3h = (t18h << 21u) | (t18l >> 11u);
  let t23l = s.a23l ^ d3l;
  let t23h = s.a23h ^ d3h;
  let b19l = (t23h << 24u) | (t23l >> 8u);
  let b19h = (t23l << 24u) | (t23h >> 8u);
  let t4l = s.a4l ^ d4l;
  let t4h = s.a4h ^ d4h;
  let b15l = (t4l << 27u) | (t4h >> 5u);
  let b15h = (t4h << 27u) | (t4l >> 5u);
  let t9l = s.a9l ^ d4l;
  let t9h = s.a9h ^ d4h;
  let b6l = (t9l << 20u) | (t9h >> 12u);
  let b6h = (t9h << 20u) | (t9l >> 12u);
  let t14l = s.a14l ^ d4l;
  let t14h = s.a14h ^ d4h;
  let b22l = (t14h << 7u) | (t14l >> 25u);
  let b22h = (t14l << 7u) | (t14h >> 25u);
  let t19l = s.a19l ^ d4l;
  let t19h = s.a19h ^ d4h;
  let b13l = (t19l << 8u) | (t19h >> 24u);
  let b13h = (t19h << 8u) | (t19l >> 24u);
  let t24l = s.a24l ^ d4l;
  let t24h = s.a24h ^ d4h;
  let b4l = (t24l << 14u) | (t24h >> 18u);
  let b4h = (t24h << 14u) | (t24l >> 18u);
  // chi, and iota on lane 0.
  let constant = keccak_round_constant(round);
  s.a0l = b0l ^ (~b1l & b2l) ^ constant.x;
  s.a0h = b0h ^ (~b1h & b2h) ^ constant.y;
  s.a1l = b1l ^ (~b2l & b3l);
  s.a1h = b1h ^ (~b2h & b3h);
  s.a2l = b2l ^ (~b3l & b4l);
  s.a2h = b2h ^ (~b3h & b4h);
  s.a3l = b3l ^ (~b4l & b0l);
  s.a3h = b3h ^ (~b4h & b0h);
  s.a4l = b4l ^ (~b0l & b1l);
  s.a4h = b4h ^ (~b0h & b1h);
  s.a5l = b5l ^ (~b6l & b7l);
  s.a5h = b5h ^ (~b6h & b7h);
  s.a6l = b6l ^ (~b7l & b8l);
  s.a6h = b6h ^ (~b7h & b8h);
  s.a7l = b7l ^ (~b8l & b9l);
  s.a7h = b7h ^ (~b8h & b9h);
  s.a8l = b8l ^ (~b9l & b5l);
  s.a8h = b8h ^ (~b9h & b5h);
  s.a9l = b9l ^ (~b5l & b6l);
  s.a9h = b9h ^ (~b5h & b6h);
  s.a10l = b10l ^ (~b11l & b12l);
  s.a10h = b10h ^ (~b11h & b12h);
  s.a11l = b11l ^ (~b12l & b13l);
  s.a11h = b11h ^ (~b12h & b13h);
  s.a12l = b12l ^ (~b13l & b14l);
  s.a12h = b12h ^ (~b13h & b14h);
  s.a13l = b13l ^ (~b14l & b10l);
  s.a13h = b13h ^ (~b14h & b10h);
  s.a14l = b14l ^ (~b10l & b11l);
  s.a14h = b14h ^ (~b10h & b11h);
  s.a15l = b15l ^ (~b16l & b17l);
  s.a15h = b15h ^ (~b16h & b17h);
  s.a16l = b16l ^ (~b17l & b18l);
  s.a16h = b16h ^ (~b17h & b18h);
  s.a17l = b17l ^ (~b18l & b19l);
  s.a17h = b17h ^ (~b18h & b19h);
  s.a18l = b18l ^ (~b19l & b15l);
  s.a18h = b18h ^ (~b19h & b15h);
  s.a19l = b19l ^ (~b15l & b16l);
  s.a19h = b19h ^ (~b15h & b16h);
  s.a20l = b20l ^ (~b21l & b22l);
  s.a20h = b20h ^ (~b21h & b22h);
  s.a21l = b21l ^ (~b22l & b23l);
  s.a21h = b21h ^ (~b22h & b23h);
  s.a22l = b22l ^ (~b23l & b24l);
  s.a22h = b22h ^ (~b23h & b24h);
  s.a23l = b23l ^ (~b24l & b20l);
  s.a23h = b23h ^ (~b24h & b20h);
  s.a24l = b24l ^ (~b20l & b21l);
  s.a24h = b24h ^ (~b20h & b21h);
  return s;
}
