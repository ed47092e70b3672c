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
]

/** The helpers that a kernel body calls. */
export const helpers = (body: readonly string[]): string[] =>
  HELPERS.filter(({ name }) => body.some((line) => line.includes(`${name}(`))).map(({ wgsl }) => wgsl)
