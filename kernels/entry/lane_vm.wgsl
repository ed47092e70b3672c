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
import package::layout::lane_vm::{VM_EXIT_REFUSED, VM_EXIT_RUNNING, VM_EXIT_SUCCEEDED, VM_MAX_STEPS};
import package::layout::lane_vm::{VM_MEMO_BLOCK_HASH, VM_MEMO_OWNERS, VM_NONE, VM_OPERAND_CONSTANT, VM_OPERAND_MASK};
import package::layout::lane_vm::{VM_OPERAND_NONE, VM_OP_ACCOUNT, VM_OP_BLOB_HASH, VM_OP_CALL, VM_OP_CALLDATA_LOAD};
import package::layout::lane_vm::{VM_OP_CHARGE, VM_OP_COPY_MEMORY, VM_OP_END, VM_OP_ENTER, VM_OP_ENVIRONMENT};
import package::layout::lane_vm::{VM_OP_EXP, VM_OP_KECCAK, VM_OP_LOG, VM_OP_MEMO, VM_OP_MEMORY, VM_OP_MODULAR};
import package::layout::lane_vm::{VM_OP_MUL, VM_OP_REFUSE, VM_OP_STORAGE, VM_OP_TRANSIENT, VM_OP_WARM};
import package::layout::lane_vm::{VM_REGION_FRAMES, VM_REGION_LOGS, VM_REGION_RETURNDATA};
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
import package::vm::simple::{VmNext, vm_run_simple};
import package::vm::stream::{VM_SOURCE_ARENA, VM_SOURCE_CODES, VM_SOURCE_WAVE, VM_SOURCE_WORD, VmSource, vm_keccak};
import package::vm::stream::vm_move;

/// Runs any contract, one transaction a lane, each lane with a program counter of its own: layouts in
/// transpiler/layout/lane_vm.ts.
///
/// An inner loop (vm/simple.wgsl) runs instructions that touch only the stack and memory already allocated, block after
/// block, and ends with the operands of the first that needs more. That one ends the turn: it runs through phases that
/// all other opcodes share, so each costly thing has one site and lanes that need it meet there. A phase that lacks
/// something from the host leaves the lane at the same instruction, with gas and memory as they were.

/// Registers of the lane beside those of vm/lane.wgsl. Whether the transaction's own frame has been opened; whether a
/// frame is to be opened before the next instruction.
var<private> lane_started: bool;
var<private> lane_opens: bool;
/// Columns LANE_PARTIES and LANE_LISTS; the first half of LANE_OUTPUT.
var<private> lane_parties: vec4<u32>;
var<private> lane_lists: vec4<u32>;
var<private> lane_output: vec2<u32>;

/// Registers of a turn: what its phases hand on. turn_begin sets them all, so nothing lives on from turn to turn.
var<private> turn_instruction: vec4<u32>;
var<private> turn_opcode: u32;
var<private> turn_mode: u32;
/// The instruction does not halt.
var<private> turn_ok: bool;
/// A CALL of any kind; the transaction's own frame is to be opened; EXTCODECOPY.
var<private> turn_calls: bool;
var<private> turn_enters: bool;
var<private> turn_foreign: bool;
/// Operands; the address that is called or copied from; ranges (byte, bytes) of the input of a call and of where its
/// output goes.
var<private> turn_a: U256;
var<private> turn_b: U256;
var<private> turn_c: U256;
var<private> turn_to: U256;
var<private> turn_in: vec2<u32>;
var<private> turn_out: vec2<u32>;
/// The call pays something, or the transaction does.
var<private> turn_has_value: bool;
/// Bytes of memory that are read, written, hashed, logged or returned: the first, and their number.
var<private> turn_offset: u32;
var<private> turn_length: u32;
/// FRAME_CALLDATA_AT of the frame, or what else of its record the instruction asks for.
var<private> turn_calldata: vec4<u32>;
/// The item that is entered: (ITEM_* flags, id, owner, 1), and its value.
var<private> turn_item: vec4<u32>;
var<private> turn_item_word: U256;
/// Records by their first vector in the arena: what is read, what stands in for it (EIP-7702), who pays. None begins at
/// 0.
var<private> turn_record: u32;
var<private> turn_target: u32;
var<private> turn_payer: u32;
/// The account that is named: its id and its constants.
var<private> turn_callee: u32;
var<private> turn_callee_constants: u32;
/// The code that runs or is copied: its header, what the second vector of that says, its constants, and the account
/// that has it.
var<private> turn_header: u32;
var<private> turn_code: vec4<u32>;
var<private> turn_constants: u32;
var<private> turn_code_owner: u32;
/// Header of the precompile that is called, or 0.
var<private> turn_precompile: u32;
var<private> turn_delegate_warm: bool;
/// The present word of the record, and whether its account exists.
var<private> turn_present: U256;
var<private> turn_exists: bool;
/// The present word of the payer.
var<private> turn_purse: U256;
/// Gas of the callee; the call may start; a frame is opened for it; journal entries before what it pays.
var<private> turn_given: vec2<u32>;
var<private> turn_starts: bool;
var<private> turn_pushes: bool;
var<private> turn_journal: u32;
/// Of the record of the caller, where a frame ends: FRAME_BASES_AT and FRAME_LEFT_AT.
var<private> turn_caller: vec4<u32>;
var<private> turn_caller_left: vec4<u32>;
/// The result: its word, where it goes, whether there is one.
var<private> turn_word: U256;
var<private> turn_result: u32;
var<private> turn_has_result: bool;
var<private> turn_next_pc: u32;

fn turn_immediate() -> u32 {
  return turn_instruction.z >> 16u;
}

fn turn_operand_c() -> u32 {
  return turn_instruction.z & 0xffffu;
}

/// SLOAD and SSTORE.
fn turn_is_storage() -> bool {
  return turn_opcode == VM_OP_STORAGE;
}

/// SSTORE and TSTORE.
fn turn_stores() -> bool {
  return (turn_mode == VM_MODE_STORAGE_STORE) & (turn_is_storage() | (turn_opcode == VM_OP_TRANSIENT));
}

/// The instruction names an account.
fn turn_is_named() -> bool {
  return (turn_opcode == VM_OP_ACCOUNT) | turn_calls | turn_foreign;
}

fn turn_is_self_balance() -> bool {
  return (turn_opcode == VM_OP_ENVIRONMENT) & (turn_mode == VM_ENVIRONMENT_SELFBALANCE);
}

fn turn_is_item(kind: u32) -> bool {
  return (turn_item.w == 1u) & ((turn_item.x & ITEM_SLOT) == kind);
}

fn turn_reads_calldata() -> bool {
  return (turn_opcode == VM_OP_CALLDATA_LOAD) | ((turn_opcode == VM_OP_COPY_MEMORY) & (turn_mode == VM_COPY_CALLDATA));
}

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

/// Takes up an instruction that the inner loop has left.
fn turn_begin(next: VmNext) {
  turn_instruction = next.instruction;
  turn_opcode = vm_opcode(next.instruction);
  turn_mode = vm_mode(next.instruction);
  turn_ok = next.ok;
  turn_calls = turn_opcode == VM_OP_CALL;
  turn_enters = turn_opcode == VM_OP_ENTER;
  turn_foreign = (turn_opcode == VM_OP_COPY_MEMORY) & (turn_mode == VM_COPY_ACCOUNT_CODE);
  turn_a = next.a;
  turn_b = next.b;
  turn_c = U256_ZERO;
  turn_to = U256_ZERO;
  turn_in = vec2<u32>(0u);
  turn_out = vec2<u32>(0u);
  turn_has_value = false;
  turn_offset = 0u;
  turn_length = 0u;
  turn_calldata = vec4<u32>(0u);
  turn_item = vec4<u32>(0u);
  turn_item_word = U256_ZERO;
  turn_record = 0u;
  turn_target = 0u;
  turn_payer = 0u;
  turn_callee = 0u;
  turn_callee_constants = 0u;
  turn_header = 0u;
  turn_code = vec4<u32>(0u);
  turn_constants = 0u;
  turn_code_owner = 0u;
  turn_precompile = 0u;
  turn_delegate_warm = false;
  turn_present = U256_ZERO;
  turn_exists = false;
  turn_given = vec2<u32>(0u);
  turn_starts = true;
  turn_pushes = false;
  turn_journal = 0u;
  turn_purse = U256_ZERO;
  turn_caller = vec4<u32>(0u);
  turn_caller_left = vec4<u32>(0u);
  turn_word = turn_a;
  turn_result = vm_stack_place(next.instruction.x >> 16u);
  turn_has_result = (next.instruction.x >> 16u) != VM_OPERAND_NONE;
  turn_next_pc = vm_pc + 1u;
}

/// Operands: c; of a call gas, address, value and its two ranges; the words of the frame and of the transaction.
fn phase_operands() {
  let pays = turn_calls & (turn_mode <= VM_CALL_CALLCODE);
  let of_transaction = turn_mode == VM_ENVIRONMENT_GASPRICE;
  let of_frame = (turn_opcode == VM_OP_ENVIRONMENT) & (of_transaction | (turn_mode == VM_ENVIRONMENT_CALLVALUE));
  var first = 2u;
  var operands = 2u;
  var wide = turn_operand_c();
  if (turn_calls) {
    first = 0u;
    operands = 7u;
  } else if (of_frame) {
    first = 0u;
    operands = 1u;
  } else if (turn_foreign) {
    operands = 4u;
  } else if ((turn_opcode == VM_OP_COPY_MEMORY) | (turn_opcode == VM_OP_MODULAR) | turn_enters) {
    operands = 3u;
  }
  for (var n = first; n < operands; n++) {
    var operand = select(turn_operand_c(), turn_immediate(), n == 3u);
    if (turn_calls) {
      if ((n == 2u) & !pays) {
        continue;
      }
      operand = wide & VM_OPERAND_MASK;
      wide--;
    }
    var place = vm_stack_place(operand);
    var stride = vm_stride;
    if (turn_enters) {
      place = vm_columns(LANE_VALUE);
      stride = lane_environment.lane_count;
    } else if (of_frame) {
      place = select(vm_vector(vm_frame, FRAME_VALUE_AT), vm_columns(LANE_GAS_PRICE), of_transaction);
      stride = select(vm_stride, lane_environment.lane_count, of_transaction);
    }
    var word = U256_ZERO;
    if ((operand < VM_OPERAND_CONSTANT) | turn_enters | of_frame) {
      word = vm_word(place, stride);
    } else {
      word = vm_operand(operand);
    }
    if (n < 2u) {
      turn_a = u256_select(turn_a, word, n == 0u);
      turn_b = u256_select(turn_b, word, n == 1u);
    } else if (n == 2u) {
      turn_c = word;
    } else if (turn_foreign) {
      turn_to = word;
    } else {
      let bytes = vm_bytes(word);
      turn_in = select(turn_in, vec2<u32>(bytes), vec2<bool>(n == 3u, n == 4u));
      turn_out = select(turn_out, vec2<u32>(bytes), vec2<bool>(n == 5u, n == 6u));
    }
  }
  if (!turn_foreign) {
    turn_to = u256_select(turn_a, turn_b, turn_calls);
  }
  turn_to.hi = vec4<u32>(turn_to.hi.x, 0u, 0u, 0u);
  turn_has_value = (pays | turn_enters) & !u256_is_zero(turn_c);
  // An empty range is nowhere.
  turn_in.x = select(turn_in.x, 0u, turn_in.y == 0u);
  turn_word = turn_a;
}

/// Gas by length, and growth of memory. What a static frame may not do ends here.
fn phase_memory() {
  let copies = turn_opcode == VM_OP_COPY_MEMORY;
  let logs = turn_opcode == VM_OP_LOG;
  if ((turn_opcode == VM_OP_MEMORY) & (turn_immediate() != 0u)) {
    turn_a = u256_add(turn_a, u256_from_u32(turn_immediate()));
  }
  turn_offset = vm_bytes(turn_a);
  if (!(turn_ok & (turn_opcode >= VM_OP_MEMORY) & (turn_opcode <= VM_OP_END))) {
    return;
  }
  let from_byte = vm_bytes(turn_b);
  var unit = 0u;
  var touched = 0u;
  let returns = (turn_opcode == VM_OP_END) & (turn_mode != VM_MODE_END_STOP) & (turn_mode != VM_MODE_END_HALT);
  if (turn_opcode == VM_OP_MEMORY) {
    turn_length = select(BYTES_PER_WORD, 1u, turn_mode == VM_MODE_MEMORY_STORE_BYTE);
  } else if (turn_calls) {
    touched = max(vm_range_end(turn_in.x, turn_in.y), vm_range_end(turn_out.x, turn_out.y));
  } else if ((turn_opcode == VM_OP_KECCAK) | copies | logs | returns) {
    turn_length = select(from_byte, vm_bytes(turn_c), copies);
    let bytes = min(turn_length, 0x4000000u);
    let units = select((bytes + 31u) >> 5u, bytes, logs);
    let price = select(select(0u, GAS_LOG_BYTE, logs), GAS_KECCAK_WORD, turn_opcode == VM_OP_KECCAK);
    unit = units * select(price, GAS_COPY_WORD, copies);
    touched = select(0u, vm_range_end(from_byte, turn_length), copies & (turn_mode == VM_COPY_MEMORY));
    let inside = (from_byte <= vm_returned) & (turn_length <= vm_returned) & (from_byte + turn_length <= vm_returned);
    turn_ok = turn_ok & (inside | !copies | (turn_mode != VM_COPY_RETURNDATA));
  }
  touched = max(touched, vm_range_end(turn_offset, turn_length));
  let forbidden = turn_stores() | logs | (turn_calls & (turn_mode == VM_CALL_CALL) & turn_has_value);
  turn_ok = turn_ok & !(forbidden & ((vm_flags & FRAME_STATIC) != 0u));
  if (turn_ok & (touched != 0u)) {
    turn_ok = vm_grow(touched);
  }
  turn_ok = turn_ok & vm_charge(unit);
}

/// What the record of the frame says: calldata, parties or code.
fn phase_record() {
  let copies = turn_opcode == VM_OP_COPY_MEMORY;
  if (turn_reads_calldata() | (turn_opcode == VM_OP_ENVIRONMENT) | (turn_opcode == VM_OP_MEMO) | copies) {
    let of_parties = (turn_opcode == VM_OP_ENVIRONMENT) & (turn_mode == VM_ENVIRONMENT_CALLER);
    let k = select(FRAME_CALLDATA_AT, FRAME_PARTIES_AT, of_parties);
    turn_calldata = lanes_out[vm_vector(vm_frame, select(k, FRAME_CODE_AT, copies & (turn_mode == VM_COPY_CODE)))];
  }
}

/// The next item of the transaction; the prologue stays at its instruction until there is none.
fn turn_take_item() {
  if ((turn_opcode == VM_OP_WARM) & (vm_returned < lane_lists.y)) {
    let place = lane_lists.x + ITEM_VECTORS * vm_returned;
    turn_item = lanes_out[place];
    turn_item.w = 1u;
    turn_item_word = vm_word(place + 1u, 1u);
    vm_returned++;
    turn_next_pc = vm_pc;
  }
}

/// Address that a delegation designator names: bytes 3 to 22 of the code in vector `at` of the code store.
fn turn_delegate(at: u32) -> U256 {
  let first = lanes_in[at];
  let second = lanes_in[at + 1u];
  let q = (first >> vec4<u32>(24u)) | vec4<u32>(first.yzw << vec3<u32>(8u), second.x << 8u);
  let last = (second.x >> 24u) | (second.y << 8u);
  let reversed = u256_reverse_bytes(U256(vec4<u32>(0u, 0u, 0u, q.x), vec4<u32>(q.yzw, last)));
  return U256(reversed.lo, vec4<u32>(reversed.hi.x, 0u, 0u, 0u));
}

/// Writes the new record in vector `at` of the arena of account `id`, whose row holds `code` and `balance`.
fn turn_new_account(at: u32, id: u32, code: vec4<u32>, row_balance: U256) {
  let place = vm_at(at);
  let is_sender = id == lane_parties.x;
  var balance = u256_select(row_balance, turn_item_word, turn_is_item(0u) & ((turn_item.x & ITEM_VALUE) != 0u));
  if (is_sender) {
    balance = u256_sub(balance, vm_word(vm_columns(LANE_COST), lane_environment.lane_count));
  }
  let warm = is_sender | (id == lane_parties.y) | (id == lane_environment.coinbase_id);
  let exists = is_sender | ((code.w & ACCOUNT_FLAG_EXISTS) != 0u);
  let flags = select(0u, ENTRY_WARM, warm) | select(0u, ENTRY_EXISTS, exists);
  lanes_out[place] = vec4<u32>(id, flags, code.w >> ACCOUNT_CODE_SHIFT, 0u);
  for (var copy = RECORD_BEFORE_AT; copy < RECORD_BEFORE_AT + vm_turns(VM_ACCOUNT_VECTORS - RECORD_BEFORE_AT); copy++) {
    lanes_out[vm_vector(place, copy)] = select(balance.hi, balance.lo, (copy & 1u) != 0u);
  }
}

/// Accounts, their records and their code: the one that is named, the one that its code stands in for (EIP-7702), and
/// the payer.
fn phase_accounts() {
  let runs = turn_calls | turn_enters;
  let named = turn_is_named();
  var address = turn_to;
  for (var turn = 0u; turn < 3u; turn++) {
    var id = MISSING;
    if ((turn == 0u) & !named) {
      id = select(select(lane_parties.y, vm_account, turn_is_self_balance()), turn_item.y, turn_is_item(0u));
    } else if (turn == 2u) {
      if (!turn_has_value) {
        break;
      }
      id = select(lane_parties.x, vm_account, turn_calls);
    } else {
      if (turn == 1u) {
        if (!runs | ((turn_code.z & CODE_DELEGATION) == 0u)) {
          continue;
        }
        address = turn_delegate(turn_code.x);
        turn_header = 0u;
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
    if (vm_exit != VM_EXIT_RUNNING) {
      break;
    }
    if (found.is_new) {
      turn_new_account(found.at, id, row, U256(low, high));
    }
    if (turn == 2u) {
      turn_payer = found.at;
      break;
    }
    let native = vm_precompile(address);
    if (turn == 0u) {
      turn_record = found.at;
      turn_callee = id;
      turn_callee_constants = row.z;
      turn_precompile = select(select(0u, vm_micro_header(vm_native), turn_enters & (vm_native != 0u)), native, named);
    } else {
      // Two looks: the second finds the account warm that the first has found cold (EIP-7702).
      turn_target = found.at;
      turn_delegate_warm = (native != 0u) | (found.at == turn_record);
    }
    let code_id = row.w >> ACCOUNT_CODE_SHIFT;
    if ((runs | turn_foreign) & (code_id != 0u)) {
      turn_header = lane_environment.codes_at + CODE_HEADER_VECTORS * code_id;
      turn_constants = row.z;
      turn_code_owner = id;
      turn_code = lanes_in[turn_header + 1u];
      if ((turn_code.z & CODE_PRESENT) == 0u) {
        vm_leave(VM_EXIT_MISS_CODE, id, U256_ZERO);
        break;
      }
    }
  }
}

/// Whether the instruction copies bytes of a code, which must be in the store.
fn turn_copies_code() -> bool {
  return (turn_opcode == VM_OP_COPY_MEMORY) & ((turn_mode == VM_COPY_CODE) | turn_foreign);
}

fn phase_code_bytes() {
  if (!turn_foreign) {
    turn_header = vm_code;
    turn_code = vec4<u32>(vm_code_bytes, 0u, 0u);
    turn_code_owner = turn_calldata.y;
  }
  if ((turn_header != 0u) & (turn_code.x == 0u)) {
    vm_leave(VM_EXIT_MISS_BYTES, turn_code_owner, U256_ZERO);
  }
}

/// Slots, and what the host remembers in their table.
fn phase_slots() {
  let remembers = turn_opcode == VM_OP_MEMO;
  let asks_hash = turn_mode == VM_MODE_MEMO_BLOCK_HASH;
  let of_item = turn_is_item(ITEM_SLOT);
  var key = turn_a;
  var owner = vm_account;
  var wanted = true;
  if (remembers) {
    owner = VM_MEMO_OWNERS + select(turn_immediate(), VM_MEMO_BLOCK_HASH, asks_hash);
    key = evm_sum(turn_a, turn_b, false);
    // Of the 256 ancestors: 1 <= number - a <= 256, at full width.
    let number = lane_environment.words[ENVIRONMENT_WORD_NUMBER];
    let distance = u256_sub(number, turn_a);
    let small = all((distance.lo.yzw == vec3<u32>(0u))) & all(distance.hi == vec4<u32>(0u));
    let near = small & (distance.lo.x - 1u < BLOCK_HASH_WINDOW);
    wanted = !asks_hash | (near & u256_lt(turn_a, number));
  }
  var id = turn_item.y;
  if (wanted & !of_item) {
    id = state_slot(owner, key);
  }
  var held = U256_ZERO;
  if (wanted) {
    held = state_slot_value(id);
  }
  if (id == MISSING) {
    let memo = select(VM_EXIT_MISS_PRECOMPILE, VM_EXIT_MISS_BLOCK_HASH, asks_hash);
    let exit = select(memo, VM_EXIT_MISS_SLOT, turn_is_storage());
    vm_leave(exit, select(turn_immediate(), owner, turn_is_storage()), key);
    lane_output = vec2<u32>(16u * vm_memory, turn_calldata.z);
  } else if (remembers) {
    turn_word = held;
  } else {
    let found = vm_slot_record(id, select(vm_account, turn_item.z, of_item));
    turn_record = found.at;
    if (found.is_new & (vm_exit == VM_EXIT_RUNNING)) {
      held = u256_select(held, turn_item_word, (turn_item.x & ITEM_VALUE) != 0u);
      for (var copy = RECORD_BEFORE_AT; copy < RECORD_BEFORE_AT + vm_turns(SLOT_VECTORS - RECORD_BEFORE_AT); copy++) {
        lanes_out[vm_vector(vm_at(turn_record), copy)] = select(held.hi, held.lo, (copy & 1u) != 0u);
      }
    }
  }
}

/// What looks at records cost: in all, and before the first of them.
struct TurnCost {
  all: u32,
  first: u32,
}

/// Loads the present words of the record and of the payer, or a blob hash, and gives what the looks cost.
fn turn_look() -> TurnCost {
  let named = turn_is_named();
  var cost = 0u;
  // What is paid before the first look, whatever the state says (EIP-7928): else nothing was looked at.
  var first_cost = select(0u, GAS_CALL_VALUE, turn_calls & turn_has_value);
  for (var turn = 0u; turn < 3u; turn++) {
    let at = turn_record_of(turn);
    var place = vm_at(at);
    var stride = vm_stride;
    if (at == 0u) {
      if ((turn_opcode != VM_OP_BLOB_HASH) | (turn != 0u) | (turn_offset >= lane_lists.w)) {
        continue;
      }
      place = lane_lists.z + 2u * turn_offset - (RECORD_PRESENT_AT << vm_spread);
      stride = 1u;
    } else {
      let flags = lanes_out[place].y;
      let warm = ((flags & ENTRY_WARM) != 0u) | select(turn_precompile != 0u, turn_delegate_warm, turn == 1u);
      turn_exists = select(turn_exists, (flags & ENTRY_EXISTS) != 0u, turn == 0u);
      let of_account = select(0u, select(GAS_COLD_ACCOUNT, GAS_WARM, warm), named);
      let of_slot = select(GAS_COLD_SLOAD, select(GAS_WARM, 0u, turn_stores()), warm);
      let look = select(of_account, of_slot, turn_is_storage());
      cost += select(look, 0u, turn == 2u);
      first_cost += select(0u, look, turn == 0u);
    }
    if (turn != 1u) {
      turn_purse = vm_word(vm_vector(place, RECORD_PRESENT_AT), stride);
      turn_present = u256_select(turn_present, turn_purse, turn == 0u);
    }
  }
  return TurnCost(cost, first_cost);
}

/// The record of a turn: what is read, what stands in for it, who pays; 0 for none.
fn turn_record_of(turn: u32) -> u32 {
  return select(select(turn_record, turn_target, turn == 1u), turn_payer, turn == 2u);
}

/// Charges a call that was looked at for its value, and takes the gas of the callee: all but a 64th at most (EIP-150).
fn turn_charge_call() {
  if (turn_has_value) {
    let is_new = !turn_exists & u256_is_zero(turn_present) & (turn_mode == VM_CALL_CALL);
    turn_ok = vm_charge(GAS_CALL_VALUE + select(0u, GAS_NEW_ACCOUNT, is_new));
  }
  let part = vec2<u32>((vm_gas.x >> CALL_GAS_SHIFT) | (vm_gas.y << (32u - CALL_GAS_SHIFT)), vm_gas.y >> CALL_GAS_SHIFT);
  let cap = vm_minus(vm_gas, part);
  let asked = turn_a.lo.xy;
  let asked_far = (turn_a.lo.z | turn_a.lo.w | turn_a.hi.x | turn_a.hi.y | turn_a.hi.z | turn_a.hi.w) != 0u;
  turn_given = select(cap, asked, !asked_far & vm_less(asked, cap));
  vm_gas = vm_minus(vm_gas, turn_given);
  turn_given = vm_plus(turn_given, vec2<u32>(select(0u, GAS_CALL_STIPEND, turn_has_value), 0u));
  turn_starts = !(turn_has_value & u256_lt(turn_purse, turn_c)) & (vm_depth < MAX_CALL_DEPTH);
}

/// What changes in records, noted in the journal: in those looked at; after the mark of a new frame in the payer and
/// who is paid.
fn turn_change(looks_at_first: bool) {
  let runs = turn_calls | turn_enters;
  let sees_balance = turn_is_self_balance() | ((turn_opcode == VM_OP_ACCOUNT) & (turn_mode == VM_MODE_ACCOUNT_BALANCE));
  let stores = turn_stores();
  for (var turn = 0u; turn < 4u; turn++) {
    if (turn == 2u) {
      turn_journal = vm_journal;
      if (turn_pushes & turn_calls) {
        if (vm_depth + 1u >= lane_environment.depth) {
          vm_full(VM_REGION_FRAMES);
        }
        vm_depth++;
      }
    }
    let at = turn_record_of(turn);
    let moves = turn >= 2u;
    // A CALLCODE pays the account itself: nothing moves, but the payer must hold the value all the same.
    let paid = turn_ok & turn_starts & ((turn_calls & (turn_mode == VM_CALL_CALL)) | turn_enters);
    if ((at == 0u) | (moves & !(paid | (turn_ok & turn_calls & (turn == 2u))))) {
      continue;
    }
    let place = vm_at(at);
    let flags = lanes_out[place].y;
    // The code that stands in (EIP-7702) is looked at by a call that starts.
    let looks_at = select(looks_at_first, turn_ok & turn_starts, turn == 1u);
    let reads = select(0u, ENTRY_READ, runs | (turn_is_named() & !sees_balance));
    let seen = select(select(reads, ENTRY_BALANCE, sees_balance), SLOT_READ, turn_is_storage());
    let warms = turn_is_named() | runs | turn_is_storage() | ((turn_item.x & ITEM_WARM) != 0u);
    let warm = select(0u, ENTRY_WARM, warms);
    var marks = select(0u, seen, looks_at) | warm;
    var notes = (stores & (turn == 0u)) | ((warm & ~flags) != 0u);
    if (moves) {
      // A payer that may not start the call is looked at.
      marks = select(select(0u, ENTRY_BALANCE, !turn_starts), ENTRY_TOUCHED, turn == 3u);
      notes = paid;
    }
    if (notes) {
      vm_note(at);
    }
    lanes_out[place].y = flags | marks;
    var now = turn_b;
    if (moves) {
      now = evm_sum(u256_select(turn_present, turn_purse, turn == 2u), turn_c, turn == 2u);
    }
    if (turn_ok & notes & (stores | (moves & turn_has_value & (turn_payer != turn_record)))) {
      vm_put_word(vm_vector(place, RECORD_PRESENT_AT), now);
    }
    if ((turn == 2u) & turn_starts) {
      let least = vm_word(vm_vector(place, RECORD_LEAST_AT), vm_stride);
      vm_put_word(vm_vector(place, RECORD_LEAST_AT), u256_select(least, now, u256_lt(now, least)));
    }
  }
}

/// What the looks at records cost and change.
fn phase_looks() {
  let costs = turn_look();
  var cost = costs.all;
  var first_cost = costs.first;
  if (turn_is_storage() & turn_stores()) {
    let original = vm_word(vm_vector(vm_at(turn_record), RECORD_BEFORE_AT), vm_stride);
    let reset = GAS_SSTORE_RESET - GAS_COLD_SLOAD;
    let store = evm_store(original, turn_present, turn_b, GAS_WARM, reset, lane_environment.clear_refund);
    first_cost = GAS_SSTORE_SENTRY + 1u;
    turn_ok = turn_ok & !vm_less(vm_gas, vec2<u32>(first_cost, 0u));
    cost += store.x;
    vm_refund += select(0u, store.y, turn_ok);
  }
  let looks_at_first = !vm_less(vm_gas, vec2<u32>(first_cost, 0u));
  turn_ok = turn_ok & vm_charge(cost);
  if (turn_calls & turn_ok) {
    turn_charge_call();
  }
  turn_pushes = (turn_calls | turn_enters) & turn_ok & turn_starts & (turn_code_header() != 0u);
  turn_change(looks_at_first);
}

/// Header of what a call runs: a precompile's micro code, or the code of an account; 0 for none.
fn turn_code_header() -> u32 {
  return select(turn_header, turn_precompile, turn_precompile != 0u);
}

/// Everything that needs nothing from outside.
fn phase_arithmetic() {
  if (turn_opcode < VM_OP_MUL) {
    if (turn_opcode == VM_OP_ENVIRONMENT) {
      turn_environment();
    } else {
      turn_word = turn_present;
    }
  } else if (turn_opcode < VM_OP_COPY_MEMORY) {
    if (turn_opcode == VM_OP_EXP) {
      turn_ok = turn_ok & vm_charge(GAS_EXP_BYTE * u256_byte_length(turn_b));
    }
    if (turn_ok) {
      turn_word = evm_arithmetic(turn_opcode, turn_mode, turn_a, turn_b, turn_c);
    }
  } else if (turn_opcode == VM_OP_ACCOUNT) {
    turn_word = turn_present;
    if (turn_mode != VM_MODE_ACCOUNT_BALANCE) {
      let index = select(CONSTANTS_CODE_HASH_AT, CONSTANTS_CODE_SIZE_AT, turn_mode == VM_MODE_ACCOUNT_CODE_SIZE);
      let at = 2u * (turn_callee_constants + index);
      let word = U256(state_constants[at], state_constants[at + 1u]);
      turn_word = u256_select(U256_ZERO, word, turn_exists | !u256_is_zero(turn_present));
    }
  } else if (turn_opcode == VM_OP_BLOB_HASH) {
    turn_word = turn_present;
  } else if (turn_opcode == VM_OP_CHARGE) {
    turn_ok = vm_take(turn_offset);
  } else if (turn_opcode == VM_OP_REFUSE) {
    vm_leave(VM_EXIT_REFUSED, turn_immediate(), U256_ZERO);
  }
}

/// The word VM_ENVIRONMENT[mode]; those that are operands stand in a already.
fn turn_environment() {
  let mode = turn_mode;
  if (mode < VM_ENVIRONMENT_CALLVALUE) {
    let other = select(turn_calldata.z, lane_parties.x, mode == VM_ENVIRONMENT_ORIGIN);
    turn_word = state_account_address(select(other, vm_account, mode == VM_ENVIRONMENT_ADDRESS));
  } else if (mode > VM_ENVIRONMENT_SELFBALANCE) {
    turn_word = lane_environment.words[mode - VM_ENVIRONMENT_NUMBER];
  } else if (turn_is_self_balance()) {
    turn_word = turn_present;
  } else if ((mode != VM_ENVIRONMENT_CALLVALUE) & (mode != VM_ENVIRONMENT_GASPRICE)) {
    let memory = select(vm_gas.x, BYTES_PER_WORD * vm_words, mode == VM_ENVIRONMENT_MSIZE);
    let number = select(memory, vm_returned, mode == VM_ENVIRONMENT_RETURNDATASIZE);
    let size = select(number, turn_calldata.z, mode == VM_ENVIRONMENT_CALLDATASIZE);
    turn_word = u256_from_u32(select(size, vm_code_bytes.y, mode == VM_ENVIRONMENT_CODESIZE));
    turn_word.lo.y = select(0u, vm_gas.y, mode == VM_ENVIRONMENT_GAS);
  }
}

/// A frame that halts: the instruction becomes its end.
fn turn_halt() {
  turn_opcode = VM_OP_END;
  turn_mode = VM_MODE_END_HALT;
  turn_length = 0u;
}

/// Record of the frame that called the present one.
fn turn_parent() -> u32 {
  return vm_frame - (FRAME_VECTORS << vm_spread);
}

/// The bytes of a memory, calldata or copy instruction, from its first one on; of an end those that it returns.
fn turn_source(memory: u32, returned: u32) -> VmSource {
  var source = VmSource(VM_SOURCE_ARENA, memory, BYTES_PER_WORD * vm_words, turn_offset, U256_ZERO);
  let from_byte = vm_bytes(turn_b);
  if (turn_reads_calldata()) {
    let kind = select(VM_SOURCE_WAVE, VM_SOURCE_ARENA, turn_calldata.w == FRAME_CALLDATA_IN_ARENA);
    let position = min(select(from_byte, turn_offset, turn_opcode == VM_OP_CALLDATA_LOAD), turn_calldata.z);
    let limit = turn_calldata.y + turn_calldata.z;
    source = VmSource(kind, turn_calldata.x, limit, turn_calldata.y + position, U256_ZERO);
  } else if (turn_opcode == VM_OP_MEMORY) {
    if (turn_mode != VM_MODE_MEMORY_LOAD) {
      var bytes = u256_reverse_bytes(turn_b);
      bytes.lo.x = select(bytes.lo.x, turn_b.lo.x & 0xffu, turn_mode == VM_MODE_MEMORY_STORE_BYTE);
      source = VmSource(VM_SOURCE_WORD, 0u, BYTES_PER_WORD, 0u, bytes);
    }
  } else if (turn_opcode == VM_OP_COPY_MEMORY) {
    if (turn_mode == VM_COPY_MEMORY) {
      source.position = from_byte;
    } else if (turn_mode == VM_COPY_RETURNDATA) {
      source = VmSource(VM_SOURCE_ARENA, returned, vm_returned, from_byte, U256_ZERO);
    } else if (turn_copies_code()) {
      source = VmSource(VM_SOURCE_CODES, turn_code.x, turn_code.y, min(from_byte, turn_code.y), U256_ZERO);
    }
  }
  return source;
}

/// Writes the head and the topics of a log; the vector where its data begins, 0 where the region is full.
fn turn_log() -> u32 {
  let topics = turn_mode;
  let vectors = 1u + 2u * topics + ((turn_length + 15u) >> 4u);
  if (vm_log_vectors + vectors > lane_environment.log_vectors) {
    vm_full(VM_REGION_LOGS);
    turn_length = 0u;
    return 0u;
  }
  let log = vm_at(lane_environment.logs_at + vm_log_vectors);
  lanes_out[log] = vec4<u32>(vm_account, topics, turn_length, vectors);
  var topic = vm_stack_place(turn_operand_c());
  for (var n = 0u; n < 2u * topics; n++) {
    lanes_out[vm_vector(log, 1u + n)] = lanes_out[vm_vector(topic, n & 1u)];
    topic -= (n & 1u) << (vm_spread + 1u);
  }
  vm_log_vectors += vectors;
  vm_logs++;
  return vm_vector(log, 1u + 2u * topics);
}

/// Moves bytes. The end of a frame moves them to the return data, and from there to where its caller wants them.
fn turn_move_bytes() {
  let memory = vm_at(lane_environment.memory_at + vm_memory);
  let returned = vm_at(lane_environment.return_at);
  let ends = turn_opcode == VM_OP_END;
  var source = turn_source(memory, returned);
  var base = 0u;
  var at = select(turn_offset, 0u, (turn_opcode == VM_OP_CALLDATA_LOAD) | (turn_opcode == VM_OP_LOG) | ends);
  var backward = false;
  var moves = 1u;
  if (turn_opcode == VM_OP_CALLDATA_LOAD) {
    turn_length = BYTES_PER_WORD;
  } else if (turn_opcode == VM_OP_MEMORY) {
    let loads = turn_mode == VM_MODE_MEMORY_LOAD;
    base = select(memory, 0u, loads);
    at = select(at, 0u, loads);
  } else if (turn_opcode == VM_OP_COPY_MEMORY) {
    base = memory;
    backward = (turn_mode == VM_COPY_MEMORY) & (source.position < at);
  } else if (turn_opcode == VM_OP_LOG) {
    base = turn_log();
  } else {
    base = returned;
    if (vm_depth == 0u) {
      lane_output = vec2<u32>(16u * vm_memory + select(turn_offset, 0u, turn_length == 0u), turn_length);
      turn_length = 0u;
    } else if (turn_length > 16u * lane_environment.return_vectors) {
      vm_full(VM_REGION_RETURNDATA);
      turn_length = 0u;
    }
    vm_returned = turn_length;
    moves = select(1u, 2u, turn_length != 0u);
  }
  for (var n = 0u; n < moves; n++) {
    if (n == 1u) {
      source = VmSource(VM_SOURCE_ARENA, base, turn_length, 0u, U256_ZERO);
      base = vm_at(lane_environment.memory_at + turn_caller.w);
      at = turn_caller_left.z;
      turn_length = min(turn_length, turn_caller_left.w);
    }
    let moved = vm_move(source, base, at, turn_length, backward);
    if (base == 0u) {
      turn_word = u256_reverse_bytes(moved);
    }
  }
}

/// Moves of bytes, or a hash.
fn phase_bytes() {
  let moves = (turn_opcode == VM_OP_CALLDATA_LOAD) | (turn_opcode == VM_OP_MEMORY) | (turn_opcode == VM_OP_COPY_MEMORY);
  if (moves | (turn_opcode == VM_OP_LOG) | (turn_opcode == VM_OP_END)) {
    turn_move_bytes();
  } else if (turn_opcode == VM_OP_KECCAK) {
    let memory = vm_at(lane_environment.memory_at + vm_memory);
    let first = select(turn_offset, 0u, turn_length == 0u);
    let source = VmSource(VM_SOURCE_ARENA, memory, BYTES_PER_WORD * vm_words, first, U256_ZERO);
    turn_word = vm_keccak(source, turn_length);
  }
}

/// What the record of the caller says, where a frame ends that has one.
fn turn_find_caller() {
  if ((turn_opcode == VM_OP_END) & (vm_depth != 0u)) {
    turn_caller = lanes_out[vm_vector(turn_parent(), FRAME_BASES_AT)];
    turn_caller_left = lanes_out[vm_vector(turn_parent(), FRAME_LEFT_AT)];
  }
}

/// Closes the frame: back to its caller, or the lane ends.
fn turn_close_frame() {
  if ((turn_mode >= VM_MODE_END_REVERT) & lane_started) {
    let mark = lanes_out[vm_vector(vm_frame, FRAME_MARKS_AT)];
    vm_undo(mark.x);
    vm_log_vectors = mark.y;
    vm_logs = mark.z;
    vm_refund = mark.w;
  }
  vm_gas = select(vm_gas, vec2<u32>(0u), turn_mode == VM_MODE_END_HALT);
  if (vm_depth == 0u) {
    // Modes of an end are exits, but for STOP.
    vm_exit = max(turn_mode, VM_EXIT_SUCCEEDED);
  } else {
    vm_depth--;
    vm_height = turn_caller.y;
    vm_go = turn_caller.x;
    vm_gas = vm_plus(vm_gas, vec2<u32>(turn_caller_left.y, lanes_out[vm_vector(turn_parent(), FRAME_CODE_AT)].z));
    lane_opens = true;
    turn_word = u256_from_bool(turn_mode < VM_MODE_END_REVERT);
    turn_result = vm_at(lane_environment.stack_at + 2u * (turn_caller.z + turn_caller.y - 1u));
    turn_has_result = true;
  }
}

/// Writes the record of the frame of a call, or of the transaction.
fn turn_push_frame() {
  lane_started = true;
  let mode = turn_mode;
  let delegate_call = turn_calls & (mode == VM_CALL_DELEGATECALL);
  let keeps = turn_calls & ((mode == VM_CALL_CALLCODE) | (mode == VM_CALL_DELEGATECALL));
  let seen_value = u256_select(U256_ZERO, turn_c, turn_has_value);
  let flags = select(vm_flags & FRAME_STATIC, FRAME_STATIC, turn_calls & (mode == VM_CALL_STATICCALL));
  var parties = vec4<u32>(turn_code_header(), select(turn_callee, vm_account, keeps), vm_account, flags);
  parties.w = select(parties.w, FRAME_FREE, turn_precompile != 0u);
  var bases = vec4<u32>(0u);
  let input = vm_at(lane_environment.memory_at + vm_memory + (turn_in.x >> 4u));
  var calldata = vec4<u32>(input, turn_in.x & 15u, turn_in.y, FRAME_CALLDATA_IN_ARENA);
  var frame = vm_vector(vm_frame, FRAME_VECTORS);
  if (turn_enters) {
    parties.z = lane_parties.x;
    parties.w = select(0u, FRAME_FREE, vm_native != 0u);
    calldata = vec4<u32>(lane_parties.z, 0u, lane_parties.w, 0u);
    frame = vm_frame;
  } else {
    lanes_out[vm_vector(vm_frame, FRAME_LEFT_AT)] = vec4<u32>(vm_words, vm_gas.x, turn_out);
    lanes_out[vm_vector(vm_frame, FRAME_CODE_AT)].z = vm_gas.y;
    let own = lanes_out[vm_vector(vm_frame, FRAME_BASES_AT)];
    let after = u32(i32(vm_height) + (i32(turn_immediate() << 16u) >> 16u));
    bases = vec4<u32>(0u, 0u, own.z + after, vm_memory + 2u * vm_words);
    lanes_out[vm_vector(vm_frame, FRAME_BASES_AT)] = vec4<u32>(turn_instruction.w >> 16u, after, own.zw);
  }
  for (var k = 0u; k < vm_turns(FRAME_VECTORS); k++) {
    var v = parties;
    v = select(v, bases, k == FRAME_BASES_AT);
    v = select(v, calldata, k == FRAME_CALLDATA_AT);
    v = select(v, vec4<u32>(0u), k == FRAME_LEFT_AT);
    v = select(v, vec4<u32>(turn_journal, vm_log_vectors, vm_logs, vm_refund), k == FRAME_MARKS_AT);
    v = select(v, seen_value.lo, k == FRAME_VALUE_AT);
    v = select(v, seen_value.hi, k == FRAME_VALUE_AT + 1u);
    v = select(v, vec4<u32>(turn_constants, turn_code_owner, 0u, 0u), k == FRAME_CODE_AT);
    if (delegate_call & ((k == FRAME_PARTIES_AT) | (k == FRAME_VALUE_AT) | (k == FRAME_VALUE_AT + 1u))) {
      let inherited = lanes_out[vm_vector(vm_frame, k)];
      v = select(inherited, vec4<u32>(v.xy, inherited.z, v.w), k == FRAME_PARTIES_AT);
    }
    lanes_out[vm_vector(frame, k)] = v;
  }
  vm_gas = turn_given;
  vm_height = 0u;
  lane_opens = true;
  vm_go = 0u;
  turn_has_result = false;
}

/// Frames opened and closed.
fn phase_frames() {
  if (turn_opcode == VM_OP_END) {
    turn_close_frame();
    return;
  }
  if (turn_pushes) {
    turn_push_frame();
  } else if (turn_ok) {
    // Nothing runs: an account without code, or a call that may not start.
    vm_gas = vm_plus(vm_gas, select(turn_given, vec2<u32>(0u), turn_enters));
    turn_word = u256_from_bool(turn_starts);
    vm_exit = select(VM_EXIT_RUNNING, VM_EXIT_SUCCEEDED, turn_enters);
    vm_shift_height(turn_immediate());
    vm_go = turn_instruction.w >> 16u;
  }
  vm_returned = 0u;
}

/// The result and the next instruction; or the same one again, after what the host is asked for.
fn phase_result(gas_before: vec2<u32>, words_before: u32) {
  if (vm_exit < VM_EXIT_MISS_ACCOUNT) {
    if (turn_has_result) {
      lanes_out[turn_result] = turn_word.lo;
      lanes_out[turn_result + vm_stride] = turn_word.hi;
    }
    vm_pc = turn_next_pc;
  } else {
    vm_gas = gas_before;
    vm_words = words_before;
  }
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
  let group = (vm_lane >> vm_spread) * lane_environment.lane_vectors;
  vm_arena = lane_environment.arenas_at + vm_vector(vm_lane & (vm_stride - 1u), group);
  lane_started = vm_load();
  lane_opens = lane_started;
  vm_go = select(0u, VM_NONE, lane_started);
  lane_parties = lanes_out[vm_columns(LANE_PARTIES)];
  lane_lists = lanes_out[vm_columns(LANE_LISTS)];
  for (var turn = 0u; turn < VM_MAX_STEPS; turn++) {
    if ((vm_exit == VM_EXIT_RUNNING) & lane_opens) {
      vm_open_frame();
      lane_opens = false;
    }
    let next = vm_run_simple(lane_started);
    if (next.ends) {
      break;
    }
    let words_before = vm_words;
    turn_begin(next);
    phase_operands();
    phase_memory();
    phase_record();
    turn_take_item();
    if (turn_ok & (turn_is_named() | turn_enters | turn_is_self_balance() | turn_is_item(0u))) {
      phase_accounts();
    }
    if (turn_copies_code() & (vm_exit == VM_EXIT_RUNNING)) {
      phase_code_bytes();
    }
    if (turn_ok & (turn_is_storage() | (turn_opcode == VM_OP_MEMO) | turn_is_item(ITEM_SLOT))) {
      phase_slots();
    }
    if (turn_ok & (turn_opcode == VM_OP_TRANSIENT)) {
      turn_record = vm_transient_record(vm_account, turn_a).at;
    }
    turn_given = vm_gas;
    // Most instructions look at no record: the loops are not for them.
    if ((vm_exit == VM_EXIT_RUNNING) & ((turn_record != 0u) | (turn_opcode == VM_OP_BLOB_HASH))) {
      phase_looks();
    }
    if (vm_exit == VM_EXIT_RUNNING) {
      phase_arithmetic();
    }
    if (!turn_ok) {
      turn_halt();
    }
    turn_find_caller();
    if (vm_exit == VM_EXIT_RUNNING) {
      phase_bytes();
    }
    if ((vm_exit == VM_EXIT_RUNNING) & (turn_calls | turn_enters | (turn_opcode == VM_OP_END))) {
      phase_frames();
    }
    phase_result(next.gas_before, words_before);
  }
  vm_save(lane_started, lane_output);
}
