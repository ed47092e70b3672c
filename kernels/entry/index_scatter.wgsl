import package::lane::lane::lane_index;

/// Writes changed buckets of an index (transpiler/layout/tables.ts) to their places, one invocation each. A bucket may
/// stand in the list more than once, with equal words.

/// The number of items, then (bucket, entry, tag) of each.
@group(0) @binding(0) var<storage, read> index_changes: array<u32>;
@group(0) @binding(1) var<storage, read_write> index_buckets: array<vec2<u32>>;

@compute @workgroup_size(64)
fn index_scatter(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let item = lane_index(workgroup, workgroups, local);
  if (item >= index_changes[0]) {
    return;
  }
  let at = 1u + 3u * item;
  index_buckets[index_changes[at]] = vec2<u32>(index_changes[at + 1u], index_changes[at + 2u]);
}
