import { RLP } from '@ethereumjs/rlp'
import { expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { ROW_LIMBS } from '../../host/state/tables/account_table.ts'
import { type VmGroup, vmColumn } from '../../host/tiers/lane_vm/group.ts'
import { VmReceipts } from '../../host/tiers/lane_vm/receipts.ts'
import { LANE_COUNTS, LANE_PARTIES, LANE_STATE, VM_EXITS } from '../../transpiler/layout/lane_vm.ts'

const LANES = 40
const ACCOUNTS = 5
const DATA_BYTES = [0, 1, 1, 1, 2, 31, 32, 55, 56, 300]

/** Lanes with random logs, as they are gathered: (account, topics, bytes of data, vectors), topics, data. */
const randomGroup = (): VmGroup => {
  const random = createRandom(61, 'logs of lanes')
  const words: number[] = []
  const logsAt = new Uint32Array(LANES)
  const group = { laneCount: LANES } as VmGroup
  const columns = new Uint32Array(LANE_PARTIES * LANES * 4)
  for (let lane = 0; lane < LANES; lane++) {
    const logs = random.below(4)
    columns[vmColumn(group, LANE_STATE, lane)] = lane % 7 === 6 ? VM_EXITS.reverted : VM_EXITS.succeeded
    columns[vmColumn(group, LANE_COUNTS, lane) + 3] = logs
    logsAt[lane] = words.length
    for (let log = 0; log < logs; log++) {
      const topics = random.below(5)
      const bytes = DATA_BYTES[random.below(DATA_BYTES.length)]!
      const data = Math.ceil(bytes / 16)
      words.push(random.below(ACCOUNTS), topics, bytes, 1 + 2 * topics + data)
      for (let limb = 0; limb < 8 * topics + 4 * data; limb++) words.push(random.u32())
    }
  }
  return { ...group, columns, words: Uint32Array.from(words), logsAt }
}

it('logs of a lane are encoded from what was gathered as from their objects', () => {
  const random = createRandom(62, 'rows')
  const rows = Uint32Array.from({ length: ROW_LIMBS * ACCOUNTS }, () => random.u32())
  const receipts = new VmReceipts(randomGroup(), rows)
  const seen = new Set<string>()
  for (let lane = 0; lane < LANES; lane++) {
    const logs = receipts.logs(lane)
    for (const { topics, data } of logs) {
      seen.add(`${topics.length} topics`)
      if (data.length === 4) seen.add(Number(data) < 0x80 ? 'a byte for itself' : 'a byte with a head')
    }
    const expected = logs.map(({ address, topics, data }) => RLP.encode([address, topics, data] as never))
    const encoded = new Uint8Array(3 + receipts.logsLength(lane))
    expect(receipts.writeLogs(lane, encoded, 3)).toBe(encoded.length)
    expect(bytesToHex(encoded.subarray(3))).toBe(bytesToHex(Buffer.concat(expected)))
  }
  expect(seen.size).toBe(7)
})
