import package::u256::add::{u256_add, u256_sub};
import package::u256::bits::u256_byte_length;
import package::u256::compare::{u256_is_zero, u256_lt};
import package::u256::u256::{U256, U256_ZERO, u256_from_bool, u256_from_u32, u256_reverse_bytes, u256_select};
import package::evm::gas::evm_store;
import package::evm::operations::{evm_arithmetic, evm_sum};
import package::layout::environment::ENVIRONMENT_WORD_NUMBER;
import package::layout::gas::{BLOCK_HASH_WINDOW, CALL_GAS_SHIFT, GAS_CALL_STIPEND, GAS_CALL_VALUE, GAS_COLD_ACCOUNT};
import package::layout::gas::{GAS_COLD_SLOAD, GAS_COPY_WORD, GAS_EXP_BYTE, GAS_KECCAK_WORD, GAS_LOG_BYTE};
import package::layout::gas::{GAS_NEW_ACCOUNT, GAS_SSTORE_RESET, GAS_SSTORE_SENTRY, GAS_WARM, MAX_CALL_DEPTH};
import package::layout::instruction::{VM_MODE_ACCOUNT_BALANCE, VM_MODE_ACCOUNT_CODE_SIZE, VM_MODE_END_HALT};
import package::layout::instruction::{VM_MODE_END_REVERT, VM_MODE_END_STOP, VM_MODE_MEMORY_LOAD};
import package::layout::instruction::{VM_MODE_MEMORY_STORE_BYTE, VM_MODE_MEMO_BLOCK_HASH, VM_MODE_STORAGE_STORE};
import package::layout::lane_vm::{CODE_DELEGATION, CODE_HEADER_VECTORS, CODE_PRESENT, ENTRY_BALANCE, ENTRY_EXISTS};
import package::layout::lane_vm::{ENTRY_READ, ENTRY_TOUCHED, ENTRY_WARM, FRAME_BASES_AT, FRAME_CALLDATA_AT};
import package::layout::lane_vm::{FRAME_CALLDATA_IN_ARENA, FRAME_CODE_AT, FRAME_FREE, FRAME_LEFT_AT, FRAME_MARKS_AT};
import package::layout::lane_vm::{FRAME_PARTIES_AT, FRAME_STATIC, FRAME_VALUE_AT, FRAME_VECTORS, ITEM_SLOT, ITEM_VALUE};
import package::layout::lane_vm::{ITEM_VECTORS, ITEM_WARM, LANE_COST, LANE_GAS_PRICE, LANE_LISTS, LANE_PARTIES};
import package::layout::lane_vm::{LANE_VALUE, MICRO_P256, MICRO_P256_ADDRESS, MICRO_PRECOMPILE_LAST, RECORD_BEFORE_AT};
import package::layout::lane_vm::{RECORD_LEAST_AT, RECORD_PRESENT_AT, SLOT_READ, SLOT_VECTORS, VM_ACCOUNT_VECTORS};
import package::layout::lane_vm::{VM_CALL_CALL, VM_CALL_CALLCODE, VM_CALL_DELEGATECALL, VM_CALL_STATICCALL};
import package::layout::lane_vm::{VM_COPY_ACCOUNT_CODE, VM_COPY_CALLDATA, VM_COPY_CODE, VM_COPY_MEMORY};
import package::layout::lane_vm::{VM_COPY_RETURNDATA, VM_ENVIRONMENT_ADDRESS, VM_ENVIRONMENT_CALLDATASIZE};
import package::layout::lane_vm::{VM_ENVIRONMENT_CALLER, VM_ENVIRONMENT_CALLVALUE, VM_ENVIRONMENT_CODESIZE};
import package::layout::lane_vm::{VM_ENVIRONMENT_GAS, VM_ENVIRONMENT_GASPRICE, VM_ENVIRONMENT_MSIZE};
import package::layout::lane_vm::{VM_ENVIRONMENT_NUMBER, VM_ENVIRONMENT_ORIGIN, VM_ENVIRONMENT_RETURNDATASIZE};
import package::layout::lane_vm::{VM_ENVIRONMENT_SELFBALANCE, VM_EXIT_MISS_ACCOUNT, VM_EXIT_MISS_BLOCK_HASH};
import package::layout::lane_vm::{VM_EXIT_MISS_BYTES, VM_EXIT_MISS_CODE, VM_EXIT_MISS_PRECOMPILE, VM_EXIT_MISS_SLOT};
import package::layout::lane_vm::{VM_EXIT_REFUSED, VM_EXIT_SUCCEEDED, VM_MAX_STEPS, VM_MEMO_BLOCK_HASH, VM_MEMO_OWNERS};
import package::layout::lane_vm::{VM_NONE, VM_OPERAND_CONSTANT, VM_OPERAND_MASK, VM_OPERAND_NONE, VM_OP_ACCOUNT};
import package::layout::lane_vm::{VM_OP_BLOB_HASH, VM_OP_CALL, VM_OP_CALLDATA_LOAD, VM_OP_CHARGE, VM_OP_COPY_MEMORY};
import package::layout::lane_vm::{VM_OP_END, VM_OP_ENTER, VM_OP_ENVIRONMENT, VM_OP_EXP, VM_OP_KECCAK, VM_OP_LOG};
import package::layout::lane_vm::{VM_OP_MEMO, VM_OP_MEMORY, VM_OP_MODULAR, VM_OP_MUL, VM_OP_REFUSE, VM_OP_STORAGE};
import package::layout::lane_vm::{VM_OP_TRANSIENT, VM_OP_WARM, VM_REGION_FRAMES, VM_REGION_LOGS, VM_REGION_RETURNDATA};
import package::layout::path::MISSING;
import package::layout::tables::{ACCOUNT_CODE_AT, ACCOUNT_CODE_SHIFT, ACCOUNT_FLAG_EXISTS, ACCOUNT_ROW_VECTORS};
import package::layout::tables::{CONSTANTS_CODE_HASH_AT, CONSTANTS_CODE_SIZE_AT};
import package::layout::word::BYTES_PER_WORD;
import package::lane::lane::{lane_environment, lanes_in, lanes_out};
import package::state::state::{state_account, state_account_address, state_account_vector, state_constants, state_slot};
import package::state::state::state_slot_value;
import package::vm::frame::{vm_load, vm_open_frame, vm_save};
import package::vm::instruction::{vm_mode, vm_opcode, vm_operand, vm_shift_height, vm_stack_place};
import package::vm::lane::{vm_account, vm_arena, vm_at, vm_bytes, vm_charge, vm_code, vm_code_bytes, vm_columns};
import package::vm::lane::{vm_depth, vm_exit, vm_flags, vm_frame, vm_full, vm_gas, vm_go, vm_grow, vm_height};
import package::vm::lane::{vm_journal, vm_lane, vm_leave, vm_less, vm_log_vectors, vm_logs, vm_memory, vm_minus};
import package::vm::lane::{vm_native, vm_pc, vm_plus, vm_put_word, vm_range_end, vm_refund, vm_returned, vm_spread};
import package::vm::lane::{vm_stride, vm_take, vm_turns, vm_vector, vm_word, vm_words};
import package::vm::record::{vm_account_record, vm_note, vm_slot_record, vm_transient_record, vm_undo};
import package::vm::simple::vm_run_simple;
import package::vm::stream::{VM_SOURCE_ARENA, VM_SOURCE_CODES, VM_SOURCE_WAVE, VM_SOURCE_WORD, VmSource, vm_keccak};
import package::vm::stream::vm_move;

/// Runs any contract, one transaction a lane, each lane with a program counter of its own: layouts in transpiler/layout/lane_vm.ts.
///
/// An inner loop runs instructions that need the stack and the memory that is there alone, block after block, and ends with the operands
/// of the first that needs more. That one runs in phases that all other opcodes share, so that each costly thing has one site and lanes
/// that need it meet there: growth of memory, look-ups, what the opcode does, moves of bytes, frames, the result. A phase that lacks
/// something from the host leaves the lane at the same instruction, with gas and memory as they were.

/// Vector of the header of a micro code.
fn vm_micro_header(index: u32) -> u32 {
  return lane_environment.micro_at + CODE_HEADER_VECTORS * index;
}

/// Micro code header of the precompile at an address; 0 where there is none.
fn vm_precompile(address: U256) -> u32 {
  let rest = address.lo.y | address.lo.z | address.lo.w | address.hi.x;
  let low = address.lo.x;
  let index = select(select(0u, low, low <= MICRO_PRECOMPILE_LAST), MICRO_P256, low == MICRO_P256_ADDRESS);
  var header = 0u;
  if ((rest == 0u) & (index != 0u)) {
    let at = vm_micro_header(index);
    header = select(0u, at, (lanes_in[at + 1u].z & CODE_PRESENT) != 0u);
  }
  return header;
}

@compute @workgroup_size(64)
fn lane_vm(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  vm_spread = lane_environment.spread;
  vm_stride = 1u << vm_spread;
  let number = ((workgroup.x + workgroup.y * workgroups.x) << vm_spread) + local;
  if ((local >= vm_stride) | (number >= lane_environment.count)) {
    return;
  }
  vm_lane = lanes_out[lane_environment.list_at + (number >> 2u)][number & 3u];
  vm_arena = lane_environment.arenas_at + (((vm_lane >> vm_spread) * lane_environment.lane_vectors) << vm_spread) + (vm_lane & (vm_stride - 1u));
  var started = vm_load();
  // A frame to open before the next instruction.
  var opens = started;
  vm_go = select(0u, VM_NONE, started);
  let parties = lanes_out[vm_columns(LANE_PARTIES)];
  let lists = lanes_out[vm_columns(LANE_LISTS)];
  var output = vec2<u32>(0u);
  for (var step = 0u; step < VM_MAX_STEPS; step++) {
    if ((vm_exit == 0u) & opens) {
      vm_open_frame();
      opens = false;
    }
    let next = vm_run_simple(started);
    if (next.ends) {
      break;
    }
    let instruction = next.instruction;
    var a = next.a;
    var b = next.b;
    var ok = next.ok;
    let words_before = vm_words;
    var opcode = vm_opcode(instruction);
    var mode = vm_mode(instruction);
    let immediate = instruction.z >> 16u;
    let c_operand = instruction.z & 0xffffu;
    let calls = opcode == VM_OP_CALL;
    let enters = opcode == VM_OP_ENTER;
    let pays = calls & (mode <= VM_CALL_CALLCODE);
    let foreign = (opcode == VM_OP_COPY_MEMORY) & (mode == VM_COPY_ACCOUNT_CODE);

    // More operands: c; of a call gas, address, value and its two ranges; the words of the frame and of the transaction.
    var c = U256_ZERO;
    var to = U256_ZERO;
    var in_range = vec2<u32>(0u);
    var out_range = vec2<u32>(0u);
    let of_frame = (opcode == VM_OP_ENVIRONMENT) & ((mode == VM_ENVIRONMENT_GASPRICE) | (mode == VM_ENVIRONMENT_CALLVALUE));
    var first = 2u;
    var operands = 2u;
    var wide = c_operand;
    if (calls) {
      first = 0u;
      operands = 7u;
    } else if (of_frame) {
      first = 0u;
      operands = 1u;
    } else if (foreign) {
      operands = 4u;
    } else if ((opcode == VM_OP_COPY_MEMORY) | (opcode == VM_OP_MODULAR) | enters) {
      operands = 3u;
    }
    for (var n = first; n < operands; n++) {
      var operand = select(c_operand, immediate, n == 3u);
      if (calls) {
        if ((n == 2u) & !pays) {
          continue;
        }
        operand = wide & VM_OPERAND_MASK;
        wide--;
      }
      var place = vm_stack_place(operand);
      var stride = vm_stride;
      if (enters) {
        place = vm_columns(LANE_VALUE);
        stride = lane_environment.lane_count;
      } else if (of_frame) {
        place = select(vm_vector(vm_frame, FRAME_VALUE_AT), vm_columns(LANE_GAS_PRICE), mode == VM_ENVIRONMENT_GASPRICE);
        stride = select(vm_stride, lane_environment.lane_count, mode == VM_ENVIRONMENT_GASPRICE);
      }
      var word = U256_ZERO;
      if ((operand < VM_OPERAND_CONSTANT) | enters | of_frame) {
        word = vm_word(place, stride);
      } else {
        word = vm_operand(operand);
      }
      if (n < 2u) {
        a = u256_select(a, word, n == 0u);
        b = u256_select(b, word, n == 1u);
      } else if (n == 2u) {
        c = word;
      } else if (foreign) {
        to = word;
      } else {
        let bytes = vm_bytes(word);
        in_range = select(in_range, vec2<u32>(bytes), vec2<bool>(n == 3u, n == 4u));
        out_range = select(out_range, vec2<u32>(bytes), vec2<bool>(n == 5u, n == 6u));
      }
    }
    if (!foreign) {
      to = u256_select(a, b, calls);
    }
    to.hi = vec4<u32>(to.hi.x, 0u, 0u, 0u);
    let has_value = (pays | enters) & !u256_is_zero(c);
    // An empty range is nowhere.
    in_range.x = select(in_range.x, 0u, in_range.y == 0u);
    var next_pc = vm_pc + 1u;
    var word = a;
    var result = vm_stack_place(instruction.x >> 16u);
    var has_result = (instruction.x >> 16u) != VM_OPERAND_NONE;

    // Memory.
    if ((opcode == VM_OP_MEMORY) & (immediate != 0u)) {
      a = u256_add(a, u256_from_u32(immediate));
    }
    let offset = vm_bytes(a);
    let b_bytes = vm_bytes(b);
    var length = 0u;
    if (ok & (opcode >= VM_OP_MEMORY) & (opcode <= VM_OP_END)) {
      var unit = 0u;
      var touched = 0u;
      if (opcode == VM_OP_MEMORY) {
        length = select(BYTES_PER_WORD, 1u, mode == VM_MODE_MEMORY_STORE_BYTE);
      } else if (calls) {
        touched = max(vm_range_end(in_range.x, in_range.y), vm_range_end(out_range.x, out_range.y));
      } else if ((opcode == VM_OP_KECCAK) | (opcode == VM_OP_COPY_MEMORY) | (opcode == VM_OP_LOG) | ((opcode == VM_OP_END) & (mode != VM_MODE_END_STOP) & (mode != VM_MODE_END_HALT))) {
        length = select(b_bytes, vm_bytes(c), opcode == VM_OP_COPY_MEMORY);
        let units = select((min(length, 0x4000000u) + 31u) >> 5u, min(length, 0x4000000u), opcode == VM_OP_LOG);
        unit = units * select(select(select(0u, GAS_LOG_BYTE, opcode == VM_OP_LOG), GAS_KECCAK_WORD, opcode == VM_OP_KECCAK), GAS_COPY_WORD, opcode == VM_OP_COPY_MEMORY);
        touched = select(0u, vm_range_end(b_bytes, length), (opcode == VM_OP_COPY_MEMORY) & (mode == VM_COPY_MEMORY));
        let inside = (b_bytes <= vm_returned) & (length <= vm_returned) & (b_bytes + length <= vm_returned);
        ok = ok & (inside | (opcode != VM_OP_COPY_MEMORY) | (mode != VM_COPY_RETURNDATA));
      }
      touched = max(touched, vm_range_end(offset, length));
      let changes = ((opcode == VM_OP_STORAGE) | (opcode == VM_OP_TRANSIENT)) & (mode == VM_MODE_STORAGE_STORE);
      let forbidden = changes | (opcode == VM_OP_LOG) | (calls & (mode == VM_CALL_CALL) & has_value);
      ok = ok & !(forbidden & ((vm_flags & FRAME_STATIC) != 0u));
      if (ok & (touched != 0u)) {
        ok = vm_grow(touched);
      }
      ok = ok & vm_charge(unit);
    }

    // What the frame's record says.
    var calldata = vec4<u32>(0u);
    let copies = opcode == VM_OP_COPY_MEMORY;
    let from_calldata = (opcode == VM_OP_CALLDATA_LOAD) | (copies & (mode == VM_COPY_CALLDATA));
    if (from_calldata | (opcode == VM_OP_ENVIRONMENT) | (opcode == VM_OP_MEMO) | copies) {
      var k = select(FRAME_CALLDATA_AT, FRAME_PARTIES_AT, (opcode == VM_OP_ENVIRONMENT) & (mode == VM_ENVIRONMENT_CALLER));
      k = select(k, FRAME_CODE_AT, copies & (mode == VM_COPY_CODE));
      calldata = lanes_out[vm_vector(vm_frame, k)];
    }

    // Accounts: the one that is named, the one that its code stands in for (EIP-7702), and the payer.
    var item = vec4<u32>(0u);
    var item_word = U256_ZERO;
    if ((opcode == VM_OP_WARM) & (vm_returned < lists.y)) {
      let place = lists.x + ITEM_VECTORS * vm_returned;
      item = lanes_out[place];
      item.w = 1u;
      item_word = vm_word(place + 1u, 1u);
      vm_returned++;
      next_pc = vm_pc;
    }
    let item_slot = (item.w == 1u) & ((item.x & ITEM_SLOT) != 0u);
    let item_account = (item.w == 1u) & !item_slot;
    let runs = calls | enters;
    let named = (opcode == VM_OP_ACCOUNT) | calls | foreign;
    let self_balance = (opcode == VM_OP_ENVIRONMENT) & (mode == VM_ENVIRONMENT_SELFBALANCE);
    let sees_balance = self_balance | ((opcode == VM_OP_ACCOUNT) & (mode == VM_MODE_ACCOUNT_BALANCE));
    // Records by their first vector in the arena: what is read, what stands in for it, who pays. None begins at 0.
    var record = 0u;
    var target_record = 0u;
    var payer = 0u;
    var callee_id = 0u;
    var callee_constants = 0u;
    var header = 0u;
    var code = vec4<u32>(0u);
    var constants = 0u;
    var code_owner = 0u;
    var precompile = 0u;
    var delegate_warm = false;
    if (ok & (named | enters | self_balance | item_account)) {
      var address = to;
      for (var turn = 0u; turn < 3u; turn++) {
        var id = MISSING;
        if ((turn == 0u) & !named) {
          id = select(select(parties.y, vm_account, self_balance), item.y, item_account);
        } else if (turn == 2u) {
          if (!has_value) {
            break;
          }
          id = select(parties.x, vm_account, calls);
        } else {
          if (turn == 1u) {
            if (!runs | ((code.z & CODE_DELEGATION) == 0u)) {
              continue;
            }
            let first = lanes_in[code.x];
            let second = lanes_in[code.x + 1u];
            // Bytes 3 to 22 in order are the address.
            let q = (first >> vec4<u32>(24u)) | vec4<u32>(first.yzw << vec3<u32>(8u), second.x << 8u);
            let last = (second.x >> 24u) | (second.y << 8u);
            let reversed = u256_reverse_bytes(U256(vec4<u32>(0u, 0u, 0u, q.x), vec4<u32>(q.yzw, last)));
            address = U256(reversed.lo, vec4<u32>(reversed.hi.x, 0u, 0u, 0u));
            header = 0u;
          }
          id = state_account(address);
          if (id == MISSING) {
            vm_leave(VM_EXIT_MISS_ACCOUNT, 0u, address);
            break;
          }
        }
        // Of the row all but the first vector: code and flags, balance.
        var row = vec4<u32>(0u);
        var low = vec4<u32>(0u);
        var high = vec4<u32>(0u);
        for (var k = ACCOUNT_CODE_AT; k < ACCOUNT_CODE_AT + vm_turns(ACCOUNT_ROW_VECTORS - ACCOUNT_CODE_AT); k++) {
          row = low;
          low = high;
          high = state_account_vector(id, k);
        }
        let found = vm_account_record(id);
        if (vm_exit != 0u) {
          break;
        }
        if (found.is_new) {
          let place = vm_at(found.at);
          let is_sender = id == parties.x;
          var balance = U256(low, high);
          balance = u256_select(balance, item_word, item_account & ((item.x & ITEM_VALUE) != 0u));
          if (is_sender) {
            balance = u256_sub(balance, vm_word(vm_columns(LANE_COST), lane_environment.lane_count));
          }
          let warm = is_sender | (id == parties.y) | (id == lane_environment.coinbase_id);
          let exists = is_sender | ((row.w & ACCOUNT_FLAG_EXISTS) != 0u);
          let flags = select(0u, ENTRY_WARM, warm) | select(0u, ENTRY_EXISTS, exists);
          lanes_out[place] = vec4<u32>(id, flags, row.w >> ACCOUNT_CODE_SHIFT, 0u);
          for (var copy = RECORD_BEFORE_AT; copy < RECORD_BEFORE_AT + vm_turns(VM_ACCOUNT_VECTORS - RECORD_BEFORE_AT); copy++) {
            lanes_out[vm_vector(place, copy)] = select(balance.hi, balance.lo, (copy & 1u) != 0u);
          }
        }
        if (turn == 2u) {
          payer = found.at;
          break;
        }
        let native = vm_precompile(address);
        if (turn == 0u) {
          record = found.at;
          callee_id = id;
          callee_constants = row.z;
          precompile = select(select(0u, vm_micro_header(vm_native), enters & (vm_native != 0u)), native, named);
        } else {
          // Two looks: the second finds the account warm that the first has found cold (EIP-7702).
          target_record = found.at;
          delegate_warm = (native != 0u) | (found.at == record);
        }
        if ((runs | foreign) & ((row.w >> ACCOUNT_CODE_SHIFT) != 0u)) {
          header = lane_environment.codes_at + CODE_HEADER_VECTORS * (row.w >> ACCOUNT_CODE_SHIFT);
          constants = row.z;
          code_owner = id;
          code = lanes_in[header + 1u];
          if ((code.z & CODE_PRESENT) == 0u) {
            vm_leave(VM_EXIT_MISS_CODE, id, U256_ZERO);
            break;
          }
        }
      }
    }
    let copies_code = (opcode == VM_OP_COPY_MEMORY) & ((mode == VM_COPY_CODE) | foreign);
    if (copies_code & (vm_exit == 0u)) {
      if (!foreign) {
        header = vm_code;
        code = vec4<u32>(vm_code_bytes, 0u, 0u);
        code_owner = calldata.y;
      }
      if ((header != 0u) & (code.x == 0u)) {
        vm_leave(VM_EXIT_MISS_BYTES, code_owner, U256_ZERO);
      }
    }

    // Slots, and what the host remembers in their table.
    if (ok & ((opcode == VM_OP_STORAGE) | (opcode == VM_OP_MEMO) | item_slot)) {
      var key = a;
      var owner = vm_account;
      var wanted = true;
      if (opcode == VM_OP_MEMO) {
        owner = select(VM_MEMO_OWNERS + immediate, (VM_MEMO_OWNERS + VM_MEMO_BLOCK_HASH), mode == VM_MODE_MEMO_BLOCK_HASH);
        key = evm_sum(a, b, false);
        // Of the 256 ancestors: 1 <= number - a <= 256, at full width.
        let number = lane_environment.words[ENVIRONMENT_WORD_NUMBER];
        let distance = u256_sub(number, a);
        let near = all((distance.lo.yzw == vec3<u32>(0u))) & all(distance.hi == vec4<u32>(0u)) & (distance.lo.x - 1u < BLOCK_HASH_WINDOW);
        wanted = (mode != VM_MODE_MEMO_BLOCK_HASH) | (near & u256_lt(a, number));
      }
      var id = item.y;
      if (wanted & !item_slot) {
        id = state_slot(owner, key);
      }
      var held = U256_ZERO;
      if (wanted) {
        held = state_slot_value(id);
      }
      if (id == MISSING) {
        vm_leave(select(select(VM_EXIT_MISS_PRECOMPILE, VM_EXIT_MISS_BLOCK_HASH, mode == VM_MODE_MEMO_BLOCK_HASH), VM_EXIT_MISS_SLOT, opcode == VM_OP_STORAGE), select(immediate, owner, opcode == VM_OP_STORAGE), key);
        output = vec2<u32>(16u * vm_memory, calldata.z);
      } else if (opcode == VM_OP_MEMO) {
        word = held;
      } else {
        let found = vm_slot_record(id, select(vm_account, item.z, item_slot));
        record = found.at;
        if (found.is_new & (vm_exit == 0u)) {
          held = u256_select(held, item_word, (item.x & ITEM_VALUE) != 0u);
          for (var copy = RECORD_BEFORE_AT; copy < RECORD_BEFORE_AT + vm_turns(SLOT_VECTORS - RECORD_BEFORE_AT); copy++) {
            lanes_out[vm_vector(vm_at(record), copy)] = select(held.hi, held.lo, (copy & 1u) != 0u);
          }
        }
      }
    }
    if (ok & (opcode == VM_OP_TRANSIENT)) {
      record = vm_transient_record(vm_account, a).at;
    }

    let storage = opcode == VM_OP_STORAGE;
    let writes = (mode == VM_MODE_STORAGE_STORE) & (storage | (opcode == VM_OP_TRANSIENT));
    let code_header = select(header, precompile, precompile != 0u);
    var present = U256_ZERO;
    var exists = false;
    var given = vm_gas;
    var starts = true;
    var pushes = false;
    var journal = 0u;
    // Most instructions look at no record: the loops are not for them.
    if ((vm_exit == 0u) & ((record != 0u) | (opcode == VM_OP_BLOB_HASH))) {
      // What the looks at records cost, and the present words of the first and of the payer's; or a blob hash.
      var purse = U256_ZERO;
      var cost = 0u;
      // What is paid before the first look, whatever the state says (EIP-7928): else nothing was looked at.
      var first_cost = select(0u, GAS_CALL_VALUE, calls & has_value);
      for (var turn = 0u; turn < 3u; turn++) {
        let at = select(select(record, target_record, turn == 1u), payer, turn == 2u);
        var place = vm_at(at);
        var stride = vm_stride;
        if (at == 0u) {
          if ((opcode != VM_OP_BLOB_HASH) | (turn != 0u) | (offset >= lists.w)) {
            continue;
          }
          place = lists.z + 2u * offset - (RECORD_PRESENT_AT << vm_spread);
          stride = 1u;
        } else {
          let flags = lanes_out[place].y;
          let warm = ((flags & ENTRY_WARM) != 0u) | select(precompile != 0u, delegate_warm, turn == 1u);
          exists = select(exists, (flags & ENTRY_EXISTS) != 0u, turn == 0u);
          let look = select(select(0u, select(GAS_COLD_ACCOUNT, GAS_WARM, warm), named), select(GAS_COLD_SLOAD, select(GAS_WARM, 0u, writes), warm), storage);
          cost += select(look, 0u, turn == 2u);
          first_cost += select(0u, look, turn == 0u);
        }
        if (turn != 1u) {
          purse = vm_word(vm_vector(place, RECORD_PRESENT_AT), stride);
          present = u256_select(present, purse, turn == 0u);
        }
      }
      if (storage & writes) {
        let original = vm_word(vm_vector(vm_at(record), RECORD_BEFORE_AT), vm_stride);
        let costs = evm_store(original, present, b, GAS_WARM, GAS_SSTORE_RESET - GAS_COLD_SLOAD, lane_environment.clear_refund);
        first_cost = GAS_SSTORE_SENTRY + 1u;
        ok = ok & !vm_less(vm_gas, vec2<u32>(first_cost, 0u));
        cost += costs.x;
        vm_refund += select(0u, costs.y, ok);
      }
      let looks_at_first = !vm_less(vm_gas, vec2<u32>(first_cost, 0u));
      ok = ok & vm_charge(cost);
      if (calls & ok) {
        if (has_value) {
          ok = vm_charge(GAS_CALL_VALUE + select(0u, GAS_NEW_ACCOUNT, !exists & u256_is_zero(present) & (mode == VM_CALL_CALL)));
        }
        // All but a 64th at most (EIP-150).
        let cap = vm_minus(vm_gas, vec2<u32>((vm_gas.x >> CALL_GAS_SHIFT) | (vm_gas.y << (32u - CALL_GAS_SHIFT)), vm_gas.y >> CALL_GAS_SHIFT));
        let asked_far = (a.lo.z | a.lo.w | a.hi.x | a.hi.y | a.hi.z | a.hi.w) != 0u;
        given = select(cap, a.lo.xy, !asked_far & vm_less(a.lo.xy, cap));
        vm_gas = vm_minus(vm_gas, given);
        given = vm_plus(given, vec2<u32>(select(0u, GAS_CALL_STIPEND, has_value), 0u));
        starts = !(has_value & u256_lt(purse, c)) & (vm_depth < MAX_CALL_DEPTH);
      }
      pushes = runs & ok & starts & (code_header != 0u);

      // What changes in records: those looked at; behind the mark of a new frame the payer and who is paid.
      for (var turn = 0u; turn < 4u; turn++) {
        if (turn == 2u) {
          journal = vm_journal;
          if (pushes & calls) {
            if (vm_depth + 1u >= lane_environment.depth) {
              vm_full(VM_REGION_FRAMES);
            }
            vm_depth++;
          }
        }
        let at = select(select(record, target_record, turn == 1u), payer, turn == 2u);
        let moves = turn >= 2u;
        // A CALLCODE pays the account itself: nothing moves, but the payer must hold the value all the same.
        let paid = ok & starts & ((calls & (mode == VM_CALL_CALL)) | enters);
        if ((at == 0u) | (moves & !(paid | (ok & calls & (turn == 2u))))) {
          continue;
        }
        let place = vm_at(at);
        let flags = lanes_out[place].y;
        // The code that stands in (EIP-7702) is looked at by a call that starts.
        let looks_at = select(looks_at_first, ok & starts, turn == 1u);
        let looks = select(0u, select(select(select(0u, ENTRY_READ, runs | (named & !sees_balance)), ENTRY_BALANCE, sees_balance), SLOT_READ, storage), looks_at);
        let warms = select(0u, ENTRY_WARM, named | runs | storage | ((item.x & ITEM_WARM) != 0u));
        var marks = looks | warms;
        var notes = (writes & (turn == 0u)) | ((warms & ~flags) != 0u);
        if (moves) {
          // A payer that may not start the call is looked at.
          marks = select(select(0u, ENTRY_BALANCE, !starts), ENTRY_TOUCHED, turn == 3u);
          notes = paid;
        }
        if (notes) {
          vm_note(at);
        }
        lanes_out[place].y = flags | marks;
        var now = b;
        if (moves) {
          now = evm_sum(u256_select(present, purse, turn == 2u), c, turn == 2u);
        }
        if (ok & notes & (writes | (moves & has_value & (payer != record)))) {
          vm_put_word(vm_vector(place, RECORD_PRESENT_AT), now);
        }
        if ((turn == 2u) & starts) {
          let least = vm_word(vm_vector(place, RECORD_LEAST_AT), vm_stride);
          vm_put_word(vm_vector(place, RECORD_LEAST_AT), u256_select(least, now, u256_lt(now, least)));
        }
      }
    }

    if (vm_exit == 0u) {
      // Everything that needs nothing from outside.
      if (opcode < VM_OP_MUL) {
        if (opcode == VM_OP_ENVIRONMENT) {
          if (mode < VM_ENVIRONMENT_CALLVALUE) {
            let id = select(select(calldata.z, parties.x, mode == VM_ENVIRONMENT_ORIGIN), vm_account, mode == VM_ENVIRONMENT_ADDRESS);
            word = state_account_address(id);
          } else if (mode > VM_ENVIRONMENT_SELFBALANCE) {
            word = lane_environment.words[mode - VM_ENVIRONMENT_NUMBER];
          } else if (self_balance) {
            word = present;
          } else if ((mode != VM_ENVIRONMENT_CALLVALUE) & (mode != VM_ENVIRONMENT_GASPRICE)) {
            let number = select(select(vm_gas.x, BYTES_PER_WORD * vm_words, mode == VM_ENVIRONMENT_MSIZE), vm_returned, mode == VM_ENVIRONMENT_RETURNDATASIZE);
            word = u256_from_u32(select(select(number, calldata.z, mode == VM_ENVIRONMENT_CALLDATASIZE), vm_code_bytes.y, mode == VM_ENVIRONMENT_CODESIZE));
            word.lo.y = select(0u, vm_gas.y, mode == VM_ENVIRONMENT_GAS);
          }
        } else {
          word = present;
        }
      } else if (opcode < VM_OP_COPY_MEMORY) {
        if (opcode == VM_OP_EXP) {
          ok = ok & vm_charge(GAS_EXP_BYTE * u256_byte_length(b));
        }
        if (ok) {
          word = evm_arithmetic(opcode, mode, a, b, c);
        }
      } else if (opcode == VM_OP_ACCOUNT) {
        word = present;
        if (mode != VM_MODE_ACCOUNT_BALANCE) {
          let at = 2u * (callee_constants + select(CONSTANTS_CODE_HASH_AT, CONSTANTS_CODE_SIZE_AT, mode == VM_MODE_ACCOUNT_CODE_SIZE));
          word = u256_select(U256_ZERO, U256(state_constants[at], state_constants[at + 1u]), exists | !u256_is_zero(present));
        }
      } else if (opcode == VM_OP_BLOB_HASH) {
        word = present;
      } else if (opcode == VM_OP_CHARGE) {
        ok = vm_take(offset);
      } else if (opcode == VM_OP_REFUSE) {
        vm_leave(VM_EXIT_REFUSED, immediate, U256_ZERO);
      }
    }

    if (!ok) {
      opcode = VM_OP_END;
      mode = VM_MODE_END_HALT;
      length = 0u;
    }

    // Bytes.
    let parent = vm_frame - (FRAME_VECTORS << vm_spread);
    let memory = vm_at(lane_environment.memory_at + vm_memory);
    let returned = vm_at(lane_environment.return_at);
    var call = vec4<u32>(0u);
    var call_ranges = vec4<u32>(0u);
    if ((opcode == VM_OP_END) & (vm_depth != 0u)) {
      call = lanes_out[vm_vector(parent, FRAME_BASES_AT)];
      call_ranges = lanes_out[vm_vector(parent, FRAME_LEFT_AT)];
    }
    if (vm_exit == 0u) {
      if ((opcode == VM_OP_CALLDATA_LOAD) | (opcode == VM_OP_MEMORY) | (opcode == VM_OP_COPY_MEMORY) | (opcode == VM_OP_LOG) | (opcode == VM_OP_END)) {
        var source = VmSource(VM_SOURCE_ARENA, memory, BYTES_PER_WORD * vm_words, offset, U256_ZERO);
        var base = 0u;
        var at = offset;
        var backward = false;
        var moves = 1u;
        if (from_calldata) {
          let from_byte = select(b_bytes, offset, opcode == VM_OP_CALLDATA_LOAD);
          source = VmSource(select(VM_SOURCE_WAVE, VM_SOURCE_ARENA, calldata.w == FRAME_CALLDATA_IN_ARENA), calldata.x, calldata.y + calldata.z, calldata.y + min(from_byte, calldata.z), U256_ZERO);
        }
        if (opcode == VM_OP_CALLDATA_LOAD) {
          at = 0u;
          length = BYTES_PER_WORD;
        } else if (opcode == VM_OP_MEMORY) {
          if (mode == VM_MODE_MEMORY_LOAD) {
            at = 0u;
          } else {
            var bytes = u256_reverse_bytes(b);
            bytes.lo.x = select(bytes.lo.x, b.lo.x & 0xffu, mode == VM_MODE_MEMORY_STORE_BYTE);
            source = VmSource(VM_SOURCE_WORD, 0u, BYTES_PER_WORD, 0u, bytes);
            base = memory;
          }
        } else if (opcode == VM_OP_COPY_MEMORY) {
          base = memory;
          if (mode == VM_COPY_MEMORY) {
            source.position = b_bytes;
            backward = b_bytes < at;
          } else if (mode == VM_COPY_RETURNDATA) {
            source = VmSource(VM_SOURCE_ARENA, returned, vm_returned, b_bytes, U256_ZERO);
          } else if (copies_code) {
            source = VmSource(VM_SOURCE_CODES, code.x, code.y, min(b_bytes, code.y), U256_ZERO);
          }
        } else if (opcode == VM_OP_LOG) {
          at = 0u;
          let vectors = 1u + 2u * mode + ((length + 15u) >> 4u);
          if (vm_log_vectors + vectors > lane_environment.log_vectors) {
            vm_full(VM_REGION_LOGS);
            length = 0u;
          } else {
            let log = vm_at(lane_environment.logs_at + vm_log_vectors);
            lanes_out[log] = vec4<u32>(vm_account, mode, length, vectors);
            var topic = vm_stack_place(c_operand);
            for (var n = 0u; n < 2u * mode; n++) {
              lanes_out[vm_vector(log, 1u + n)] = lanes_out[vm_vector(topic, n & 1u)];
              topic -= (n & 1u) << (vm_spread + 1u);
            }
            base = vm_vector(log, 1u + 2u * mode);
            vm_log_vectors += vectors;
            vm_logs++;
          }
        } else {
          at = 0u;
          base = returned;
          if (vm_depth == 0u) {
            output = vec2<u32>(16u * vm_memory + select(offset, 0u, length == 0u), length);
            length = 0u;
          } else if (length > 16u * lane_environment.return_vectors) {
            vm_full(VM_REGION_RETURNDATA);
            length = 0u;
          }
          vm_returned = length;
          moves = select(1u, 2u, length != 0u);
        }
        for (var n = 0u; n < moves; n++) {
          if (n == 1u) {
            // From the return data to where the caller wants it.
            source = VmSource(VM_SOURCE_ARENA, base, length, 0u, U256_ZERO);
            base = vm_at(lane_environment.memory_at + call.w);
            at = call_ranges.z;
            length = min(length, call_ranges.w);
          }
          let moved = vm_move(source, base, at, length, backward);
          if (base == 0u) {
            word = u256_reverse_bytes(moved);
          }
        }
      } else if (opcode == VM_OP_KECCAK) {
        word = vm_keccak(VmSource(VM_SOURCE_ARENA, memory, BYTES_PER_WORD * vm_words, select(offset, 0u, length == 0u), U256_ZERO), length);
      }
    }

    // Frames.
    if ((vm_exit == 0u) & ((opcode == VM_OP_CALL) | enters | (opcode == VM_OP_END))) {
      if (opcode == VM_OP_END) {
        if ((mode >= VM_MODE_END_REVERT) & started) {
          let mark = lanes_out[vm_vector(vm_frame, FRAME_MARKS_AT)];
          vm_undo(mark.x);
          vm_log_vectors = mark.y;
          vm_logs = mark.z;
          vm_refund = mark.w;
        }
        vm_gas = select(vm_gas, vec2<u32>(0u), mode == VM_MODE_END_HALT);
        if (vm_depth == 0u) {
          vm_exit = max(mode, VM_EXIT_SUCCEEDED);
        } else {
          vm_depth--;
          vm_height = call.y;
          vm_go = call.x;
          vm_gas = vm_plus(vm_gas, vec2<u32>(call_ranges.y, lanes_out[vm_vector(parent, FRAME_CODE_AT)].z));
          opens = true;
          word = u256_from_bool(mode < VM_MODE_END_REVERT);
          result = vm_at(lane_environment.stack_at + 2u * (call.z + call.y - 1u));
          has_result = true;
        }
      } else {
        if (pushes) {
          started = true;
          let delegate_call = calls & (mode == VM_CALL_DELEGATECALL);
          let keeps = calls & ((mode == VM_CALL_CALLCODE) | (mode == VM_CALL_DELEGATECALL));
          let seen_value = u256_select(U256_ZERO, c, has_value);
          var parties_now = vec4<u32>(code_header, select(callee_id, vm_account, keeps), vm_account, select(vm_flags & FRAME_STATIC, FRAME_STATIC, calls & (mode == VM_CALL_STATICCALL)));
          parties_now.w = select(parties_now.w, FRAME_FREE, precompile != 0u);
          var bases = vec4<u32>(0u);
          let input = vm_at(lane_environment.memory_at + vm_memory + (in_range.x >> 4u));
          calldata = vec4<u32>(input, in_range.x & 15u, in_range.y, FRAME_CALLDATA_IN_ARENA);
          var frame = vm_vector(vm_frame, FRAME_VECTORS);
          if (enters) {
            parties_now.z = parties.x;
            parties_now.w = select(0u, FRAME_FREE, vm_native != 0u);
            calldata = vec4<u32>(parties.z, 0u, parties.w, 0u);
            frame = vm_frame;
          } else {
            lanes_out[vm_vector(vm_frame, FRAME_LEFT_AT)] = vec4<u32>(vm_words, vm_gas.x, out_range);
            lanes_out[vm_vector(vm_frame, FRAME_CODE_AT)].z = vm_gas.y;
            let own = lanes_out[vm_vector(vm_frame, FRAME_BASES_AT)];
            let after = u32(i32(vm_height) + (i32(immediate << 16u) >> 16u));
            bases = vec4<u32>(0u, 0u, own.z + after, vm_memory + 2u * vm_words);
            lanes_out[vm_vector(vm_frame, FRAME_BASES_AT)] = vec4<u32>(instruction.w >> 16u, after, own.zw);
          }
          for (var k = 0u; k < vm_turns(FRAME_VECTORS); k++) {
            var v = parties_now;
            v = select(v, bases, k == FRAME_BASES_AT);
            v = select(v, calldata, k == FRAME_CALLDATA_AT);
            v = select(v, vec4<u32>(0u), k == FRAME_LEFT_AT);
            v = select(v, vec4<u32>(journal, vm_log_vectors, vm_logs, vm_refund), k == FRAME_MARKS_AT);
            v = select(v, seen_value.lo, k == FRAME_VALUE_AT);
            v = select(v, seen_value.hi, k == FRAME_VALUE_AT + 1u);
            v = select(v, vec4<u32>(constants, code_owner, 0u, 0u), k == FRAME_CODE_AT);
            if (delegate_call & ((k == FRAME_PARTIES_AT) | (k == FRAME_VALUE_AT) | (k == FRAME_VALUE_AT + 1u))) {
              let inherited = lanes_out[vm_vector(vm_frame, k)];
              v = select(inherited, vec4<u32>(v.xy, inherited.z, v.w), k == FRAME_PARTIES_AT);
            }
            lanes_out[vm_vector(frame, k)] = v;
          }
          vm_gas = given;
          vm_height = 0u;
          opens = true;
          vm_go = 0u;
          has_result = false;
        } else if (ok) {
          // Nothing runs: an account without code, or a call that may not start.
          vm_gas = vm_plus(vm_gas, select(given, vec2<u32>(0u), enters));
          word = u256_from_bool(starts);
          vm_exit = select(0u, VM_EXIT_SUCCEEDED, enters);
          vm_shift_height(immediate);
          vm_go = instruction.w >> 16u;
        }
        vm_returned = 0u;
      }
    }

    if (vm_exit < VM_EXIT_MISS_ACCOUNT) {
      if (has_result) {
        lanes_out[result] = word.lo;
        lanes_out[result + vm_stride] = word.hi;
      }
      vm_pc = next_pc;
    } else {
      vm_gas = next.gas_before;
      vm_words = words_before;
    }
  }
  vm_save(started, output);
}
