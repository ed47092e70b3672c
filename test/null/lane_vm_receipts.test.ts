import { RLP } from '@ethereumjs/rlp'
import { expect, it } from 'vitest'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { addressToHex } from '../../host/primitives/word.ts'
import { VmReceipts } from '../../host/tiers/lane_vm/receipts.ts'
import { allRows, vmLoggingLanes } from '../fixtures/logging_lanes.ts'

const LANES = 40

it('logs of lanes are encoded from what was gathered as from their objects', () => {
  const { group, rows } = vmLoggingLanes(61, LANES)
  const receipts = new VmReceipts(group, rows)
  const seen = new Set<string>()
  const lengths = new Uint32Array(LANES)
  receipts.logsLengths(allRows(LANES), lengths)
  const at = Uint32Array.from(lengths, (_, lane) => 3 + lengths.subarray(0, lane).reduce((sum, one) => sum + one, 0))
  const encoded = new Uint8Array(at.at(-1)! + lengths.at(-1)!)
  receipts.writeLogs(allRows(LANES), encoded, at)
  for (let lane = 0; lane < LANES; lane++) {
    const logs = receipts.logs(lane)
    for (const { topics, data } of logs) {
      seen.add(`${topics.length} topics`)
      if (data.length === 4) seen.add(Number(data) < 0x80 ? 'a byte for itself' : 'a byte with a head')
    }
    const expected = logs.map(({ address, topics, data }) => RLP.encode([address, topics, data] as never))
    expect(bytesToHex(encoded.subarray(at[lane]!, at[lane]! + lengths[lane]!))).toBe(
      bytesToHex(Buffer.concat(expected)),
    )
  }
  expect(seen.size).toBe(7)
})

it('lanes with a log of an account are marked, and no others', () => {
  const { group, rows } = vmLoggingLanes(62, LANES)
  const receipts = new VmReceipts(group, rows)
  for (let account = 0; account < 5; account++) {
    const address = rows.slice(16 * account, 16 * account + 5)
    const marks = new Uint8Array(LANES)
    receipts.markEmitting(allRows(LANES), address, marks)
    const expected = Array.from(marks, (_, lane) =>
      receipts.logs(lane).some((log) => log.address === addressToHex(address, 0)),
    )
    expect(Array.from(marks, (mark) => mark === 1)).toEqual(expected)
    expect(new Set(expected).size).toBe(2)
  }
})
