/** A function of the prelude's kind that only generated kernels use. */
interface Helper {
  readonly name: string
  readonly wgsl: string
}

const HELPERS: readonly Helper[] = [
  {
    name: 'path_scratch',
    wgsl: `/// What an earlier part of this path left in a column.
fn path_scratch(column: u32, lane: u32) -> vec4<u32> {
  return lanes_out[column * lane_count() + lane];
}
`,
  },
  {
    name: 'path_missed',
    wgsl: `/// Reports the key of a look-up that found nothing, for the host to load.
fn path_missed(id: u32, column: u32, key: U256, lane: u32) -> bool {
  if (id == MISSING) {
    lane_out_word(column, lane, key);
  }
  return id == MISSING;
}
`,
  },
  {
    name: 'path_load',
    wgsl: `/// Value of a slot: the hint of this look-up where it names the slot (a version inside the batch), else the committed value.
fn path_load(slot: u32, hint: u32, lane: u32) -> U256 {
  return u256_select(state_slot_value(slot), lane_in_word(hint, lane), lane_in(hint + 2u, lane).x == slot);
}
`,
  },
  {
    name: 'path_call_gas',
    wgsl: `/// Gas of a callee: what was asked for, at most all but one 64th of what is left (EIP-150).
fn path_call_gas(requested: U256, left: u32) -> u32 {
  let cap = left - left / 64u;
  return select(cap, min(u256_low(requested), cap), u256_fits_u32(requested));
}
`,
  },
  {
    name: 'path_sstore_gas',
    wgsl: `/// Price of an SSTORE, its cold part apart (EIP-2200), at a fork's \`StoreGas\` (spec/gas.ts).
fn path_sstore_gas(original: U256, current: U256, next: U256, dirty: u32, reset: u32) -> u32 {
  let clean = u256_eq(original, current) & !u256_eq(current, next);
  return select(dirty, select(reset, 20000u, u256_is_zero(original)), clean);
}
`,
  },
  {
    name: 'path_sstore_refund',
    wgsl: `/// Change of the refund counter modulo 2^32 (EIP-2200); \`clears\` is the refund for a cleared slot.
fn path_sstore_refund(original: U256, current: U256, next: U256, dirty: u32, reset: u32, clears: u32) -> u32 {
  let original_zero = u256_is_zero(original);
  let next_zero = u256_is_zero(next);
  let clean = u256_eq(original, current);
  let cleared = select(0u, clears, !original_zero & next_zero);
  let uncleared = select(0u, clears, !original_zero & u256_is_zero(current));
  let restored = select(0u, select(reset, 20000u, original_zero) - dirty, u256_eq(original, next));
  let changed = cleared - uncleared + restored;
  return select(select(changed, cleared, clean), 0u, u256_eq(current, next));
}
`,
  },
]

/** The helpers that a kernel body calls. */
export const helpers = (body: readonly string[]): string[] =>
  HELPERS.filter(({ name }) => body.some((line) => line.includes(`${name}(`))).map(({ wgsl }) => wgsl)
