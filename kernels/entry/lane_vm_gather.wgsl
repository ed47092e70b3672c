import package::lane::lane::lane_index;

/// Copies segments of a wave store of the lane VM to one dense run of vectors, so that one small read fetches what
/// lanes left.
///
/// A segment is (source vector, stride between its vectors in the source, vectors, first vector in the output). One
/// invocation per segment: neighbours that are the same region of neighbouring lanes read neighbouring vectors.

/// (segments, 0, 0, 0)
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
  if (place >= gather_parameters.x) {
    return;
  }
  let segment = gather_segments[place];
  for (var n = 0u; n < segment.z; n++) {
    gather_output[segment.w + n] = gather_source[segment.x + n * segment.y];
  }
}
