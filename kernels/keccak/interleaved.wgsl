import package::keccak::keccak::KeccakState;

/// keccak-f[1600] over an interleaved state: of lane i, a<i>l has the bits of even places and a<i>h those of odd ones
/// (Keccak implementation overview, 2.1). A rotation of 64 bits is then one of each half: on CPUs with AVX-512 one
/// instruction where a shift across halves takes three. For kernels that do nothing but hash
/// (docs/decisions/0034-hashing-in-bulk.md).

/// The next whole words of a message, as they lie; the last two of q[8] belong to the block after it.
struct KeccakQuads {
  q: array<vec4<u32>, 9>,
}

/// One word from each of x and y at a bit: where `mask` is clear, x gets bits of y, and y gets those of x.
fn keccak_swap(pair: vec2<u32>, by: u32, mask: u32) -> vec2<u32> {
  return vec2<u32>(
    (pair.x & mask) | ((pair.y << by) & ~mask),
    ((pair.x >> by) & mask) | (pair.y & ~mask),
  );
}

/// (low, high) to (even places, odd places): the six bits of a place are turned by one, each step swaps two of them.
fn keccak_interleave(low: u32, high: u32) -> vec2<u32> {
  var pair = keccak_swap(vec2<u32>(low, high), 16u, 0x0000ffffu);
  pair = keccak_swap(pair, 8u, 0x00ff00ffu);
  pair = keccak_swap(pair, 4u, 0x0f0f0f0fu);
  pair = keccak_swap(pair, 2u, 0x33333333u);
  return keccak_swap(pair, 1u, 0x55555555u);
}

/// The same backwards.
fn keccak_deinterleave(even: u32, odd: u32) -> vec2<u32> {
  var pair = keccak_swap(vec2<u32>(even, odd), 1u, 0x55555555u);
  pair = keccak_swap(pair, 2u, 0x33333333u);
  pair = keccak_swap(pair, 4u, 0x0f0f0f0fu);
  pair = keccak_swap(pair, 8u, 0x00ff00ffu);
  return keccak_swap(pair, 16u, 0x0000ffffu);
}

/// Adds one rate block to an interleaved state.
fn keccak_absorb_interleaved(state: KeccakState, block: KeccakQuads) -> KeccakState {
  var s = state;
  let x0 = keccak_interleave(block.q[0].x, block.q[0].y);
  s.a0l ^= x0.x;
  s.a0h ^= x0.y;
  let x1 = keccak_interleave(block.q[0].z, block.q[0].w);
  s.a1l ^= x1.x;
  s.a1h ^= x1.y;
  let x2 = keccak_interleave(block.q[1].x, block.q[1].y);
  s.a2l ^= x2.x;
  s.a2h ^= x2.y;
  let x3 = keccak_interleave(block.q[1].z, block.q[1].w);
  s.a3l ^= x3.x;
  s.a3h ^= x3.y;
  let x4 = keccak_interleave(block.q[2].x, block.q[2].y);
  s.a4l ^= x4.x;
  s.a4h ^= x4.y;
  let x5 = keccak_interleave(block.q[2].z, block.q[2].w);
  s.a5l ^= x5.x;
  s.a5h ^= x5.y;
  let x6 = keccak_interleave(block.q[3].x, block.q[3].y);
  s.a6l ^= x6.x;
  s.a6h ^= x6.y;
  let x7 = keccak_interleave(block.q[3].z, block.q[3].w);
  s.a7l ^= x7.x;
  s.a7h ^= x7.y;
  let x8 = keccak_interleave(block.q[4].x, block.q[4].y);
  s.a8l ^= x8.x;
  s.a8h ^= x8.y;
  let x9 = keccak_interleave(block.q[4].z, block.q[4].w);
  s.a9l ^= x9.x;
  s.a9h ^= x9.y;
  let x10 = keccak_interleave(block.q[5].x, block.q[5].y);
  s.a10l ^= x10.x;
  s.a10h ^= x10.y;
  let x11 = keccak_interleave(block.q[5].z, block.q[5].w);
  s.a11l ^= x11.x;
  s.a11h ^= x11.y;
  let x12 = keccak_interleave(block.q[6].x, block.q[6].y);
  s.a12l ^= x12.x;
  s.a12h ^= x12.y;
  let x13 = keccak_interleave(block.q[6].z, block.q[6].w);
  s.a13l ^= x13.x;
  s.a13h ^= x13.y;
  let x14 = keccak_interleave(block.q[7].x, block.q[7].y);
  s.a14l ^= x14.x;
  s.a14h ^= x14.y;
  let x15 = keccak_interleave(block.q[7].z, block.q[7].w);
  s.a15l ^= x15.x;
  s.a15h ^= x15.y;
  let x16 = keccak_interleave(block.q[8].x, block.q[8].y);
  s.a16l ^= x16.x;
  s.a16h ^= x16.y;
  return s;
}

/// keccak-f[1600]: four rounds to a turn of the loop.
fn keccak_f_interleaved(state: KeccakState) -> KeccakState {
  var s = state;
  for (var round = 0u; round < 24u; round += 4u) {
    s = keccak_round_interleaved(s, keccak_constant_even(round), keccak_constant_odd(round));
    s = keccak_round_interleaved(s, keccak_constant_even(round + 1u), keccak_constant_odd(round + 1u));
    s = keccak_round_interleaved(s, keccak_constant_even(round + 2u), keccak_constant_odd(round + 2u));
    s = keccak_round_interleaved(s, keccak_constant_even(round + 3u), keccak_constant_odd(round + 3u));
  }
  return s;
}

/// Bits of even places of iota's constants: one mask over the rounds for each that is ever set.
fn keccak_constant_even(round: u32) -> u32 {
  var even = ((0x50f4f1u >> round) & 1u);
  return even;
}

/// Of odd places.
fn keccak_constant_odd(round: u32) -> u32 {
  var odd = ((0x0db916u >> round) & 1u);
  odd |= ((0x8c7f94u >> round) & 1u) << 1u;
  odd |= ((0x327356u >> round) & 1u) << 3u;
  odd |= ((0xb5d4deu >> round) & 1u) << 7u;
  odd |= ((0xd81c68u >> round) & 1u) << 15u;
  odd |= ((0xbbe0ccu >> round) & 1u) << 31u;
  return odd;
}

/// The same, twelve rounds to a turn: 1.15 times as fast as four with vectors of 512 bits, 0.8 times with 256.
fn keccak_f_interleaved_long(state: KeccakState) -> KeccakState {
  var s = state;
  for (var turn = 0u; turn < 2u; turn++) {
    let late = turn == 1u;
    s = keccak_round_interleaved(s, select(0x00000001u, 0x00000001u, late), select(0x00000000u, 0x0000808bu, late));
    s = keccak_round_interleaved(s, select(0x00000000u, 0x00000001u, late), select(0x00000089u, 0x8000000bu, late));
    s = keccak_round_interleaved(s, select(0x00000000u, 0x00000001u, late), select(0x8000008bu, 0x8000008au, late));
    s = keccak_round_interleaved(s, select(0x00000000u, 0x00000001u, late), select(0x80008080u, 0x80000081u, late));
    s = keccak_round_interleaved(s, select(0x00000001u, 0x00000000u, late), select(0x0000008bu, 0x80000081u, late));
    s = keccak_round_interleaved(s, select(0x00000001u, 0x00000000u, late), select(0x00008000u, 0x80000008u, late));
    s = keccak_round_interleaved(s, select(0x00000001u, 0x00000000u, late), select(0x80008088u, 0x00000083u, late));
    s = keccak_round_interleaved(s, select(0x00000001u, 0x00000000u, late), select(0x80000082u, 0x80008003u, late));
    s = keccak_round_interleaved(s, select(0x00000000u, 0x00000001u, late), select(0x0000000bu, 0x80008088u, late));
    s = keccak_round_interleaved(s, select(0x00000000u, 0x00000000u, late), select(0x0000000au, 0x80000088u, late));
    s = keccak_round_interleaved(s, select(0x00000001u, 0x00000001u, late), select(0x00008082u, 0x00008000u, late));
    s = keccak_round_interleaved(s, select(0x00000000u, 0x00000000u, late), select(0x00008003u, 0x80008082u, late));
  }
  return s;
}

/// A round, row by row: a row of rho and pi is used up by chi before the next one is made.
fn keccak_round_interleaved(s: KeccakState, constant_even: u32, constant_odd: u32) -> KeccakState {
  var to = s;
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
  let d0l = c4l ^ ((c1h << 1u) | (c1h >> 31u));
  let d0h = c4h ^ c1l;
  let d1l = c0l ^ ((c2h << 1u) | (c2h >> 31u));
  let d1h = c0h ^ c2l;
  let d2l = c1l ^ ((c3h << 1u) | (c3h >> 31u));
  let d2h = c1h ^ c3l;
  let d3l = c2l ^ ((c4h << 1u) | (c4h >> 31u));
  let d3h = c2h ^ c4l;
  let d4l = c3l ^ ((c0h << 1u) | (c0h >> 31u));
  let d4h = c3h ^ c0l;
  // rho, pi and chi, a row at a time; lane x, y comes from x + 3 y, x. Iota is on lane 0.
  let t0l = s.a0l ^ d0l;
  let t0h = s.a0h ^ d0h;
  let b0l = t0l;
  let b0h = t0h;
  let t6l = s.a6l ^ d1l;
  let t6h = s.a6h ^ d1h;
  let b1l = (t6l << 22u) | (t6l >> 10u);
  let b1h = (t6h << 22u) | (t6h >> 10u);
  let t12l = s.a12l ^ d2l;
  let t12h = s.a12h ^ d2h;
  let b2l = (t12h << 22u) | (t12h >> 10u);
  let b2h = (t12l << 21u) | (t12l >> 11u);
  let t18l = s.a18l ^ d3l;
  let t18h = s.a18h ^ d3h;
  let b3l = (t18h << 11u) | (t18h >> 21u);
  let b3h = (t18l << 10u) | (t18l >> 22u);
  let t24l = s.a24l ^ d4l;
  let t24h = s.a24h ^ d4h;
  let b4l = (t24l << 7u) | (t24l >> 25u);
  let b4h = (t24h << 7u) | (t24h >> 25u);
  to.a0l = b0l ^ (~b1l & b2l) ^ constant_even;
  to.a0h = b0h ^ (~b1h & b2h) ^ constant_odd;
  to.a1l = b1l ^ (~b2l & b3l);
  to.a1h = b1h ^ (~b2h & b3h);
  to.a2l = b2l ^ (~b3l & b4l);
  to.a2h = b2h ^ (~b3h & b4h);
  to.a3l = b3l ^ (~b4l & b0l);
  to.a3h = b3h ^ (~b4h & b0h);
  to.a4l = b4l ^ (~b0l & b1l);
  to.a4h = b4h ^ (~b0h & b1h);
  let t3l = s.a3l ^ d3l;
  let t3h = s.a3h ^ d3h;
  let b5l = (t3l << 14u) | (t3l >> 18u);
  let b5h = (t3h << 14u) | (t3h >> 18u);
  let t9l = s.a9l ^ d4l;
  let t9h = s.a9h ^ d4h;
  let b6l = (t9l << 10u) | (t9l >> 22u);
  let b6h = (t9h << 10u) | (t9h >> 22u);
  let t10l = s.a10l ^ d0l;
  let t10h = s.a10h ^ d0h;
  let b7l = (t10h << 2u) | (t10h >> 30u);
  let b7h = (t10l << 1u) | (t10l >> 31u);
  let t16l = s.a16l ^ d1l;
  let t16h = s.a16h ^ d1h;
  let b8l = (t16h << 23u) | (t16h >> 9u);
  let b8h = (t16l << 22u) | (t16l >> 10u);
  let t22l = s.a22l ^ d2l;
  let t22h = s.a22h ^ d2h;
  let b9l = (t22h << 31u) | (t22h >> 1u);
  let b9h = (t22l << 30u) | (t22l >> 2u);
  to.a5l = b5l ^ (~b6l & b7l);
  to.a5h = b5h ^ (~b6h & b7h);
  to.a6l = b6l ^ (~b7l & b8l);
  to.a6h = b6h ^ (~b7h & b8h);
  to.a7l = b7l ^ (~b8l & b9l);
  to.a7h = b7h ^ (~b8h & b9h);
  to.a8l = b8l ^ (~b9l & b5l);
  to.a8h = b8h ^ (~b9h & b5h);
  to.a9l = b9l ^ (~b5l & b6l);
  to.a9h = b9h ^ (~b5h & b6h);
  let t1l = s.a1l ^ d1l;
  let t1h = s.a1h ^ d1h;
  let b10l = (t1h << 1u) | (t1h >> 31u);
  let b10h = t1l;
  let t7l = s.a7l ^ d2l;
  let t7h = s.a7h ^ d2h;
  let b11l = (t7l << 3u) | (t7l >> 29u);
  let b11h = (t7h << 3u) | (t7h >> 29u);
  let t13l = s.a13l ^ d3l;
  let t13h = s.a13h ^ d3h;
  let b12l = (t13h << 13u) | (t13h >> 19u);
  let b12h = (t13l << 12u) | (t13l >> 20u);
  let t19l = s.a19l ^ d4l;
  let t19h = s.a19h ^ d4h;
  let b13l = (t19l << 4u) | (t19l >> 28u);
  let b13h = (t19h << 4u) | (t19h >> 28u);
  let t20l = s.a20l ^ d0l;
  let t20h = s.a20h ^ d0h;
  let b14l = (t20l << 9u) | (t20l >> 23u);
  let b14h = (t20h << 9u) | (t20h >> 23u);
  to.a10l = b10l ^ (~b11l & b12l);
  to.a10h = b10h ^ (~b11h & b12h);
  to.a11l = b11l ^ (~b12l & b13l);
  to.a11h = b11h ^ (~b12h & b13h);
  to.a12l = b12l ^ (~b13l & b14l);
  to.a12h = b12h ^ (~b13h & b14h);
  to.a13l = b13l ^ (~b14l & b10l);
  to.a13h = b13h ^ (~b14h & b10h);
  to.a14l = b14l ^ (~b10l & b11l);
  to.a14h = b14h ^ (~b10h & b11h);
  let t4l = s.a4l ^ d4l;
  let t4h = s.a4h ^ d4h;
  let b15l = (t4h << 14u) | (t4h >> 18u);
  let b15h = (t4l << 13u) | (t4l >> 19u);
  let t5l = s.a5l ^ d0l;
  let t5h = s.a5h ^ d0h;
  let b16l = (t5l << 18u) | (t5l >> 14u);
  let b16h = (t5h << 18u) | (t5h >> 14u);
  let t11l = s.a11l ^ d1l;
  let t11h = s.a11h ^ d1h;
  let b17l = (t11l << 5u) | (t11l >> 27u);
  let b17h = (t11h << 5u) | (t11h >> 27u);
  let t17l = s.a17l ^ d2l;
  let t17h = s.a17h ^ d2h;
  let b18l = (t17h << 8u) | (t17h >> 24u);
  let b18h = (t17l << 7u) | (t17l >> 25u);
  let t23l = s.a23l ^ d3l;
  let t23h = s.a23h ^ d3h;
  let b19l = (t23l << 28u) | (t23l >> 4u);
  let b19h = (t23h << 28u) | (t23h >> 4u);
  to.a15l = b15l ^ (~b16l & b17l);
  to.a15h = b15h ^ (~b16h & b17h);
  to.a16l = b16l ^ (~b17l & b18l);
  to.a16h = b16h ^ (~b17h & b18h);
  to.a17l = b17l ^ (~b18l & b19l);
  to.a17h = b17h ^ (~b18h & b19h);
  to.a18l = b18l ^ (~b19l & b15l);
  to.a18h = b18h ^ (~b19h & b15h);
  to.a19l = b19l ^ (~b15l & b16l);
  to.a19h = b19h ^ (~b15h & b16h);
  let t2l = s.a2l ^ d2l;
  let t2h = s.a2h ^ d2h;
  let b20l = (t2l << 31u) | (t2l >> 1u);
  let b20h = (t2h << 31u) | (t2h >> 1u);
  let t8l = s.a8l ^ d3l;
  let t8h = s.a8h ^ d3h;
  let b21l = (t8h << 28u) | (t8h >> 4u);
  let b21h = (t8l << 27u) | (t8l >> 5u);
  let t14l = s.a14l ^ d4l;
  let t14h = s.a14h ^ d4h;
  let b22l = (t14h << 20u) | (t14h >> 12u);
  let b22h = (t14l << 19u) | (t14l >> 13u);
  let t15l = s.a15l ^ d0l;
  let t15h = s.a15h ^ d0h;
  let b23l = (t15h << 21u) | (t15h >> 11u);
  let b23h = (t15l << 20u) | (t15l >> 12u);
  let t21l = s.a21l ^ d1l;
  let t21h = s.a21h ^ d1h;
  let b24l = (t21l << 1u) | (t21l >> 31u);
  let b24h = (t21h << 1u) | (t21h >> 31u);
  to.a20l = b20l ^ (~b21l & b22l);
  to.a20h = b20h ^ (~b21h & b22h);
  to.a21l = b21l ^ (~b22l & b23l);
  to.a21h = b21h ^ (~b22h & b23h);
  to.a22l = b22l ^ (~b23l & b24l);
  to.a22h = b22h ^ (~b23h & b24h);
  to.a23l = b23l ^ (~b24l & b20l);
  to.a23h = b23h ^ (~b24h & b20h);
  to.a24l = b24l ^ (~b20l & b21l);
  to.a24h = b24h ^ (~b20h & b21h);
  return to;
}
