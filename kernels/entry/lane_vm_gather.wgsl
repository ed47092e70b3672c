import package::lane::lane::lane_index;

/// Copies segments of a wave store of the lane VM to one dense run of vectors, so that one small read fetches what lanes left.
///
/// A segment is (source vector, stride between its vectors in the source, vectors, first vector in the output). Segments stand in
/// the order of the output, without gaps and none of them empty. One invocation per vector of the output.

/// (segments, vectors of the output, 0, 0)
@group(0) @binding(0) var<uniform> gather_parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read> gather_segments: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> gather_source: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> gather_output: array<vec4<u32>>;

@compute @workgroup_size(64)
fn lane_vm_gather(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let place = lane_index(workgroup, workgroups, local);
  if (place >= gather_parameters.y) {
    return;
  }
  // The last segment that begins at or before `place`: in [low, high).
  var low = 0u;
  var high = gather_parameters.x;
  for (var step = 0u; step < 32u; step++) {
    if (low + 1u >= high) {
      break;
    }
    let middle = (low + high) >> 1u;
    let before = gather_segments[middle].w <= place;
    low = select(low, middle, before);
    high = select(middle, high, before);
  }
  let segment = gather_segments[low];
  gather_output[place] = gather_source[segment.x + (place - segment.w) * segment.y];
}
