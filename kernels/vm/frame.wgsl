import package::layout::gas::MAX_STACK_WORDS;
import package::layout::lane_vm::{FRAME_BASES_AT, FRAME_CODE_AT, FRAME_FREE, FRAME_LEFT_AT, FRAME_PARTIES_AT};
import package::layout::lane_vm::{FRAME_VECTORS, LANE_COUNTS, LANE_OUTPUT, LANE_REQUEST, LANE_REQUEST_WORD, LANE_STATE};
import package::layout::lane_vm::{LANE_TOPS, VM_HALT_PC, VM_REGION_STACK};
import package::lane::lane::{lane_environment, lanes_in, lanes_out};
import package::vm::lane::{vm_account, vm_accounts, vm_asked, vm_asked_word, vm_at, vm_code, vm_code_bytes, vm_columns};
import package::vm::lane::{vm_constants, vm_depth, vm_exit, vm_flags, vm_frame, vm_full, vm_gas, vm_height, vm_journal};
import package::vm::lane::{vm_log_vectors, vm_logs, vm_memory, vm_native, vm_pc, vm_refund, vm_returned, vm_shape};
import package::vm::lane::{vm_slots, vm_spread, vm_stack, vm_steps, vm_transients, vm_turns, vm_vector, vm_words};

/// Frames of a lane, and its columns between dispatches (transpiler/layout/lane_vm.ts).

/// Makes the frame whose record is number `vm_depth` the present one.
fn vm_open_frame() {
  vm_frame = vm_at(lane_environment.frames_at + FRAME_VECTORS * vm_depth);
  let parties = lanes_out[vm_vector(vm_frame, FRAME_PARTIES_AT)];
  vm_code = parties.x;
  vm_account = parties.y;
  vm_flags = parties.w;
  let bases = lanes_out[vm_vector(vm_frame, FRAME_BASES_AT)];
  vm_memory = bases.w;
  vm_stack = vm_at(lane_environment.stack_at + 2u * (bases.z + vm_height));
  vm_words = lanes_out[vm_vector(vm_frame, FRAME_LEFT_AT)].x;
  vm_constants = lanes_out[vm_vector(vm_frame, FRAME_CODE_AT)].x;
  vm_open_code();
}

fn vm_open_code() {
  vm_shape = lanes_in[vm_code];
  vm_code_bytes = lanes_in[vm_code + 1u].xy;
}

/// Goes on with a block of the present code, in its plain form where the stack does not fit it, in the block that
/// refuses where it does not fit that and the block looks at state; else the first instruction halts.
fn vm_enter_block(block: u32) {
  var bounds = vec4<u32>(0u);
  var fits = false;
  var next = block;
  for (var turn = 0u; turn < 3u; turn++) {
    bounds = lanes_in[vm_shape.z + next];
    fits = (vm_height >= (bounds.y & 0xffffu)) & (vm_height + (bounds.y >> 16u) <= MAX_STACK_WORDS);
    next = bounds.w;
    if (fits | (next == 0u)) {
      break;
    }
  }
  vm_pc = select(VM_HALT_PC, vm_shape.x + bounds.x, fits);
  if (vm_stack + (bounds.z << (vm_spread + 1u)) > vm_at(lane_environment.memory_at)) {
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
  let state = lanes_out[vm_columns(LANE_STATE)];
  vm_pc = state.y;
  vm_height = state.z;
  vm_gas = vec2<u32>(state.w, lanes_out[vm_columns(LANE_OUTPUT)].w);
  if (state.y == 0u) {
    vm_native = state.z;
    vm_height = 0u;
    vm_code = lane_environment.micro_at;
    vm_open_code();
    vm_frame = vm_at(lane_environment.frames_at);
    vm_stack = vm_at(lane_environment.stack_at);
    vm_flags = FRAME_FREE;
    for (var k = 0u; k <= lane_environment.bucket_mask >> 2u; k++) {
      lanes_out[vm_at(lane_environment.buckets_at + k)] = vec4<u32>(0u);
    }
    return false;
  }
  let request = lanes_out[vm_columns(LANE_REQUEST)];
  let counts = lanes_out[vm_columns(LANE_COUNTS)];
  vm_slots = counts.x;
  vm_accounts = counts.y;
  vm_log_vectors = counts.z;
  vm_logs = counts.w;
  let tops = lanes_out[vm_columns(LANE_TOPS)];
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
  for (var column = 0u; column < vm_turns(LANE_OUTPUT + 1u); column++) {
    let place = vm_columns(column);
    var v = vec4<u32>(vm_exit, select(0u, vm_pc, started), select(vm_native, vm_height, started), vm_gas.x);
    if (column == LANE_REQUEST) {
      v = vec4<u32>(vm_depth, vm_asked, vm_refund, lanes_out[place].w + vm_steps);
    } else if (column == LANE_REQUEST_WORD) {
      v = vm_asked_word.lo;
    } else if (column == LANE_REQUEST_WORD + 1u) {
      v = vm_asked_word.hi;
    } else if (column == LANE_COUNTS) {
      v = vec4<u32>(vm_slots, vm_accounts, vm_log_vectors, vm_logs);
    } else if (column == LANE_TOPS) {
      v = vec4<u32>(vm_journal, vm_transients, vm_returned, vm_memory);
    } else if (column == LANE_OUTPUT) {
      v = vec4<u32>(output, vm_words, vm_gas.y);
    }
    lanes_out[place] = v;
  }
  lanes_out[vm_vector(vm_frame, FRAME_LEFT_AT)].x = vm_words;
}
