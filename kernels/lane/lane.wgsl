import package::u256::u256::U256;
import package::layout::environment::{LaneEnvironment, WORKGROUP_SIZE};

/// The uniform of every execution kernel; layout in transpiler/layout/environment.ts.
@group(0) @binding(0) var<uniform> lane_environment: LaneEnvironment;
/// Columns of vec4<u32>: column c of lane l at c * lane count + l. A word takes two columns, limbs 0..3 then 4..7.
@group(0) @binding(1) var<storage, read> lanes_in: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> lanes_out: array<vec4<u32>>;

/// Number of an invocation in a dispatch that may be laid out in two dimensions (host/device/lanes.ts):
/// global_invocation_id.x alone repeats above 65,535 workgroups.
fn lane_index(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) -> u32 {
  return (workgroup.x + workgroup.y * workgroups.x) * WORKGROUP_SIZE + local;
}

fn lane_count() -> u32 {
  return lane_environment.count;
}

fn lane_in(column: u32, lane: u32) -> vec4<u32> {
  return lanes_in[column * lane_count() + lane];
}

fn lane_in_word(column: u32, lane: u32) -> U256 {
  return U256(lane_in(column, lane), lane_in(column + 1u, lane));
}

fn lane_out(column: u32, lane: u32, v: vec4<u32>) {
  lanes_out[column * lane_count() + lane] = v;
}

fn lane_out_word(column: u32, lane: u32, v: U256) {
  lane_out(column, lane, v.lo);
  lane_out(column + 1u, lane, v.hi);
}

/// Word i of ENVIRONMENT_WORDS.
fn environment_word(i: u32) -> U256 {
  return lane_environment.words[i];
}

/// The host's id of the i-th code skeleton that the path names.
fn environment_skeleton(i: u32) -> u32 {
  let ids = lane_environment.skeletons[i >> 2u];
  let pair = select(ids.xy, ids.zw, (i & 2u) != 0u);
  return select(pair.x, pair.y, (i & 1u) != 0u);
}
