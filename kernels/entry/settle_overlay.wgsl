import package::lane::lane::lane_index;
import package::settle::columns::settle_u32;
import package::settle::range::settle_range;

/// Notes where cells that the batch has written have their present value. `settle_overlay_of` is zero before.
@group(0) @binding(2) var<storage, read_write> settle_overlay_of: array<u32>;

@compute @workgroup_size(64)
fn settle_overlay(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let number = lane_index(workgroup, workgroups, local);
  if (number >= settle_range.overlays) {
    return;
  }
  settle_overlay_of[settle_u32(settle_range.overlay_cells_at, number)] = number + 1u;
}
