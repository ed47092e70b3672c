import package::layout::settle::{SETTLE_PARTS_LANES, SETTLE_STATE_VECTORS};
import package::settle::range::settle_range;
import package::settle::states::{SettleState, settle_nothing, settle_then};
import package::u256::u256::U256;

/// Scans the states of the runs in place, exclusively, by one workgroup: an invocation takes neighbouring runs, and the
/// invocations are scanned by doubling (scan/workgroup.wgsl).
@group(0) @binding(1) var<storage, read_write> settle_parts_of: array<vec4<u32>>;

var<workgroup> settle_heads: array<vec4<u32>, SETTLE_PARTS_LANES>;
var<workgroup> settle_lows: array<vec4<u32>, SETTLE_PARTS_LANES>;
var<workgroup> settle_highs: array<vec4<u32>, SETTLE_PARTS_LANES>;

fn settle_part(run: u32) -> SettleState {
  let at = run * SETTLE_STATE_VECTORS;
  let head = settle_parts_of[at];
  return SettleState(head.x, head.yz, U256(settle_parts_of[at + 1u], settle_parts_of[at + 2u]));
}

fn settle_share(local: u32, state: SettleState) {
  settle_heads[local] = vec4<u32>(state.marks, state.nonce, 0u);
  settle_lows[local] = state.value.lo;
  settle_highs[local] = state.value.hi;
}

fn settle_shared(local: u32) -> SettleState {
  let head = settle_heads[local];
  return SettleState(head.x, head.yz, U256(settle_lows[local], settle_highs[local]));
}

@compute @workgroup_size(256)
fn settle_parts(@builtin(local_invocation_index) local: u32) {
  let runs = (settle_range.capacity + settle_range.transactions + settle_range.items - 1u) / settle_range.items;
  let each = (runs + SETTLE_PARTS_LANES - 1u) / SETTLE_PARTS_LANES;
  let first = min(runs, local * each);
  let end = min(runs, first + each);
  var state = settle_nothing();
  for (var run = first; run < end; run++) {
    state = settle_then(state, settle_part(run));
  }
  settle_share(local, state);
  for (var reach = 1u; reach < settle_range.size; reach <<= 1u) {
    workgroupBarrier();
    let other = settle_shared(select(0u, local - reach, local >= reach));
    workgroupBarrier();
    if (local >= reach) {
      state = settle_then(other, state);
    }
    settle_share(local, state);
  }
  workgroupBarrier();
  state = settle_nothing();
  if (local != 0u) {
    state = settle_shared(local - 1u);
  }
  for (var run = first; run < end; run++) {
    let own = settle_part(run);
    let at = run * SETTLE_STATE_VECTORS;
    settle_parts_of[at] = vec4<u32>(state.marks, state.nonce, 0u);
    settle_parts_of[at + 1u] = state.value.lo;
    settle_parts_of[at + 2u] = state.value.hi;
    state = settle_then(state, own);
  }
}
