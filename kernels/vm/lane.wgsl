import package::u256::u256::{U256, U256_ZERO, u256_fits_u32};
import package::layout::gas::{GAS_MEMORY_WORD, MEMORY_QUADRATIC_DIVISOR};
import package::layout::lane_vm::{FRAME_FREE, VM_EXIT_QUOTA, VM_REGION_MEMORY};
import package::lane::lane::{lane_environment, lanes_out};

/// Registers of a lane of the lane VM, and its places in the wave store (transpiler/layout/lane_vm.ts). Module
/// variables, so that every function that a step runs through sees them: what is passed by pointer is cloned for each
/// site.

var<private> vm_lane: u32;
/// Vectors between neighbours of a lane's region: as many as arenas interleave, a power of two; and its logarithm.
var<private> vm_stride: u32;
var<private> vm_spread: u32;
/// First vector of the lane's arena.
var<private> vm_arena: u32;
var<private> vm_exit: u32;
var<private> vm_pc: u32;
/// The block to go on with before the next instruction, or VM_NONE; instructions run in this dispatch.
var<private> vm_go: u32;
var<private> vm_steps: u32;
/// Words on the stack of the frame at the start of the block, and the vector where the next one would stand.
var<private> vm_height: u32;
var<private> vm_stack: u32;
/// Gas left: limbs of 64 bits.
var<private> vm_gas: vec2<u32>;
var<private> vm_refund: u32;
var<private> vm_depth: u32;
/// Vector of the frame's record.
var<private> vm_frame: u32;
/// Vector of the code header, and what it says: instructions, constant pool, blocks, jump table; constants base of the
/// code.
var<private> vm_code: u32;
var<private> vm_shape: vec4<u32>;
/// Vector of its bytes, or 0 where the store lacks them, and their number.
var<private> vm_code_bytes: vec2<u32>;
var<private> vm_constants: u32;
var<private> vm_flags: u32;
var<private> vm_account: u32;
/// First vector of the frame's memory in region memory, and the words that it has.
var<private> vm_memory: u32;
var<private> vm_words: u32;
var<private> vm_slots: u32;
var<private> vm_accounts: u32;
var<private> vm_log_vectors: u32;
var<private> vm_logs: u32;
var<private> vm_journal: u32;
var<private> vm_transients: u32;
/// Bytes of return data; in the prologue the items done.
var<private> vm_returned: u32;
/// Micro code of the precompile that the transaction calls, 0 for any other account.
var<private> vm_native: u32;
/// What the host is asked for.
var<private> vm_asked: u32;
var<private> vm_asked_word: U256;

fn vm_columns(column: u32) -> u32 {
  return column * lane_environment.lane_count + vm_lane;
}

/// The number n, for loops that the compiler shall not unroll: it takes a load or store in a loop once, and two that
/// stand there twice as long (docs/decisions/0014-lane-vm.md).
fn vm_turns(n: u32) -> u32 {
  return min(n, lane_environment.stack_words);
}

/// Vector k of what begins with vector `at` of the lane's arena.
fn vm_vector(at: u32, k: u32) -> u32 {
  return at + (k << vm_spread);
}

/// A word of the wave store whose halves stand `stride` vectors apart.
fn vm_word(at: u32, stride: u32) -> U256 {
  var word = U256_ZERO;
  for (var half = 0u; half < vm_turns(2u); half++) {
    word = U256(word.hi, lanes_out[at + half * stride]);
  }
  return word;
}

fn vm_put_word(at: u32, word: U256) {
  for (var half = 0u; half < vm_turns(2u); half++) {
    lanes_out[vm_vector(at, half)] = select(word.lo, word.hi, half == 1u);
  }
}

/// Vector k of the lane's arena.
fn vm_at(k: u32) -> u32 {
  return vm_vector(vm_arena, k);
}

/// A request or refusal: the lane's instruction stays undone.
fn vm_leave(exit: u32, asked: u32, word: U256) {
  vm_exit = exit;
  vm_asked = asked;
  vm_asked_word = word;
}

fn vm_full(region: u32) {
  vm_leave(VM_EXIT_QUOTA, region, U256_ZERO);
}

fn vm_less(a: vec2<u32>, b: vec2<u32>) -> bool {
  return select(a.x < b.x, a.y < b.y, a.y != b.y);
}

fn vm_minus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn vm_plus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < b.x));
}

/// Takes gas, whatever the frame; false, and none is left, where it lacks.
fn vm_take(gas: u32) -> bool {
  let cost = vec2<u32>(gas, 0u);
  let enough = !vm_less(vm_gas, cost);
  vm_gas = select(vec2<u32>(0u), vm_minus(vm_gas, cost), enough);
  return enough;
}

/// Takes gas; false where it lacks. In a frame of the kernel's own nothing costs.
fn vm_charge(gas: u32) -> bool {
  return vm_take(select(gas, 0u, (vm_flags & FRAME_FREE) != 0u));
}

/// A number of bytes, or all ones where it is past every memory.
fn vm_bytes(word: U256) -> u32 {
  return select(0xffffffffu, word.lo.x, u256_fits_u32(word));
}

/// First byte behind a range, 0 for an empty one, all ones where it is past every memory.
fn vm_range_end(offset: u32, length: u32) -> u32 {
  let far = (offset > 0x3ffffffu) | (length > 0x3ffffffu);
  return select(select(offset + length, 0xffffffffu, far), 0u, length == 0u);
}

/// What `words` words of memory cost in all (YP 328). words < 2^21.
fn vm_memory_gas(words: u32) -> u32 {
  let q = words / MEMORY_QUADRATIC_DIVISOR;
  let r = words % MEMORY_QUADRATIC_DIVISOR;
  return GAS_MEMORY_WORD * words + q * words + q * r + r * r / MEMORY_QUADRATIC_DIVISOR;
}

/// Grows the frame's memory to `end` bytes; false where gas lacks. So many words cost more than 2^31; who has it needs
/// more memory than any lane.
fn vm_grow(end: u32) -> bool {
  let words = (min(end, 0x7fffffffu) + 31u) >> 5u;
  if (words <= vm_words) {
    return true;
  }
  if (words > 1050000u) {
    if (((vm_gas.x >> 31u) | vm_gas.y) != 0u) {
      vm_full(VM_REGION_MEMORY);
      return true;
    }
    vm_gas = vec2<u32>(0u);
    return false;
  }
  if (!vm_charge(vm_memory_gas(words) - vm_memory_gas(vm_words))) {
    return false;
  }
  if (vm_memory + 2u * words > lane_environment.memory_vectors) {
    vm_full(VM_REGION_MEMORY);
    return true;
  }
  let base = vm_at(lane_environment.memory_at + vm_memory);
  for (var k = 2u * vm_words; k < 2u * words; k++) {
    lanes_out[vm_vector(base, k)] = vec4<u32>(0u);
  }
  vm_words = words;
  return true;
}
