import {
  COST,
  DISTINCT,
  EXTRA_FEE,
  FEES,
  FOOTPRINT,
  FOOTPRINTS,
  GAS_LIMIT,
  HAS_FOOTPRINT,
  INSUFFICIENT_FUNDS,
  KINDS,
  KIND_COUNT,
  KIND_LEFT,
  L1_FEE,
  MEASURES,
  MOST_KINDS,
  MOST_MEASURE,
  OPERATOR_MARK,
  OPERATOR_NONE,
  REJECTION,
  SCRATCH,
  TABLE,
  TYPE,
  TYPE_BLOB,
  TYPE_DEPOSIT,
  TYPE_NOT_SUPPORTED,
} from './layout'
import { operatorFee, operatorHigh } from './operator'
import { add, clear, copy } from './words'

/**
 * What a chain of the OP stack charges for the data of transactions and for their gas (host/chain/op/charge_rules.ts),
 * by kinds: transactions of one measure pay one fee, which the host reckons once.
 *
 * host/chain/op/charge_pass.ts fills the request, whose places are in `layout`.
 */

@inline
function at(field: usize): usize {
  return load<u32>(field)
}

/**
 * Gives each of `count` transactions the kind of its measure: 0 of a deposit, KIND_LEFT where there is no room for
 * another one. Returns how many kinds there are.
 */
export function findKinds(count: u32): u32 {
  let known = load<u32>(KIND_COUNT)
  for (let i: usize = 0; i < count; i++) {
    let kind: u32 = 0
    if (load<u8>(at(TYPE) + i) != TYPE_DEPOSIT) {
      const measure = load<u32>(at(MEASURES) + (i << 2))
      const entry = at(TABLE) + ((<usize>measure) << 2)
      kind = measure > MOST_MEASURE ? KIND_LEFT : load<u32>(entry)
      if (kind == 0) {
        if (known == MOST_KINDS) kind = KIND_LEFT
        else {
          kind = known++
          store<u32>(entry, kind)
          store<u32>(at(DISTINCT) + ((<usize>kind) << 2), measure)
        }
      }
    }
    store<u32>(at(KINDS) + (i << 2), kind)
  }
  store<u32>(KIND_COUNT, known)
  return known
}

/** Charges `count` transactions, whose kinds have their fees. Returns how many it leaves, which are KIND_LEFT then. */
export function charge(count: u32): u32 {
  const mark = load<u32>(OPERATOR_MARK)
  const hasFootprint = load<u32>(HAS_FOOTPRINT) != 0
  let left: u32 = 0
  clear(SCRATCH)
  for (let i: usize = 0; i < count; i++) {
    const word = i << 5
    const kind = load<u32>(at(KINDS) + (i << 2))
    const gas = load<f64>(at(GAS_LIMIT) + (i << 3))
    if (kind == KIND_LEFT || !(gas < 4294967296.0)) {
      store<u32>(at(KINDS) + (i << 2), KIND_LEFT)
      left++
      continue
    }
    const l1Fee = at(L1_FEE) + word
    const extraFee = at(EXTRA_FEE) + word
    copy(l1Fee, at(FEES) + ((<usize>kind) << 5))
    if (hasFootprint) store<f64>(at(FOOTPRINT) + (i << 3), load<f64>(at(FOOTPRINTS) + ((<usize>kind) << 3)))
    if (kind == 0) {
      if (mark != OPERATOR_NONE) clear(extraFee)
      continue
    }
    let over: u64 = 0
    if (mark != OPERATOR_NONE) {
      store<u64>(SCRATCH, operatorFee(<u64>gas, mark))
      store<u64>(SCRATCH, operatorHigh, 8)
      over = add(extraFee, l1Fee, SCRATCH, SCRATCH + 16)
    }
    const rejection = at(REJECTION) + i
    if (load<u8>(at(TYPE) + i) == TYPE_BLOB) store<u8>(rejection, <u8>TYPE_NOT_SUPPORTED)
    const cost = at(COST) + word
    over |= add(cost, cost, extraFee, extraFee + 16)
    if (over == 0) continue
    const code = <u32>load<u8>(rejection)
    if (code == 0 || code > INSUFFICIENT_FUNDS) store<u8>(rejection, <u8>INSUFFICIENT_FUNDS)
  }
  return left
}
