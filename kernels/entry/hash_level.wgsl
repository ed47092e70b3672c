import package::hash::level::{hash_level_message, hash_level_range};
import package::lane::lane::lane_index;

/// A level of a plan (hash/level.wgsl).
@compute @workgroup_size(64)
fn hash_level(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let place = hash_level_range.x + lane_index(workgroup, workgroups, local);
  if (place >= hash_level_range.y) {
    return;
  }
  hash_level_message(place, false);
}
