import package::lane::lane::lane_index;

/// Writes a list of rows to their places in a row array: committed values to `slotValues` (2 vectors a row), accounts
/// to `accountRows` (4 vectors a row). Layouts in transpiler/layout/tables.ts.
///
/// The places must differ: two items with one place leave either. An item whose place is not below the row count is
/// dropped. One invocation per item.

/// (item count, vectors per row, row count, 0)
@group(0) @binding(0) var<uniform> scatter_parameters: vec4<u32>;
/// Row number of item i.
@group(0) @binding(1) var<storage, read> scatter_places: array<u32>;
/// Vector v of item i at i * vectors per row + v.
@group(0) @binding(2) var<storage, read> scatter_items: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> scatter_rows: array<vec4<u32>>;

@compute @workgroup_size(64)
fn scatter(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let item = lane_index(workgroup, workgroups, local);
  if (item >= scatter_parameters.x) {
    return;
  }
  let place = scatter_places[item];
  if (place >= scatter_parameters.z) {
    return;
  }
  let width = scatter_parameters.y;
  for (var v = 0u; v < width; v++) {
    scatter_rows[place * width + v] = scatter_items[item * width + v];
  }
}
