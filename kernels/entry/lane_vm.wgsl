import package::u256::u256::{U256, U256_ZERO, u256_from_bool, u256_from_u32, u256_reverse_bytes, u256_select};
import package::u256::add::{u256_add, u256_sub};
import package::u256::bits::u256_byte_length;
import package::u256::compare::{u256_eq, u256_is_zero, u256_lt};
import package::evm::operations::{evm_arithmetic, evm_sum};
import package::lane::lane::{lane_environment, lanes_in, lanes_out};
import package::state::state::{MISSING, state_account, state_account_address, state_account_vector, state_constants, state_slot, state_slot_value};
import package::vm::lane::{VM_FRAME_FREE, VM_FRAME_STATIC, VM_FRAME_VECTORS, VM_MISS_ACCOUNT, VM_MISS_BLOCK_HASH, VM_MISS_BYTES, VM_MISS_CODE};
import package::vm::lane::{VM_MISS_PRECOMPILE, VM_MISS_SLOT, VM_REFUSED, VM_REGION_FRAMES, VM_REGION_LOGS, VM_REGION_RETURN, VM_SUCCEEDED};
import package::vm::lane::{vm_account, vm_arena, vm_at, vm_bytes, vm_charge, vm_code, vm_code_bytes, vm_columns, vm_depth, vm_exit};
import package::vm::lane::{vm_flags, vm_frame, vm_full, vm_gas, vm_go, vm_grow, vm_height, vm_journal, vm_lane, vm_leave, vm_less, vm_log_vectors};
import package::vm::lane::{vm_logs, vm_memory, vm_minus, vm_native, vm_pc, vm_plus, vm_put_word, vm_range_end, vm_refund, vm_returned, vm_take};
import package::vm::lane::{vm_spread, vm_stride, vm_turns, vm_word, vm_words};
import package::vm::stream::{VM_SOURCE_ARENA, VM_SOURCE_CODES, VM_SOURCE_WAVE, VM_SOURCE_WORD, VmSource, vm_keccak, vm_move};
import package::vm::record::{VM_NONE, vm_account_record, vm_note, vm_slot_record, vm_transient_record, vm_undo};
import package::vm::frame::{vm_load, vm_open_frame, vm_save};
import package::vm::instruction::{VM_MODE_HALT, VM_OPERAND_NONE, VM_OP_ACCOUNT, VM_OP_BLOB_HASH, VM_OP_CALL, VM_OP_CALLDATA_LOAD, VM_OP_CHARGE};
import package::vm::instruction::{VM_OP_COPY_MEMORY, VM_OP_END, VM_OP_ENTER, VM_OP_ENVIRONMENT, VM_OP_KECCAK, VM_OP_LOG, VM_OP_MEMO, VM_OP_MEMORY};
import package::vm::instruction::{VM_OP_MODULAR, VM_OP_REFUSE, VM_OP_STORAGE, VM_OP_TRANSIENT, VM_OP_WARM, VM_STEPS, vm_operand, vm_shift_height};
import package::vm::instruction::vm_stack_place;
import package::vm::simple::vm_run_simple;

/// Runs any contract, one transaction a lane, each lane with a program counter of its own: layouts in transpiler/layout/lane_vm.ts.
///
/// An inner loop runs instructions that need the stack and the memory that is there alone, block after block, and ends with the operands
/// of the first that needs more. That one runs in phases that all other opcodes share, so that each costly thing has one site and lanes
/// that need it meet there: growth of memory, look-ups, what the opcode does, moves of bytes, frames, the result. A phase that lacks
/// something from the host leaves the lane at the same instruction, with gas and memory as they were.

const VM_MODE_CALL_VALUE = 3u;
const VM_MODE_GAS_PRICE = 6u;
const VM_MODE_GAS = 9u;
const VM_MODE_SELFBALANCE = 10u;
const VM_COPY_CODE = 2u;
const VM_COPY_RETURNED = 3u;
const VM_COPY_ACCOUNT_CODE = 4u;
const VM_MEMO_OWNERS = 0xfffffe00u;
const VM_MEMO_BLOCK_HASHES = 0xfffffffeu;

const VM_CODE_PRESENT = 1u;
const VM_CODE_DELEGATION = 2u;

const VM_SLOT_READ = 2u;
const VM_ENTRY_WARM = 1u;
const VM_ENTRY_READ = 2u;
const VM_ENTRY_BALANCE = 4u;
const VM_ENTRY_EXISTS = 8u;
const VM_ENTRY_TOUCHED = 16u;

const VM_ITEM_SLOT = 1u;
const VM_ITEM_WARM = 2u;
const VM_ITEM_VALUE = 4u;

/// Gas of an SSTORE to a warm slot, and what it adds to the refund (EIP-2200, EIP-2929, EIP-3529).
fn vm_sstore(original: U256, current: U256, next: U256) -> vec2<u32> {
  let clears = lane_environment[23].w;
  let original_zero = u256_is_zero(original);
  let clean = u256_eq(original, current);
  let unchanged = u256_eq(current, next);
  let gas = select(100u, select(2900u, 20000u, original_zero), clean & !unchanged);
  let cleared = select(0u, clears, !original_zero & u256_is_zero(next));
  let uncleared = select(0u, clears, !original_zero & u256_is_zero(current));
  let restored = select(0u, select(2800u, 19900u, original_zero), u256_eq(original, next));
  let refund = select(select(cleared - uncleared + restored, cleared, clean), 0u, unchanged);
  return vec2<u32>(gas, refund);
}

/// Micro code header of the precompile at an address; 0 where there is none.
fn vm_precompile(address: U256) -> u32 {
  let rest = address.lo.y | address.lo.z | address.lo.w | address.hi.x;
  let low = address.lo.x;
  let index = select(select(0u, low, low <= 0x11u), 0x12u, low == 0x100u);
  var header = 0u;
  if ((rest == 0u) & (index != 0u)) {
    let at = lane_environment[1].w + 2u * index;
    header = select(0u, at, (lanes_in[at + 1u].z & VM_CODE_PRESENT) != 0u);
  }
  return header;
}

@compute @workgroup_size(64)
fn lane_vm(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  vm_spread = lane_environment[24].y;
  vm_stride = 1u << vm_spread;
  let number = ((workgroup.x + workgroup.y * workgroups.x) << vm_spread) + local;
  if ((local >= vm_stride) | (number >= lane_environment[0].x)) {
    return;
  }
  vm_lane = lanes_out[lane_environment[0].y + (number >> 2u)][number & 3u];
  vm_arena = lane_environment[18].x + (((vm_lane >> vm_spread) * lane_environment[18].y) << vm_spread) + (vm_lane & (vm_stride - 1u));
  var started = vm_load();
  // A frame to open before the next instruction.
  var opens = started;
  vm_go = select(0u, VM_NONE, started);
  let parties = lanes_out[vm_columns(7u)];
  let lists = lanes_out[vm_columns(8u)];
  var output = vec2<u32>(0u);
  for (var step = 0u; step < VM_STEPS; step++) {
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
    var opcode = instruction.x & 0xffu;
    var mode = (instruction.x >> 8u) & 0x7fu;
    let immediate = instruction.z >> 16u;
    let c_operand = instruction.z & 0xffffu;
    let calls = opcode == VM_OP_CALL;
    let enters = opcode == VM_OP_ENTER;
    let pays = calls & (mode < 2u);
    let foreign = (opcode == VM_OP_COPY_MEMORY) & (mode == VM_COPY_ACCOUNT_CODE);

    // More operands: c; of a call gas, address, value and its two ranges; the words of the frame and of the transaction.
    var c = U256_ZERO;
    var to = U256_ZERO;
    var in_range = vec2<u32>(0u);
    var out_range = vec2<u32>(0u);
    let of_frame = (opcode == VM_OP_ENVIRONMENT) & ((mode == VM_MODE_GAS_PRICE) | (mode == VM_MODE_CALL_VALUE));
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
        operand = wide & 0x3fffu;
        wide--;
      }
      var place = vm_stack_place(operand);
      var stride = vm_stride;
      if (enters) {
        place = vm_columns(11u);
        stride = lane_environment[1].x;
      } else if (of_frame) {
        place = select(vm_frame + (5u << vm_spread), vm_columns(9u), mode == VM_MODE_GAS_PRICE);
        stride = select(vm_stride, lane_environment[1].x, mode == VM_MODE_GAS_PRICE);
      }
      var word = U256_ZERO;
      if ((operand < 0x4000u) | enters | of_frame) {
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
        length = select(32u, 1u, mode == 2u);
      } else if (calls) {
        touched = max(vm_range_end(in_range.x, in_range.y), vm_range_end(out_range.x, out_range.y));
      } else if ((opcode == VM_OP_KECCAK) | (opcode == VM_OP_COPY_MEMORY) | (opcode == VM_OP_LOG) | ((opcode == VM_OP_END) & (mode != 0u) & (mode != VM_MODE_HALT))) {
        length = select(b_bytes, vm_bytes(c), opcode == VM_OP_COPY_MEMORY);
        let units = select((min(length, 0x4000000u) + 31u) >> 5u, min(length, 0x4000000u), opcode == VM_OP_LOG);
        unit = units * select(select(select(0u, 8u, opcode == VM_OP_LOG), 6u, opcode == VM_OP_KECCAK), 3u, opcode == VM_OP_COPY_MEMORY);
        touched = select(0u, vm_range_end(b_bytes, length), (opcode == VM_OP_COPY_MEMORY) & (mode == 0u));
        let inside = (b_bytes <= vm_returned) & (length <= vm_returned) & (b_bytes + length <= vm_returned);
        ok = ok & (inside | (opcode != VM_OP_COPY_MEMORY) | (mode != VM_COPY_RETURNED));
      }
      touched = max(touched, vm_range_end(offset, length));
      let changes = ((opcode == VM_OP_STORAGE) | (opcode == VM_OP_TRANSIENT)) & (mode == 1u);
      let forbidden = changes | (opcode == VM_OP_LOG) | (calls & (mode == 0u) & has_value);
      ok = ok & !(forbidden & ((vm_flags & VM_FRAME_STATIC) != 0u));
      if (ok & (touched != 0u)) {
        ok = vm_grow(touched);
      }
      ok = ok & vm_charge(unit);
    }

    // What the frame's record says.
    var calldata = vec4<u32>(0u);
    let copies = opcode == VM_OP_COPY_MEMORY;
    let from_calldata = (opcode == VM_OP_CALLDATA_LOAD) | (copies & (mode == 1u));
    if (from_calldata | (opcode == VM_OP_ENVIRONMENT) | (opcode == VM_OP_MEMO) | copies) {
      var k = select(2u, 0u, (opcode == VM_OP_ENVIRONMENT) & (mode == 2u));
      k = select(k, 7u, copies & (mode == VM_COPY_CODE));
      calldata = lanes_out[vm_frame + (k << vm_spread)];
    }

    // Accounts: the one that is named, the one that its code stands in for (EIP-7702), and the payer.
    var item = vec4<u32>(0u);
    var item_word = U256_ZERO;
    if ((opcode == VM_OP_WARM) & (vm_returned < lists.y)) {
      let place = lists.x + 3u * vm_returned;
      item = lanes_out[place];
      item.w = 1u;
      item_word = vm_word(place + 1u, 1u);
      vm_returned++;
      next_pc = vm_pc;
    }
    let item_slot = (item.w == 1u) & ((item.x & VM_ITEM_SLOT) != 0u);
    let item_account = (item.w == 1u) & !item_slot;
    let runs = calls | enters;
    let named = (opcode == VM_OP_ACCOUNT) | calls | foreign;
    let self_balance = (opcode == VM_OP_ENVIRONMENT) & (mode == VM_MODE_SELFBALANCE);
    let sees_balance = self_balance | ((opcode == VM_OP_ACCOUNT) & (mode == 0u));
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
            if (!runs | ((code.z & VM_CODE_DELEGATION) == 0u)) {
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
            vm_leave(VM_MISS_ACCOUNT, 0u, address);
            break;
          }
        }
        // Of the row all but the first vector: code and flags, balance.
        var row = vec4<u32>(0u);
        var low = vec4<u32>(0u);
        var high = vec4<u32>(0u);
        for (var k = 1u; k < 1u + vm_turns(3u); k++) {
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
          balance = u256_select(balance, item_word, item_account & ((item.x & VM_ITEM_VALUE) != 0u));
          if (is_sender) {
            balance = u256_sub(balance, vm_word(vm_columns(13u), lane_environment[1].x));
          }
          let warm = is_sender | (id == parties.y) | (id == lane_environment[23].z);
          let exists = is_sender | ((row.w & 1u) != 0u);
          let flags = select(0u, VM_ENTRY_WARM, warm) | select(0u, VM_ENTRY_EXISTS, exists);
          lanes_out[place] = vec4<u32>(id, flags, row.w >> 8u, 0u);
          for (var copy = 1u; copy < 1u + vm_turns(6u); copy++) {
            lanes_out[place + (copy << vm_spread)] = select(balance.hi, balance.lo, (copy & 1u) != 0u);
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
          precompile = select(select(0u, lane_environment[1].w + 2u * vm_native, enters & (vm_native != 0u)), native, named);
        } else {
          // Two looks: the second finds the account warm that the first has found cold (EIP-7702).
          target_record = found.at;
          delegate_warm = (native != 0u) | (found.at == record);
        }
        if ((runs | foreign) & ((row.w >> 8u) != 0u)) {
          header = lane_environment[1].z + 2u * (row.w >> 8u);
          constants = row.z;
          code_owner = id;
          code = lanes_in[header + 1u];
          if ((code.z & VM_CODE_PRESENT) == 0u) {
            vm_leave(VM_MISS_CODE, id, U256_ZERO);
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
        vm_leave(VM_MISS_BYTES, code_owner, U256_ZERO);
      }
    }

    // Slots, and what the host remembers in their table.
    if (ok & ((opcode == VM_OP_STORAGE) | (opcode == VM_OP_MEMO) | item_slot)) {
      var key = a;
      var owner = vm_account;
      var wanted = true;
      if (opcode == VM_OP_MEMO) {
        owner = select(VM_MEMO_OWNERS + immediate, VM_MEMO_BLOCK_HASHES, mode == 0u);
        key = evm_sum(a, b, false);
        // Of the 256 ancestors: 1 <= number - a <= 256, at full width.
        let number = U256(lane_environment[2], lane_environment[3]);
        let distance = u256_sub(number, a);
        let near = all((distance.lo.yzw == vec3<u32>(0u))) & all(distance.hi == vec4<u32>(0u)) & (distance.lo.x - 1u < 256u);
        wanted = (mode != 0u) | (near & u256_lt(a, number));
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
        vm_leave(select(select(VM_MISS_PRECOMPILE, VM_MISS_BLOCK_HASH, mode == 0u), VM_MISS_SLOT, opcode == VM_OP_STORAGE), select(immediate, owner, opcode == VM_OP_STORAGE), key);
        output = vec2<u32>(16u * vm_memory, calldata.z);
      } else if (opcode == VM_OP_MEMO) {
        word = held;
      } else {
        let found = vm_slot_record(id, select(vm_account, item.z, item_slot));
        record = found.at;
        if (found.is_new & (vm_exit == 0u)) {
          held = u256_select(held, item_word, (item.x & VM_ITEM_VALUE) != 0u);
          for (var copy = 1u; copy < 1u + vm_turns(4u); copy++) {
            lanes_out[vm_at(record) + (copy << vm_spread)] = select(held.hi, held.lo, (copy & 1u) != 0u);
          }
        }
      }
    }
    if (ok & (opcode == VM_OP_TRANSIENT)) {
      record = vm_transient_record(vm_account, a).at;
    }

    let storage = opcode == VM_OP_STORAGE;
    let writes = (mode == 1u) & (storage | (opcode == VM_OP_TRANSIENT));
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
      var first_cost = select(0u, 9000u, calls & has_value);
      for (var turn = 0u; turn < 3u; turn++) {
        let at = select(select(record, target_record, turn == 1u), payer, turn == 2u);
        var place = vm_at(at);
        var stride = vm_stride;
        if (at == 0u) {
          if ((opcode != VM_OP_BLOB_HASH) | (turn != 0u) | (offset >= lists.w)) {
            continue;
          }
          place = lists.z + 2u * offset - (3u << vm_spread);
          stride = 1u;
        } else {
          let flags = lanes_out[place].y;
          let warm = ((flags & VM_ENTRY_WARM) != 0u) | select(precompile != 0u, delegate_warm, turn == 1u);
          exists = select(exists, (flags & VM_ENTRY_EXISTS) != 0u, turn == 0u);
          let look = select(select(0u, select(2600u, 100u, warm), named), select(2100u, select(100u, 0u, writes), warm), storage);
          cost += select(look, 0u, turn == 2u);
          first_cost += select(0u, look, turn == 0u);
        }
        if (turn != 1u) {
          purse = vm_word(place + (3u << vm_spread), stride);
          present = u256_select(present, purse, turn == 0u);
        }
      }
      if (storage & writes) {
        let costs = vm_sstore(vm_word(vm_at(record) + vm_stride, vm_stride), present, b);
        first_cost = 2301u;
        ok = ok & !vm_less(vm_gas, vec2<u32>(first_cost, 0u));
        cost += costs.x;
        vm_refund += select(0u, costs.y, ok);
      }
      let looks_at_first = !vm_less(vm_gas, vec2<u32>(first_cost, 0u));
      ok = ok & vm_charge(cost);
      if (calls & ok) {
        if (has_value) {
          ok = vm_charge(9000u + select(0u, 25000u, !exists & u256_is_zero(present) & (mode == 0u)));
        }
        // All but a 64th at most (EIP-150).
        let cap = vm_minus(vm_gas, vec2<u32>((vm_gas.x >> 6u) | (vm_gas.y << 26u), vm_gas.y >> 6u));
        let asked_far = (a.lo.z | a.lo.w | a.hi.x | a.hi.y | a.hi.z | a.hi.w) != 0u;
        given = select(cap, a.lo.xy, !asked_far & vm_less(a.lo.xy, cap));
        vm_gas = vm_minus(vm_gas, given);
        given = vm_plus(given, vec2<u32>(select(0u, 2300u, has_value), 0u));
        starts = !(has_value & u256_lt(purse, c)) & (vm_depth < 1024u);
      }
      pushes = runs & ok & starts & (code_header != 0u);

      // What changes in records: those looked at; behind the mark of a new frame the payer and who is paid.
      for (var turn = 0u; turn < 4u; turn++) {
        if (turn == 2u) {
          journal = vm_journal;
          if (pushes & calls) {
            if (vm_depth + 1u >= lane_environment[21].x) {
              vm_full(VM_REGION_FRAMES);
            }
            vm_depth++;
          }
        }
        let at = select(select(record, target_record, turn == 1u), payer, turn == 2u);
        let moves = turn >= 2u;
        // A CALLCODE pays the account itself: nothing moves, but the payer must hold the value all the same.
        let paid = ok & starts & ((calls & (mode == 0u)) | enters);
        if ((at == 0u) | (moves & !(paid | (ok & calls & (turn == 2u))))) {
          continue;
        }
        let place = vm_at(at);
        let flags = lanes_out[place].y;
        // The code that stands in (EIP-7702) is looked at by a call that starts.
        let looks_at = select(looks_at_first, ok & starts, turn == 1u);
        let looks = select(0u, select(select(select(0u, VM_ENTRY_READ, runs | (named & !sees_balance)), VM_ENTRY_BALANCE, sees_balance), VM_SLOT_READ, storage), looks_at);
        let warms = select(0u, VM_ENTRY_WARM, named | runs | storage | ((item.x & VM_ITEM_WARM) != 0u));
        var marks = looks | warms;
        var notes = (writes & (turn == 0u)) | ((warms & ~flags) != 0u);
        if (moves) {
          // A payer that may not start the call is looked at.
          marks = select(select(0u, VM_ENTRY_BALANCE, !starts), VM_ENTRY_TOUCHED, turn == 3u);
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
          vm_put_word(place + (3u << vm_spread), now);
        }
        if ((turn == 2u) & starts) {
          let least = vm_word(place + (5u << vm_spread), vm_stride);
          vm_put_word(place + (5u << vm_spread), u256_select(least, now, u256_lt(now, least)));
        }
      }
    }

    if (vm_exit == 0u) {
      // Everything that needs nothing from outside.
      if (opcode < 12u) {
        if (opcode == VM_OP_ENVIRONMENT) {
          if (mode < 3u) {
            let id = select(select(calldata.z, parties.x, mode == 1u), vm_account, mode == 0u);
            word = state_account_address(id);
          } else if (mode > VM_MODE_SELFBALANCE) {
            let at = 2u + 2u * (mode - VM_MODE_SELFBALANCE - 1u);
            word = U256(lane_environment[at], lane_environment[at + 1u]);
          } else if (self_balance) {
            word = present;
          } else if ((mode != 3u) & (mode != VM_MODE_GAS_PRICE)) {
            let number = select(select(vm_gas.x, 32u * vm_words, mode == 8u), vm_returned, mode == 7u);
            word = u256_from_u32(select(select(number, calldata.z, mode == 4u), vm_code_bytes.y, mode == 5u));
            word.lo.y = select(0u, vm_gas.y, mode == VM_MODE_GAS);
          }
        } else {
          word = present;
        }
      } else if (opcode < 16u) {
        if (opcode == 15u) {
          ok = ok & vm_charge(50u * u256_byte_length(b));
        }
        if (ok) {
          word = evm_arithmetic(opcode, mode, a, b, c);
        }
      } else if (opcode == VM_OP_ACCOUNT) {
        word = present;
        if (mode != 0u) {
          let at = 2u * (callee_constants + select(0u, 1u, mode == 1u));
          word = u256_select(U256_ZERO, U256(state_constants[at], state_constants[at + 1u]), exists | !u256_is_zero(present));
        }
      } else if (opcode == VM_OP_BLOB_HASH) {
        word = present;
      } else if (opcode == VM_OP_CHARGE) {
        ok = vm_take(offset);
      } else if (opcode == VM_OP_REFUSE) {
        vm_leave(VM_REFUSED, immediate, U256_ZERO);
      }
    }

    if (!ok) {
      opcode = VM_OP_END;
      mode = VM_MODE_HALT;
      length = 0u;
    }

    // Bytes.
    let parent = vm_frame - (VM_FRAME_VECTORS << vm_spread);
    let memory = vm_at(lane_environment[19].x + vm_memory);
    let returned = vm_at(lane_environment[19].y);
    var call = vec4<u32>(0u);
    var call_ranges = vec4<u32>(0u);
    if ((opcode == VM_OP_END) & (vm_depth != 0u)) {
      call = lanes_out[parent + vm_stride];
      call_ranges = lanes_out[parent + (3u << vm_spread)];
    }
    if (vm_exit == 0u) {
      if ((opcode == VM_OP_CALLDATA_LOAD) | (opcode == VM_OP_MEMORY) | (opcode == VM_OP_COPY_MEMORY) | (opcode == VM_OP_LOG) | (opcode == VM_OP_END)) {
        var source = VmSource(VM_SOURCE_ARENA, memory, 32u * vm_words, offset, U256_ZERO);
        var base = 0u;
        var at = offset;
        var backward = false;
        var moves = 1u;
        if (from_calldata) {
          let from_byte = select(b_bytes, offset, opcode == VM_OP_CALLDATA_LOAD);
          source = VmSource(select(VM_SOURCE_WAVE, VM_SOURCE_ARENA, calldata.w == 1u), calldata.x, calldata.y + calldata.z, calldata.y + min(from_byte, calldata.z), U256_ZERO);
        }
        if (opcode == VM_OP_CALLDATA_LOAD) {
          at = 0u;
          length = 32u;
        } else if (opcode == VM_OP_MEMORY) {
          if (mode == 0u) {
            at = 0u;
          } else {
            var bytes = u256_reverse_bytes(b);
            bytes.lo.x = select(bytes.lo.x, b.lo.x & 0xffu, mode == 2u);
            source = VmSource(VM_SOURCE_WORD, 0u, 32u, 0u, bytes);
            base = memory;
          }
        } else if (opcode == VM_OP_COPY_MEMORY) {
          base = memory;
          if (mode == 0u) {
            source.position = b_bytes;
            backward = b_bytes < at;
          } else if (mode == VM_COPY_RETURNED) {
            source = VmSource(VM_SOURCE_ARENA, returned, vm_returned, b_bytes, U256_ZERO);
          } else if (copies_code) {
            source = VmSource(VM_SOURCE_CODES, code.x, code.y, min(b_bytes, code.y), U256_ZERO);
          }
        } else if (opcode == VM_OP_LOG) {
          at = 0u;
          let vectors = 1u + 2u * mode + ((length + 15u) >> 4u);
          if (vm_log_vectors + vectors > lane_environment[23].x) {
            vm_full(VM_REGION_LOGS);
            length = 0u;
          } else {
            let log = vm_at(lane_environment[20].z + vm_log_vectors);
            lanes_out[log] = vec4<u32>(vm_account, mode, length, vectors);
            var topic = vm_stack_place(c_operand);
            for (var n = 0u; n < 2u * mode; n++) {
              lanes_out[log + ((1u + n) << vm_spread)] = lanes_out[topic + ((n & 1u) << vm_spread)];
              topic -= (n & 1u) << (vm_spread + 1u);
            }
            base = log + ((1u + 2u * mode) << vm_spread);
            vm_log_vectors += vectors;
            vm_logs++;
          }
        } else {
          at = 0u;
          base = returned;
          if (vm_depth == 0u) {
            output = vec2<u32>(16u * vm_memory + select(offset, 0u, length == 0u), length);
            length = 0u;
          } else if (length > 16u * lane_environment[21].w) {
            vm_full(VM_REGION_RETURN);
            length = 0u;
          }
          vm_returned = length;
          moves = select(1u, 2u, length != 0u);
        }
        for (var n = 0u; n < moves; n++) {
          if (n == 1u) {
            // From the return data to where the caller wants it.
            source = VmSource(VM_SOURCE_ARENA, base, length, 0u, U256_ZERO);
            base = vm_at(lane_environment[19].x + call.w);
            at = call_ranges.z;
            length = min(length, call_ranges.w);
          }
          let moved = vm_move(source, base, at, length, backward);
          if (base == 0u) {
            word = u256_reverse_bytes(moved);
          }
        }
      } else if (opcode == VM_OP_KECCAK) {
        word = vm_keccak(VmSource(VM_SOURCE_ARENA, memory, 32u * vm_words, select(offset, 0u, length == 0u), U256_ZERO), length);
      }
    }

    // Frames.
    if ((vm_exit == 0u) & ((opcode == VM_OP_CALL) | enters | (opcode == VM_OP_END))) {
      if (opcode == VM_OP_END) {
        if ((mode >= 2u) & started) {
          let mark = lanes_out[vm_frame + (4u << vm_spread)];
          vm_undo(mark.x);
          vm_log_vectors = mark.y;
          vm_logs = mark.z;
          vm_refund = mark.w;
        }
        vm_gas = select(vm_gas, vec2<u32>(0u), mode == VM_MODE_HALT);
        if (vm_depth == 0u) {
          vm_exit = max(mode, VM_SUCCEEDED);
        } else {
          vm_depth--;
          vm_height = call.y;
          vm_go = call.x;
          vm_gas = vm_plus(vm_gas, vec2<u32>(call_ranges.y, lanes_out[parent + (7u << vm_spread)].z));
          opens = true;
          word = u256_from_bool(mode < 2u);
          result = vm_at(lane_environment[18].w + 2u * (call.z + call.y - 1u));
          has_result = true;
        }
      } else {
        if (pushes) {
          started = true;
          let delegate_call = calls & (mode == 2u);
          let keeps = calls & ((mode == 1u) | (mode == 2u));
          let seen_value = u256_select(U256_ZERO, c, has_value);
          var parties_now = vec4<u32>(code_header, select(callee_id, vm_account, keeps), vm_account, select(vm_flags & VM_FRAME_STATIC, VM_FRAME_STATIC, calls & (mode == 3u)));
          parties_now.w = select(parties_now.w, VM_FRAME_FREE, precompile != 0u);
          var bases = vec4<u32>(0u);
          let input = vm_at(lane_environment[19].x + vm_memory + (in_range.x >> 4u));
          calldata = vec4<u32>(input, in_range.x & 15u, in_range.y, 1u);
          var frame = vm_frame + (VM_FRAME_VECTORS << vm_spread);
          if (enters) {
            parties_now.z = parties.x;
            parties_now.w = select(0u, VM_FRAME_FREE, vm_native != 0u);
            calldata = vec4<u32>(parties.z, 0u, parties.w, 0u);
            frame = vm_frame;
          } else {
            lanes_out[vm_frame + (3u << vm_spread)] = vec4<u32>(vm_words, vm_gas.x, out_range);
            lanes_out[vm_frame + (7u << vm_spread)].z = vm_gas.y;
            let own = lanes_out[vm_frame + vm_stride];
            let after = u32(i32(vm_height) + (i32(immediate << 16u) >> 16u));
            bases = vec4<u32>(0u, 0u, own.z + after, vm_memory + 2u * vm_words);
            lanes_out[vm_frame + vm_stride] = vec4<u32>(instruction.w >> 16u, after, own.zw);
          }
          for (var k = 0u; k < vm_turns(8u); k++) {
            var v = parties_now;
            v = select(v, bases, k == 1u);
            v = select(v, calldata, k == 2u);
            v = select(v, vec4<u32>(0u), k == 3u);
            v = select(v, vec4<u32>(journal, vm_log_vectors, vm_logs, vm_refund), k == 4u);
            v = select(v, seen_value.lo, k == 5u);
            v = select(v, seen_value.hi, k == 6u);
            v = select(v, vec4<u32>(constants, code_owner, 0u, 0u), k == 7u);
            if (delegate_call & ((k == 0u) | (k == 5u) | (k == 6u))) {
              let inherited = lanes_out[vm_frame + (k << vm_spread)];
              v = select(inherited, vec4<u32>(v.xy, inherited.z, v.w), k == 0u);
            }
            lanes_out[frame + (k << vm_spread)] = v;
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
          vm_exit = select(0u, VM_SUCCEEDED, enters);
          vm_shift_height(immediate);
          vm_go = instruction.w >> 16u;
        }
        vm_returned = 0u;
      }
    }

    if (vm_exit < VM_MISS_ACCOUNT) {
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
