import {
  ACCESS_START,
  BASE_FEE,
  COST,
  CREATES,
  DATA,
  DATA_START,
  FEE_CAP_BELOW_BASE_FEE,
  FLOOR,
  FLOOR_GAS,
  GAS,
  GAS_CALLDATA_ZERO,
  GAS_CAP,
  GAS_FLOOR_TOKEN,
  GAS_LIMIT,
  GAS_LIMIT_TOO_HIGH,
  GAS_TRANSACTION,
  HAS_FLOOR,
  HIGHEST_TYPE,
  INSUFFICIENT_FUNDS,
  INTRINSIC,
  INTRINSIC_GAS,
  LEFT,
  MAX_FEE,
  MAX_PRIORITY,
  NONCE,
  NONCE_MAX,
  NON_ZERO_GAS,
  PRICE,
  PRIORITY,
  REJECTION,
  TIP_ABOVE_FEE_CAP,
  TOKENS_PER_NONZERO_BYTE,
  TYPE,
  VALUE,
} from './layout'
import { clear } from './words'

/**
 * The static rules (host/chain/rules.ts) of calls of types 0 to 2 without access list, whose fees are below 2^64. Other
 * transactions are left: their rejection is LEFT, and their other columns are zero.
 *
 * host/chain/rules_pass.ts fills the request, whose places are in `layout`.
 */

@inline
function at(field: usize): usize {
  return load<u32>(field)
}

/** Bytes of [start, end) that are not zero. Reads up to 15 bytes past the end. */
function nonZeroBytes(start: usize, end: usize): u32 {
  let count: u32 = 0
  const zero = i8x16.splat(0)
  for (let at = start; at < end; at += 16) {
    let bits = <u32>i8x16.bitmask(i8x16.ne(v128.load(at), zero))
    if (end - at < 16) bits &= (1 << (<u32>(end - at))) - 1
    count += popcnt(bits)
  }
  return count
}

@inline
function isShort(word: usize): bool {
  return (load<u64>(word, 8) | load<u64>(word, 16) | load<u64>(word, 24)) == 0
}

/** cost = gas * fee + value mod 2^256. Whether it passes that. */
@inline
function upfrontCost(cost: usize, gas: u64, fee: u64, value: usize): bool {
  const low = (gas & 0xffffffff) * (fee & 0xffffffff)
  const cross = (gas & 0xffffffff) * (fee >> 32) + (low >> 32)
  const other = (gas >> 32) * (fee & 0xffffffff) + (cross & 0xffffffff)
  const p0 = (other << 32) | (low & 0xffffffff)
  const p1 = (gas >> 32) * (fee >> 32) + (cross >> 32) + (other >> 32)
  const s0 = p0 + load<u64>(value)
  const c0 = u64(s0 < p0)
  const t1 = p1 + load<u64>(value, 8)
  const s1 = t1 + c0
  const c1 = u64(t1 < p1) | u64(s1 < t1)
  const v2 = load<u64>(value, 16)
  const s2 = v2 + c1
  const c2 = u64(s2 < v2)
  const v3 = load<u64>(value, 24)
  const s3 = v3 + c2
  store<u64>(cost, s0)
  store<u64>(cost, s1, 8)
  store<u64>(cost, s2, 16)
  store<u64>(cost, s3, 24)
  return s3 < v3
}

@inline
function storeShort(word: usize, x: u64): void {
  clear(word)
  store<u64>(word, x)
}

/** Applies the rules to `count` transactions. Returns how many it leaves. */
export function applyRules(count: u32): u32 {
  const baseFee = load<u64>(BASE_FEE)
  const nonZeroGas = load<f64>(NON_ZERO_GAS)
  const gasCap = load<f64>(GAS_CAP)
  const hasFloor = load<u32>(HAS_FLOOR) != 0
  const highestType = load<u32>(HIGHEST_TYPE)
  let left: u32 = 0
  for (let i: usize = 0; i < count; i++) {
    const n4 = i << 2
    const n8 = i << 3
    const word = i << 5
    const price = at(PRICE) + word
    const priority = at(PRIORITY) + word
    const cost = at(COST) + word
    const maxFee = at(MAX_FEE) + word
    const maxPriority = at(MAX_PRIORITY) + word
    const type = <u32>load<u8>(at(TYPE) + i)
    const isPlain =
      type <= highestType &&
      load<u8>(at(CREATES) + i) == 0 &&
      load<u32>(at(ACCESS_START) + n4) == load<u32>(at(ACCESS_START) + n4, 4) &&
      isShort(maxFee) &&
      (type < 2 || isShort(maxPriority))
    if (!isPlain) {
      store<f64>(at(INTRINSIC) + n8, 0)
      store<f64>(at(FLOOR) + n8, 0)
      store<f64>(at(GAS_LIMIT) + n8, 0)
      clear(price)
      clear(priority)
      clear(cost)
      store<u8>(at(REJECTION) + i, LEFT)
      left++
      continue
    }
    const start = load<u32>(at(DATA_START) + n4)
    const end = load<u32>(at(DATA_START) + n4, 4)
    const nonZero = <f64>nonZeroBytes(<usize>(<u32>at(DATA) + start), <usize>(<u32>at(DATA) + end))
    const zero = <f64>(end - start) - nonZero
    const intrinsic = <f64>GAS_TRANSACTION + zero * <f64>GAS_CALLDATA_ZERO + nonZero * nonZeroGas
    const tokens = zero + <f64>TOKENS_PER_NONZERO_BYTE * nonZero
    const floor = hasFloor ? <f64>GAS_TRANSACTION + <f64>GAS_FLOOR_TOKEN * tokens : 0
    const gas = load<u64>(at(GAS) + n8)
    const limit = <f64>gas
    store<f64>(at(INTRINSIC) + n8, intrinsic)
    store<f64>(at(FLOOR) + n8, floor)
    store<f64>(at(GAS_LIMIT) + n8, limit)

    const fee = load<u64>(maxFee)
    const tip = type < 2 ? fee : load<u64>(maxPriority)
    let code: u32 = 0
    if (tip > fee) code = TIP_ABOVE_FEE_CAP
    else if (fee < baseFee) code = FEE_CAP_BELOW_BASE_FEE
    const paid = code == 0 ? min(tip, fee - baseFee) : 0
    storeShort(priority, paid)
    storeShort(price, code == 0 ? paid + baseFee : 0)
    const isOver = upfrontCost(cost, gas, fee, at(VALUE) + word)
    if (code == 0) {
      if (isOver) code = INSUFFICIENT_FUNDS
      else if (limit < intrinsic) code = INTRINSIC_GAS
      else if (limit < floor) code = FLOOR_GAS
    }
    if (limit > gasCap) code = GAS_LIMIT_TOO_HIGH
    if (load<u64>(at(NONCE) + n8) == 0xffffffffffffffff) code = NONCE_MAX
    store<u8>(at(REJECTION) + i, code)
  }
  return left
}
