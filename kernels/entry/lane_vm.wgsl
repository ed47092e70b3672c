import package::u256::u256::{U256, U256_ZERO, u256_from_bool, u256_from_u32, u256_reverse_bytes, u256_select};
import package::u256::add::u256_sub;
import package::u256::bits::{u256_byte, u256_byte_length, u256_clz, u256_signextend};
import package::u256::compare::{u256_eq, u256_is_zero, u256_lt};
import package::u256::exp::u256_exp;
import package::u256::mul::u256_mul;
import package::evm::operations::{evm_compare, evm_divide, evm_modular, evm_shift, evm_sum};
import package::lane::lane::{lane_environment, lane_index, lanes_in, lanes_out};
import package::state::state::{MISSING, state_account, state_account_address, state_account_vector, state_constants, state_slot, state_slot_value};
import package::vm::lane::{VM_FRAME_FREE, VM_FRAME_STATIC, VM_FRAME_VECTORS, VM_HALTED, VM_MISS_ACCOUNT, VM_MISS_BLOCK_HASH, VM_MISS_BYTES};
import package::vm::lane::{VM_MISS_CODE, VM_MISS_PRECOMPILE, VM_MISS_SLOT, VM_REFUSED, VM_REGION_FRAMES, VM_REGION_LOGS, VM_REGION_RETURN};
import package::vm::lane::{VM_STRIDE, VM_SUCCEEDED, VM_WORD_STRIDE};
import package::vm::lane::{vm_account, vm_arena, vm_at, vm_bytes, vm_charge, vm_code, vm_columns, vm_constants, vm_depth, vm_exit, vm_flags};
import package::vm::lane::{vm_frame, vm_full, vm_gas, vm_grow, vm_height, vm_journal, vm_lane, vm_leave, vm_log_vectors, vm_logs, vm_memory};
import package::vm::lane::{vm_pc, vm_pool, vm_range_end, vm_refund, vm_returned, vm_stack, vm_words};
import package::vm::stream::{VM_SOURCE_ARENA, VM_SOURCE_CODES, VM_SOURCE_WAVE, VM_SOURCE_WORD, VmSource, vm_keccak, vm_move};
import package::vm::record::{VM_NONE, vm_account_record, vm_note, vm_slot_record, vm_transient_record, vm_undo};
import package::vm::frame::{vm_destination, vm_enter_block, vm_load, vm_open_frame, vm_save};

/// Runs any contract, one transaction a lane, each lane with a program counter of its own: layouts in transpiler/layout/lane_vm.ts.
///
/// One turn of the loop runs one instruction, in phases that all opcodes share, so that each costly thing has one site and lanes
/// that need it meet there: operands, growth of memory, look-ups, what the opcode does, moves of bytes, frames, the result, the next
/// block. A phase that lacks something from the host leaves the lane at the same instruction, with gas and memory as they were.

/// More than the host ever asks for: a bound that the compiler can see.
const VM_STEPS = 1048576u;
const VM_OPERAND_NONE = 0xffffu;
const VM_INVERT = 0x80u;

const VM_OP_BYTES = 5u;
const VM_OP_ENVIRONMENT = 6u;
const VM_OP_CALLDATA_LOAD = 7u;
const VM_OP_MEMORY = 8u;
const VM_OP_STORAGE = 9u;
const VM_OP_TRANSIENT = 10u;
const VM_OP_KECCAK = 11u;
const VM_OP_COPY_MEMORY = 16u;
const VM_OP_ACCOUNT = 17u;
const VM_OP_LOG = 18u;
const VM_OP_CALL = 19u;
const VM_OP_END = 20u;
const VM_OP_JUMP = 21u;
const VM_OP_BRANCH = 22u;
const VM_OP_MEMO = 23u;
const VM_OP_BLOB_HASH = 24u;
const VM_OP_CHARGE = 25u;
const VM_OP_WARM = 26u;
const VM_OP_ENTER = 27u;
const VM_OP_REFUSE = 28u;

const VM_MODE_SELFBALANCE = 10u;
const VM_MODE_HALT = 3u;
const VM_COPY_ACCOUNT_CODE = 4u;
const VM_MEMO_OWNERS = 0xfffffe00u;
const VM_MEMO_BLOCK_HASHES = 0xfffffffeu;

const VM_CODE_PRESENT = 1u;
const VM_CODE_DELEGATION = 2u;

const VM_SLOT_WARM = 1u;
const VM_SLOT_READ = 2u;
const VM_ENTRY_WARM = 1u;
const VM_ENTRY_READ = 2u;
const VM_ENTRY_BALANCE = 4u;
const VM_ENTRY_EXISTS = 8u;
const VM_ENTRY_TOUCHED = 16u;

const VM_ITEM_SLOT = 1u;
const VM_ITEM_WARM = 2u;
const VM_ITEM_VALUE = 4u;

/// Vector of the word at a STACK operand.
fn vm_stack_place(operand: u32) -> u32 {
  return u32(i32(vm_stack) + (i32(operand << 18u) >> 18u) * i32(VM_WORD_STRIDE));
}

fn vm_operand(operand: u32) -> U256 {
  let index = operand & 0x3fffu;
  var word = U256_ZERO;
  if (operand < 0x4000u) {
    let place = vm_stack_place(operand);
    word = U256(lanes_out[place], lanes_out[place + VM_STRIDE]);
  } else if (operand < 0x8000u) {
    let place = vm_pool + 2u * index;
    word = U256(lanes_in[place], lanes_in[place + 1u]);
  } else if (operand != VM_OPERAND_NONE) {
    let place = 2u * (vm_constants + 2u + index);
    word = U256(state_constants[place], state_constants[place + 1u]);
  }
  return word;
}

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
  let number = lane_index(workgroup, workgroups, local);
  if (number >= lane_environment[0].x) {
    return;
  }
  vm_lane = lanes_out[lane_environment[0].y + (number >> 2u)][number & 3u];
  vm_arena = lane_environment[18].x + (vm_lane >> 6u) * lane_environment[18].y * VM_STRIDE + (vm_lane & 63u);
  if (vm_load()) {
    vm_enter_block(0u);
  }
  let parties = lanes_out[vm_columns(7u)];
  let lists = lanes_out[vm_columns(8u)];
  var output = vec2<u32>(0u);
  var steps = 0u;
  for (var step = 0u; step < VM_STEPS; step++) {
    if ((step >= lane_environment[1].y) | (vm_exit != 0u)) {
      break;
    }
    steps++;
    let gas_before = vm_gas;
    let words_before = vm_words;
    var instruction = lanes_in[vm_pc];
    if (vm_pc == 0u) {
      instruction = vec4<u32>(0xffff0000u | (VM_MODE_HALT << 8u) | VM_OP_END, 0xffffffffu, 0xffffu, 0u);
    }
    var opcode = instruction.x & 0xffu;
    var mode = (instruction.x >> 8u) & 0xffu;
    let inverts = (mode & VM_INVERT) != 0u;
    mode &= 0x7fu;
    let immediate = instruction.z >> 16u;
    let a = vm_operand(instruction.y & 0xffffu);
    let b = vm_operand(instruction.y >> 16u);
    let c_operand = instruction.z & 0xffffu;
    var c = U256_ZERO;
    if ((opcode == VM_OP_COPY_MEMORY) | (opcode == 14u)) {
      c = vm_operand(c_operand);
    }
    var ok = vm_charge(instruction.w & 0xffffu);
    var next_pc = vm_pc + 1u;
    var go = VM_NONE;
    var word = a;
    var result = vm_stack_place(instruction.x >> 16u);
    var has_result = (instruction.x >> 16u) != VM_OPERAND_NONE;

    // Operands that stand on the stack.
    var asked_gas = 0u;
    var to = a;
    var value = U256_ZERO;
    var in_offset = 0u;
    var in_length = 0u;
    var out_offset = 0u;
    var out_length = 0u;
    let pays = (opcode == VM_OP_CALL) & (mode < 2u);
    let foreign = (opcode == VM_OP_COPY_MEMORY) & (mode == VM_COPY_ACCOUNT_CODE);
    if ((opcode == VM_OP_CALL) | foreign) {
      var place = vm_stack_place(select(c_operand, immediate, foreign));
      let first = select(0u, 1u, foreign);
      let end = select(7u, 2u, foreign);
      for (var n = first; n < end; n++) {
        if ((n == 2u) & !pays) {
          continue;
        }
        let operand = U256(lanes_out[place], lanes_out[place + VM_STRIDE]);
        place -= VM_WORD_STRIDE;
        let bytes = vm_bytes(operand);
        if (n == 1u) {
          to = operand;
        } else if (n == 2u) {
          value = operand;
        }
        asked_gas = select(asked_gas, bytes, n == 0u);
        in_offset = select(in_offset, bytes, n == 3u);
        in_length = select(in_length, bytes, n == 4u);
        out_offset = select(out_offset, bytes, n == 5u);
        out_length = select(out_length, bytes, n == 6u);
      }
    }
    if (opcode == VM_OP_ENTER) {
      value = U256(lanes_out[vm_columns(11u)], lanes_out[vm_columns(12u)]);
    }
    let has_value = !u256_is_zero(value);
    // An empty range is nowhere.
    in_offset = select(in_offset, 0u, in_length == 0u);
    to.hi = vec4<u32>(to.hi.x, 0u, 0u, 0u);

    // Memory.
    let offset = vm_bytes(a);
    var length = 0u;
    var touched = 0u;
    if (ok & (opcode >= VM_OP_MEMORY) & (opcode <= VM_OP_END)) {
      var unit = 0u;
      if (opcode == VM_OP_MEMORY) {
        length = select(32u, 1u, mode == 2u);
      } else if (opcode == VM_OP_KECCAK) {
        length = vm_bytes(b);
        unit = 6u * ((min(length, 0x4000000u) + 31u) >> 5u);
      } else if (opcode == VM_OP_COPY_MEMORY) {
        length = vm_bytes(c);
        unit = 3u * ((min(length, 0x4000000u) + 31u) >> 5u);
        let from_end = vm_range_end(vm_bytes(b), length);
        if (mode == 0u) {
          touched = from_end;
        } else if (mode == 3u) {
          let first = vm_bytes(b);
          let inside = (first <= vm_returned) & (length <= vm_returned) & (first + length <= vm_returned);
          ok = ok & inside;
        }
      } else if (opcode == VM_OP_LOG) {
        length = vm_bytes(b);
        unit = 8u * min(length, 0x4000000u);
      } else if (opcode == VM_OP_CALL) {
        touched = max(vm_range_end(in_offset, in_length), vm_range_end(out_offset, out_length));
      } else if (opcode == VM_OP_END) {
        length = select(0u, vm_bytes(b), (mode == 1u) | (mode == 2u));
      }
      touched = max(touched, vm_range_end(offset, length));
      let changes = ((opcode == VM_OP_STORAGE) | (opcode == VM_OP_TRANSIENT)) & (mode == 1u);
      let forbidden = changes | (opcode == VM_OP_LOG) | ((opcode == VM_OP_CALL) & (mode == 0u) & has_value);
      ok = ok & !(forbidden & ((vm_flags & VM_FRAME_STATIC) != 0u));
      if (ok & (touched != 0u)) {
        ok = vm_grow(touched);
      }
      if (ok & (unit != 0u)) {
        ok = vm_charge(unit);
      }
    }

    // Accounts: the one that is named, the one that its code stands in for (EIP-7702), and the payer.
    var item = vec4<u32>(0u);
    var item_word = U256_ZERO;
    if ((opcode == VM_OP_WARM) & (vm_returned < lists.y)) {
      let place = lists.x + 3u * vm_returned;
      item = lanes_out[place];
      item_word = U256(lanes_out[place + 1u], lanes_out[place + 2u]);
      item.w = 1u;
      vm_returned++;
      next_pc = vm_pc;
    }
    let item_account = (item.w == 1u) & ((item.x & VM_ITEM_SLOT) == 0u);
    let runs = (opcode == VM_OP_CALL) | (opcode == VM_OP_ENTER);
    let named = (opcode == VM_OP_ACCOUNT) | (opcode == VM_OP_CALL) | foreign;
    let self_balance = (opcode == VM_OP_ENVIRONMENT) & (mode == VM_MODE_SELFBALANCE);
    var callee = 0u;
    var callee_id = 0u;
    var callee_row = vec4<u32>(0u);
    var payer = 0u;
    var header = 0u;
    var constants = 0u;
    var code_owner = 0u;
    var precompile = 0u;
    if (ok & (named | (opcode == VM_OP_ENTER) | self_balance | item_account)) {
      var target_record = 0u;
      var address = to;
      for (var turn = 0u; turn < 3u; turn++) {
        var id = MISSING;
        if ((turn == 0u) & !named) {
          id = select(select(parties.y, vm_account, self_balance), item.y, item_account);
        } else if (turn == 2u) {
          if (!((pays | (opcode == VM_OP_ENTER)) & has_value)) {
            break;
          }
          id = select(parties.x, vm_account, opcode == VM_OP_CALL);
        } else {
          if (turn == 1u) {
            let delegates = runs & (header != 0u) & ((lanes_in[header + 1u].z & VM_CODE_DELEGATION) != 0u);
            if (!delegates) {
              continue;
            }
            let bytes = lanes_in[header + 1u].x;
            let first = lanes_in[bytes];
            let second = lanes_in[bytes + 1u];
            // Bytes 3 to 22 in order are the address.
            let q = vec4<u32>(first >> vec4<u32>(24u)) | vec4<u32>(first.yzw << vec3<u32>(8u), second.x << 8u);
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
        let row = state_account_vector(id, 1u);
        let record = vm_account_record(id);
        if (vm_exit != 0u) {
          break;
        }
        let place = vm_at(record.at);
        if (record.is_new) {
          let is_sender = id == parties.x;
          var balance = U256(state_account_vector(id, 2u), state_account_vector(id, 3u));
          balance = u256_select(balance, item_word, item_account & ((item.x & VM_ITEM_VALUE) != 0u));
          let cost = U256(lanes_out[vm_columns(13u)], lanes_out[vm_columns(14u)]);
          balance = u256_select(balance, u256_sub(balance, cost), is_sender);
          let warm = is_sender | (id == parties.y) | (id == lane_environment[23].z);
          let exists = is_sender | ((row.w & 1u) != 0u);
          let flags = select(0u, VM_ENTRY_WARM, warm) | select(0u, VM_ENTRY_EXISTS, exists);
          lanes_out[place] = vec4<u32>(id, flags, row.w >> 8u, 0u);
          for (var copy = 1u; copy < 7u; copy += 2u) {
            lanes_out[place + copy * VM_STRIDE] = balance.lo;
            lanes_out[place + (copy + 1u) * VM_STRIDE] = balance.hi;
          }
        }
        if (turn == 2u) {
          payer = record.at;
          break;
        }
        if (turn == 0u) {
          callee = record.at;
          callee_id = id;
          callee_row = row;
        } else {
          target_record = record.at;
        }
        if ((runs | foreign) & ((row.w >> 8u) != 0u)) {
          header = lane_environment[1].z + 2u * (row.w >> 8u);
          constants = row.z;
          code_owner = id;
          let size = lanes_in[header + 1u];
          if ((size.z & VM_CODE_PRESENT) == 0u) {
            vm_leave(VM_MISS_CODE, id, U256_ZERO);
            break;
          }
          if (foreign & (size.x == 0u)) {
            vm_leave(VM_MISS_BYTES, id, U256_ZERO);
            break;
          }
        }
      }
      if (vm_exit == 0u) {
        if (named) {
          precompile = vm_precompile(to);
        }
        var cost = 0u;
        for (var turn = 0u; turn < 2u; turn++) {
          let at = select(callee, target_record, turn == 1u);
          if (at == 0u) {
            break;
          }
          let place = vm_at(at);
          let flags = lanes_out[place].y;
          let warm = ((flags & VM_ENTRY_WARM) != 0u) | ((turn == 0u) & (precompile != 0u));
          let reads = named & !((opcode == VM_OP_ACCOUNT) & (mode == 0u));
          let looks = select(0u, VM_ENTRY_READ, reads | runs) | select(0u, VM_ENTRY_BALANCE, self_balance | ((opcode == VM_OP_ACCOUNT) & (mode == 0u)));
          let warms = select(0u, VM_ENTRY_WARM, named | runs | ((item.x & VM_ITEM_WARM) != 0u));
          if (named) {
            cost += select(2600u, 100u, warm);
          }
          if (!warm & (warms != 0u)) {
            vm_note(at);
          }
          lanes_out[place].y = flags | looks | warms;
        }
        ok = ok & vm_charge(cost);
      }
    }

    // Slots, and what the host remembers in their table.
    var slot = 0u;
    let item_slot = (item.w == 1u) & !item_account;
    if (ok & ((opcode == VM_OP_STORAGE) | (opcode == VM_OP_MEMO) | item_slot)) {
      var key = a;
      var owner = vm_account;
      var wanted = true;
      if (opcode == VM_OP_MEMO) {
        owner = select(VM_MEMO_OWNERS + immediate, VM_MEMO_BLOCK_HASHES, mode == 0u);
        key = evm_sum(a, b, false);
        if (mode == 0u) {
          let age = lane_environment[2].x - a.lo.x;
          wanted = (vm_bytes(a) == a.lo.x) & (a.lo.x < lane_environment[2].x) & (age <= 256u);
        }
      }
      var id = item.y;
      if (wanted & !item_slot) {
        id = state_slot(owner, key);
      }
      if (id == MISSING) {
        if (opcode == VM_OP_STORAGE) {
          vm_leave(VM_MISS_SLOT, owner, key);
        } else {
          vm_leave(select(VM_MISS_PRECOMPILE, VM_MISS_BLOCK_HASH, mode == 0u), immediate, key);
          output = vec2<u32>(16u * vm_memory, lanes_out[vm_frame + 2u * VM_STRIDE].z);
        }
      } else if (opcode == VM_OP_MEMO) {
        word = U256_ZERO;
        if (wanted) {
          word = state_slot_value(id);
        }
      } else {
        let record = vm_slot_record(id, select(vm_account, item.z, item_slot));
        if (vm_exit == 0u) {
          slot = record.at;
          if (record.is_new) {
            let place = vm_at(slot);
            var held = state_slot_value(id);
            held = u256_select(held, item_word, (item.x & VM_ITEM_VALUE) != 0u);
            lanes_out[place + VM_STRIDE] = held.lo;
            lanes_out[place + 2u * VM_STRIDE] = held.hi;
            lanes_out[place + 3u * VM_STRIDE] = held.lo;
            lanes_out[place + 4u * VM_STRIDE] = held.hi;
          }
        }
      }
    }
    if (ok & (opcode == VM_OP_TRANSIENT)) {
      let record = vm_transient_record(vm_account, a);
      if (vm_exit == 0u) {
        slot = record.at;
        if (record.is_new) {
          let place = vm_at(slot);
          lanes_out[place + 3u * VM_STRIDE] = vec4<u32>(0u);
          lanes_out[place + 4u * VM_STRIDE] = vec4<u32>(0u);
        }
      }
    }
    if (vm_exit == 0u) {
      if (slot != 0u) {
        let place = vm_at(slot);
        let flags = lanes_out[place].y;
        let present = U256(lanes_out[place + 3u * VM_STRIDE], lanes_out[place + 4u * VM_STRIDE]);
        word = present;
        let writes = mode == 1u;
        if (item_slot) {
          lanes_out[place].y = flags | select(0u, VM_SLOT_WARM, (item.x & VM_ITEM_WARM) != 0u);
        } else {
          var costs = vec2<u32>(0u);
          if (opcode == VM_OP_STORAGE) {
            let cold = (flags & VM_SLOT_WARM) == 0u;
            if (writes) {
              let original = U256(lanes_out[place + VM_STRIDE], lanes_out[place + 2u * VM_STRIDE]);
              costs = vm_sstore(original, present, b);
              costs.x += select(0u, 2100u, cold);
              ok = vm_gas > 2300u;
            } else {
              costs.x = select(100u, 2100u, cold);
            }
            if (writes | cold) {
              vm_note(slot);
            }
            lanes_out[place].y = flags | VM_SLOT_WARM | VM_SLOT_READ;
          } else if (writes) {
            vm_note(slot);
          }
          ok = ok & vm_charge(costs.x);
          if (ok & writes) {
            vm_refund += costs.y;
            lanes_out[place + 3u * VM_STRIDE] = b.lo;
            lanes_out[place + 4u * VM_STRIDE] = b.hi;
          }
        }
      }

      // Everything that needs nothing from outside.
      if (opcode < 12u) {
        if (opcode < 5u) {
          if (opcode == 1u) {
            let both = vec4<u32>(0u - (mode & 1u));
            let either = vec4<u32>(0u - (mode >> 1u));
            word = U256((a.lo & b.lo & both) | ((a.lo ^ b.lo) & either), (a.hi & b.hi & both) | ((a.hi ^ b.hi) & either));
          } else if (opcode == 2u) {
            word = evm_sum(a, b, mode == 1u);
          } else if (opcode == 3u) {
            word = evm_compare(a, b, mode);
            word.lo.x ^= select(0u, 1u, inverts);
          } else if (opcode == 4u) {
            word = evm_shift(a, b, mode);
          }
        } else if (opcode == VM_OP_BYTES) {
          if (mode == 0u) {
            word = u256_byte(a, b);
          } else if (mode == 1u) {
            word = u256_signextend(a, b);
          } else {
            word = u256_clz(a);
          }
        } else if (opcode == VM_OP_ENVIRONMENT) {
          var number = 0u;
          if (mode < 3u) {
            let id = select(select(lanes_out[vm_frame].z, parties.x, mode == 1u), vm_account, mode == 0u);
            word = state_account_address(id);
          } else if (mode == 3u) {
            word = U256(lanes_out[vm_frame + 5u * VM_STRIDE], lanes_out[vm_frame + 6u * VM_STRIDE]);
          } else if (mode == 6u) {
            word = U256(lanes_out[vm_columns(9u)], lanes_out[vm_columns(10u)]);
          } else if (mode == VM_MODE_SELFBALANCE) {
            let place = vm_at(callee);
            word = U256(lanes_out[place + 3u * VM_STRIDE], lanes_out[place + 4u * VM_STRIDE]);
          } else if (mode > 10u) {
            let at = 2u + 2u * (mode - 11u);
            word = U256(lane_environment[at], lane_environment[at + 1u]);
          } else {
            if (mode == 4u) {
              number = lanes_out[vm_frame + 2u * VM_STRIDE].z;
            } else if (mode == 5u) {
              number = lanes_in[vm_code + 1u].y;
            } else {
              number = select(select(vm_gas, 32u * vm_words, mode == 8u), vm_returned, mode == 7u);
            }
            word = u256_from_u32(number);
          }
        }
      } else if (opcode < 16u) {
        if (opcode == 12u) {
          word = u256_mul(a, b);
        } else if (opcode == 13u) {
          word = evm_divide(a, b, mode);
        } else if (opcode == 14u) {
          word = evm_modular(a, b, c, mode == 1u);
        } else {
          ok = ok & vm_charge(50u * u256_byte_length(b));
          if (ok) {
            word = u256_exp(a, b);
          }
        }
      } else if (opcode == VM_OP_ACCOUNT) {
        let place = vm_at(callee);
        let balance = U256(lanes_out[place + 3u * VM_STRIDE], lanes_out[place + 4u * VM_STRIDE]);
        if (mode == 0u) {
          word = balance;
        } else {
          let exists = ((lanes_out[place].y & VM_ENTRY_EXISTS) != 0u) | !u256_is_zero(balance);
          let at = 2u * (callee_row.z + select(0u, 1u, mode == 1u));
          word = u256_select(U256_ZERO, U256(state_constants[at], state_constants[at + 1u]), exists);
        }
      } else if (opcode == VM_OP_BLOB_HASH) {
        word = U256_ZERO;
        if (vm_bytes(a) < lists.w) {
          let place = lists.z + 2u * a.lo.x;
          word = U256(lanes_out[place], lanes_out[place + 1u]);
        }
      } else if (opcode == VM_OP_CHARGE) {
        ok = vm_gas >= vm_bytes(a);
        vm_gas -= select(0u, a.lo.x, ok);
      } else if (opcode == VM_OP_REFUSE) {
        vm_leave(VM_REFUSED, immediate, U256_ZERO);
      } else if (opcode == VM_OP_JUMP) {
        go = instruction.w >> 16u;
        if (mode == 1u) {
          go = vm_destination(vm_bytes(a)) - 1u;
          ok = ok & (go != VM_NONE);
        }
      } else if (opcode == VM_OP_BRANCH) {
        go = c_operand;
        if (u256_is_zero(b) == inverts) {
          go = instruction.w >> 16u;
          if ((mode & 1u) != 0u) {
            go = vm_destination(vm_bytes(a)) - 1u;
            ok = ok & (go != VM_NONE);
          }
        }
      }
    }

    if (!ok) {
      opcode = VM_OP_END;
      mode = VM_MODE_HALT;
      length = 0u;
    }

    // Bytes.
    let parent = vm_frame - VM_FRAME_VECTORS * VM_STRIDE;
    let memory = vm_at(lane_environment[19].x + vm_memory);
    if (vm_exit == 0u) {
      if ((opcode == VM_OP_CALLDATA_LOAD) | (opcode == VM_OP_MEMORY) | (opcode == VM_OP_COPY_MEMORY) | (opcode == VM_OP_LOG) | (opcode == VM_OP_END)) {
        let calldata = lanes_out[vm_frame + 2u * VM_STRIDE];
        var source = VmSource(VM_SOURCE_ARENA, memory, 32u * vm_words, offset, U256_ZERO);
        var base = 0u;
        var at = offset;
        var backward = false;
        var moves = 1u;
        if ((opcode == VM_OP_CALLDATA_LOAD) | ((opcode == VM_OP_COPY_MEMORY) & (mode == 1u))) {
          let from_byte = select(vm_bytes(b), offset, opcode == VM_OP_CALLDATA_LOAD);
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
            source.position = vm_bytes(b);
            backward = source.position < at;
          } else if (mode == 3u) {
            source = VmSource(VM_SOURCE_ARENA, vm_at(lane_environment[19].y), vm_returned, vm_bytes(b), U256_ZERO);
          } else if (mode != 1u) {
            let code = select(vm_code, header, foreign);
            var size = vec4<u32>(0u);
            if (code != 0u) {
              size = lanes_in[code + 1u];
            }
            if (!foreign & (size.x == 0u) & (length != 0u)) {
              vm_leave(VM_MISS_BYTES, lanes_out[vm_frame + 7u * VM_STRIDE].y, U256_ZERO);
              length = 0u;
            }
            source = VmSource(VM_SOURCE_CODES, size.x, size.y, min(vm_bytes(b), size.y), U256_ZERO);
          }
        } else if (opcode == VM_OP_LOG) {
          at = 0u;
          let vectors = 1u + 2u * mode + ((length + 15u) >> 4u);
          if (vm_log_vectors + vectors > lane_environment[23].x) {
            vm_full(VM_REGION_LOGS);
            length = 0u;
          } else {
            let record = vm_at(lane_environment[20].z + vm_log_vectors);
            lanes_out[record] = vec4<u32>(vm_account, mode, length, vectors);
            var topic = vm_stack_place(c_operand);
            for (var n = 0u; n < mode; n++) {
              lanes_out[record + (1u + 2u * n) * VM_STRIDE] = lanes_out[topic];
              lanes_out[record + (2u + 2u * n) * VM_STRIDE] = lanes_out[topic + VM_STRIDE];
              topic -= VM_WORD_STRIDE;
            }
            base = record + (1u + 2u * mode) * VM_STRIDE;
            vm_log_vectors += vectors;
            vm_logs++;
          }
        } else {
          at = 0u;
          base = vm_at(lane_environment[19].y);
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
            let range = lanes_out[parent + 3u * VM_STRIDE];
            source = VmSource(VM_SOURCE_ARENA, base, length, 0u, U256_ZERO);
            base = vm_at(lane_environment[19].x + lanes_out[parent + VM_STRIDE].w);
            at = range.z;
            length = min(length, range.w);
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
    if ((vm_exit == 0u) & (runs | (opcode == VM_OP_END)) & ((opcode == VM_OP_END) | ok)) {
      if (opcode == VM_OP_END) {
        let mark = lanes_out[vm_frame + 4u * VM_STRIDE];
        if (mode >= 2u) {
          vm_undo(mark.x);
          vm_log_vectors = mark.y;
          vm_logs = mark.z;
          vm_refund = mark.w;
        }
        vm_gas = select(vm_gas, 0u, mode == VM_MODE_HALT);
        if (vm_depth == 0u) {
          vm_exit = max(mode, VM_SUCCEEDED);
        } else {
          vm_depth--;
          let call = lanes_out[parent + VM_STRIDE];
          vm_height = call.y;
          go = call.x;
          vm_gas += lanes_out[parent + 3u * VM_STRIDE].y;
          vm_open_frame();
          word = u256_from_bool(mode < 2u);
          result = vm_stack - VM_WORD_STRIDE;
          has_result = true;
        }
      } else {
        let enters = opcode == VM_OP_ENTER;
        var code = header;
        if (precompile != 0u) {
          code = precompile;
        }
        var balance = U256_ZERO;
        if (payer != 0u) {
          let place = vm_at(payer);
          balance = U256(lanes_out[place + 3u * VM_STRIDE], lanes_out[place + 4u * VM_STRIDE]);
        }
        var given = vm_gas;
        var starts = true;
        if (!enters) {
          var extra = 0u;
          if (has_value) {
            let place = vm_at(callee);
            let empty = u256_is_zero(U256(lanes_out[place + 3u * VM_STRIDE], lanes_out[place + 4u * VM_STRIDE]));
            let dead = ((lanes_out[place].y & VM_ENTRY_EXISTS) == 0u) & empty;
            extra = 9000u + select(0u, 25000u, dead & (mode == 0u));
          }
          ok = vm_charge(extra);
          given = min(asked_gas, vm_gas - vm_gas / 64u);
          vm_gas -= given;
          given += select(0u, 2300u, has_value);
          starts = !u256_lt(balance, value) & (vm_depth < 1024u);
          if (ok & has_value & !starts) {
            lanes_out[vm_at(payer)].y |= VM_ENTRY_BALANCE;
          }
        }
        let pushes = ok & starts & (code != 0u);
        let journal = vm_journal;
        if (pushes & !enters) {
          if (vm_depth + 1u >= lane_environment[21].x) {
            vm_full(VM_REGION_FRAMES);
          }
          lanes_out[vm_frame + 3u * VM_STRIDE] = vec4<u32>(vm_words, vm_gas, out_offset, out_length);
          vm_depth++;
        }
        if (vm_exit == 0u) {
          // What is paid: a record twice where an account pays itself.
          if (ok & starts & ((mode == 0u) | enters)) {
            for (var side = 0u; side < 2u; side++) {
              let at = select(payer, callee, side == 1u);
              if (at == 0u) {
                continue;
              }
              let place = vm_at(at);
              vm_note(at);
              let held = U256(lanes_out[place + 3u * VM_STRIDE], lanes_out[place + 4u * VM_STRIDE]);
              let now = evm_sum(held, value, side == 0u);
              lanes_out[place + 3u * VM_STRIDE] = now.lo;
              lanes_out[place + 4u * VM_STRIDE] = now.hi;
              if (side == 0u) {
                let least = U256(lanes_out[place + 5u * VM_STRIDE], lanes_out[place + 6u * VM_STRIDE]);
                let lower = u256_select(least, now, u256_lt(now, least));
                lanes_out[place + 5u * VM_STRIDE] = lower.lo;
                lanes_out[place + 6u * VM_STRIDE] = lower.hi;
              } else {
                lanes_out[place].y |= VM_ENTRY_TOUCHED;
              }
            }
          }
          if (pushes) {
            let own = lanes_out[vm_frame];
            let bases = lanes_out[vm_frame + VM_STRIDE];
            let keeps = (opcode == VM_OP_CALL) & ((mode == 1u) | (mode == 2u));
            let delegate_call = (opcode == VM_OP_CALL) & (mode == 2u);
            let after = u32(i32(vm_height) + (i32(immediate << 16u) >> 16u));
            let paid = U256(lanes_out[vm_frame + 5u * VM_STRIDE], lanes_out[vm_frame + 6u * VM_STRIDE]);
            let seen = u256_select(value, paid, delegate_call);
            let input = vm_at(lane_environment[19].x + vm_memory + (in_offset >> 4u));
            var calldata = vec4<u32>(input, in_offset & 15u, in_length, 1u);
            var frame = vm_frame + VM_FRAME_VECTORS * VM_STRIDE;
            var caller = select(vm_account, own.z, delegate_call);
            var stack_base = bases.z + after;
            var memory_base = vm_memory + 2u * vm_words;
            if (enters) {
              calldata = vec4<u32>(parties.z, 0u, parties.w, 0u);
              frame = vm_frame;
              caller = parties.x;
              stack_base = 0u;
              memory_base = 0u;
            } else {
              lanes_out[vm_frame + VM_STRIDE] = vec4<u32>(instruction.w >> 16u, after, bases.zw);
            }
            let inherited = select(vm_flags & VM_FRAME_STATIC, VM_FRAME_STATIC, (opcode == VM_OP_CALL) & (mode == 3u));
            let flags = select(inherited, VM_FRAME_FREE, precompile != 0u);
            lanes_out[frame] = vec4<u32>(code, select(callee_id, vm_account, keeps), caller, flags);
            lanes_out[frame + VM_STRIDE] = vec4<u32>(0u, 0u, stack_base, memory_base);
            lanes_out[frame + 2u * VM_STRIDE] = calldata;
            lanes_out[frame + 3u * VM_STRIDE] = vec4<u32>(0u);
            lanes_out[frame + 4u * VM_STRIDE] = vec4<u32>(journal, vm_log_vectors, vm_logs, vm_refund);
            lanes_out[frame + 5u * VM_STRIDE] = seen.lo;
            lanes_out[frame + 6u * VM_STRIDE] = seen.hi;
            lanes_out[frame + 7u * VM_STRIDE] = vec4<u32>(constants, code_owner, 0u, 0u);
            vm_gas = given;
            vm_height = 0u;
            vm_open_frame();
            go = 0u;
            has_result = false;
          } else if (ok) {
            // Nothing runs: an account without code, or a call that may not start.
            vm_gas += select(given, 0u, enters);
            word = u256_from_bool(starts);
            vm_exit = select(0u, VM_SUCCEEDED, enters);
            vm_height = u32(i32(vm_height) + (i32(immediate << 16u) >> 16u));
            vm_stack = u32(i32(vm_stack) + (i32(immediate << 16u) >> 16u) * i32(VM_WORD_STRIDE));
            go = instruction.w >> 16u;
          } else {
            // It lacks the gas: the next turn halts.
            vm_pc = 0u;
            next_pc = 0u;
            has_result = false;
          }
          vm_returned = 0u;
        }
      }
    }

    if (vm_exit < VM_MISS_ACCOUNT) {
      if (has_result) {
        lanes_out[result] = word.lo;
        lanes_out[result + VM_STRIDE] = word.hi;
      }
      vm_pc = next_pc;
      if ((opcode == VM_OP_JUMP) | (opcode == VM_OP_BRANCH)) {
        vm_height = u32(i32(vm_height) + (i32(immediate << 16u) >> 16u));
        vm_stack = u32(i32(vm_stack) + (i32(immediate << 16u) >> 16u) * i32(VM_WORD_STRIDE));
      }
      if ((go != VM_NONE) & (vm_exit == 0u)) {
        vm_enter_block(go);
      }
    } else {
      vm_gas = gas_before;
      vm_words = words_before;
    }
  }
  vm_save(steps, output);
}
