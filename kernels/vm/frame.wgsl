import package::u256::u256::U256;
import package::lane::lane::{lane_environment, lanes_in, lanes_out};
import package::vm::lane::{VM_FRAME_FREE, VM_FRAME_VECTORS, VM_REGION_STACK, vm_spread, vm_stride};
import package::vm::lane::{vm_account, vm_accounts, vm_asked, vm_asked_word, vm_at, vm_code, vm_code_bytes, vm_columns, vm_constants, vm_depth, vm_exit};
import package::vm::lane::{vm_flags, vm_frame, vm_full, vm_gas, vm_height, vm_native, vm_journal, vm_log_vectors, vm_logs, vm_memory, vm_pc};
import package::vm::lane::{vm_shape, vm_turns, vm_refund, vm_returned, vm_slots, vm_stack, vm_steps, vm_transients, vm_words};

/// Frames of a lane, and its columns between dispatches (transpiler/layout/lane_vm.ts).

/// Where a lane halts at its next turn.
const VM_HALT_PC = 0xffffffffu;

/// Makes the frame whose record is number `vm_depth` the present one.
fn vm_open_frame() {
  vm_frame = vm_at(lane_environment[18].z + VM_FRAME_VECTORS * vm_depth);
  let parties = lanes_out[vm_frame];
  vm_code = parties.x;
  vm_account = parties.y;
  vm_flags = parties.w;
  let bases = lanes_out[vm_frame + vm_stride];
  vm_memory = bases.w;
  vm_stack = vm_at(lane_environment[18].w + 2u * (bases.z + vm_height));
  vm_words = lanes_out[vm_frame + (3u << vm_spread)].x;
  vm_constants = lanes_out[vm_frame + (7u << vm_spread)].x;
  vm_open_code();
}

fn vm_open_code() {
  vm_shape = lanes_in[vm_code];
  vm_code_bytes = lanes_in[vm_code + 1u].xy;
}

/// Goes on with a block of the present code, in its plain form where the stack does not fit it, in the block that refuses where it does not
/// fit that and the block looks at state; else the first instruction halts.
fn vm_enter_block(block: u32) {
  var bounds = vec4<u32>(0u);
  var fits = false;
  var next = block;
  for (var turn = 0u; turn < 3u; turn++) {
    bounds = lanes_in[vm_shape.z + next];
    fits = (vm_height >= (bounds.y & 0xffffu)) & (vm_height + (bounds.y >> 16u) <= 1024u);
    next = bounds.w;
    if (fits | (next == 0u)) {
      break;
    }
  }
  vm_pc = select(VM_HALT_PC, vm_shape.x + bounds.x, fits);
  if (vm_stack + (bounds.z << (vm_spread + 1u)) > vm_at(lane_environment[19].x)) {
    vm_full(VM_REGION_STACK);
  }
}

/// Block of the JUMPDEST at byte `place`, plus 1; 0 where there is none.
fn vm_destination(place: u32) -> u32 {
  var found = 0u;
  if (place < vm_code_bytes.y) {
    let pair = lanes_in[vm_shape.w + (place >> 3u)][(place >> 1u) & 3u];
    found = select(pair & 0xffffu, pair >> 16u, (place & 1u) != 0u);
  }
  return found;
}

/// Takes up the lane where the last dispatch left it; false where it is to begin with the prologue.
fn vm_load() -> bool {
  let state = lanes_out[vm_columns(0u)];
  vm_pc = state.y;
  vm_height = state.z;
  vm_gas = vec2<u32>(state.w, lanes_out[vm_columns(6u)].w);
  if (state.y == 0u) {
    vm_native = state.z;
    vm_height = 0u;
    vm_code = lane_environment[1].w;
    vm_open_code();
    vm_frame = vm_at(lane_environment[18].z);
    vm_stack = vm_at(lane_environment[18].w);
    vm_flags = VM_FRAME_FREE;
    for (var k = 0u; k <= lane_environment[22].y >> 2u; k++) {
      lanes_out[vm_at(lane_environment[19].w + k)] = vec4<u32>(0u);
    }
    return false;
  }
  let request = lanes_out[vm_columns(1u)];
  let counts = lanes_out[vm_columns(4u)];
  vm_slots = counts.x;
  vm_accounts = counts.y;
  vm_log_vectors = counts.z;
  vm_logs = counts.w;
  let tops = lanes_out[vm_columns(5u)];
  vm_journal = tops.x;
  vm_transients = tops.y;
  vm_returned = tops.z;
  vm_depth = request.x;
  vm_refund = request.z;
  vm_open_frame();
  return true;
}

/// `started`: the transaction's own frame is open; else the lane begins anew.
fn vm_save(started: bool, output: vec2<u32>) {
  for (var column = 0u; column < vm_turns(7u); column++) {
    let place = vm_columns(column);
    var v = vec4<u32>(vm_exit, select(0u, vm_pc, started), select(vm_native, vm_height, started), vm_gas.x);
    if (column == 1u) {
      v = vec4<u32>(vm_depth, vm_asked, vm_refund, lanes_out[place].w + vm_steps);
    } else if (column == 2u) {
      v = vm_asked_word.lo;
    } else if (column == 3u) {
      v = vm_asked_word.hi;
    } else if (column == 4u) {
      v = vec4<u32>(vm_slots, vm_accounts, vm_log_vectors, vm_logs);
    } else if (column == 5u) {
      v = vec4<u32>(vm_journal, vm_transients, vm_returned, vm_memory);
    } else if (column == 6u) {
      v = vec4<u32>(output, vm_words, vm_gas.y);
    }
    lanes_out[place] = v;
  }
  lanes_out[vm_frame + (3u << vm_spread)].x = vm_words;
}
