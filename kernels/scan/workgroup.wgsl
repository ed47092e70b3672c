import package::layout::environment::WORKGROUP_SIZE;

var<workgroup> scan_sums: array<u32, WORKGROUP_SIZE>;

/// Sum of what the invocations before this one bring, by doubling (Hillis and Steele 1986). Every invocation of the
/// workgroup calls it; afterwards the last element of `scan_sums` is the sum of all. `size`: invocations of the
/// workgroup, from a uniform: loops whose ends are constants are unrolled, and compile ten times as long on lavapipe.
fn scan_before(local: u32, size: u32, own: u32) -> u32 {
  workgroupBarrier();
  scan_sums[local] = own;
  var sum = own;
  for (var reach = 1u; reach < size; reach <<= 1u) {
    workgroupBarrier();
    let other = scan_sums[select(0u, local - reach, local >= reach)];
    workgroupBarrier();
    sum += select(0u, other, local >= reach);
    scan_sums[local] = sum;
  }
  workgroupBarrier();
  return sum - own;
}

/// Number of a workgroup in a dispatch that may be laid out in two dimensions (host/device/lanes.ts).
fn scan_block(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
  return workgroup.x + workgroup.y * workgroups.x;
}
