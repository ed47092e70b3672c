import { describe, expect, it } from 'vitest'
import { HexReader, PackedHex } from '../../host/primitives/packed_hex.ts'
import { parseJson, RequestBody } from '../../service/json_rpc/request_body.ts'
import { Random } from '../fixtures/random_programs.ts'

/** What a body says, read in pieces of random sizes. */
const readInPieces = (text: string, random: Random, stepBytes: number): unknown => {
  const bytes = Buffer.from(text)
  const body = new RequestBody(bytes.length, stepBytes)
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + random.below(2 * stepBytes))
    body.push(bytes.subarray(at, end))
    at = end
  }
  return body.parse()
}

const stringsOf = ({ bytes, offsets }: PackedHex): readonly string[] =>
  Array.from(
    { length: offsets.length - 1 },
    (_, i) => `0x${Buffer.from(bytes.slice(offsets[i], offsets[i + 1])).toString('hex')}`,
  )

const transactionsOf = (value: unknown): unknown =>
  (value as { readonly params?: readonly { readonly transactions?: unknown }[] }).params?.[0]?.transactions

/** The value with its transactions as strings, their digits in lower case, in either form. */
const plainOf = (value: unknown): unknown => {
  const found = value === null || typeof value !== 'object' ? undefined : transactionsOf(value)
  if (found instanceof PackedHex) return withTransactions(value, stringsOf(found))
  if (!Array.isArray(found) || !found.every((item) => typeof item === 'string')) return value
  return withTransactions(
    value,
    found.map((item: string) => item.toLowerCase()),
  )
}

const withTransactions = (value: unknown, transactions: readonly string[]): unknown => {
  const { params, ...call } = value as { readonly params: readonly object[] }
  return { ...call, params: [{ ...params[0], transactions }, ...params.slice(1)] }
}

const CHARACTERS = '0123456789abcdefABCDEF'
const BLANKS = ['', '', '', '', ' ', '\n', '\t\r ']

const randomItem = (random: Random): string => {
  const bytes = random.below(6) === 0 ? random.below(300) : random.below(40)
  let digits = ''
  for (let n = 0; n < 2 * bytes; n++) digits += CHARACTERS[random.below(CHARACTERS.length)]
  return `"0x${digits}"`
}

const randomArray = (random: Random): string => {
  const blank = (): string => BLANKS[random.below(BLANKS.length)]!
  const items = Array.from({ length: 1 + random.below(30) }, () => `${blank()}${randomItem(random)}${blank()}`)
  return `[${items.join(',')}]`
}

/** A call with an array in a place where one may be, or should not be. */
const randomCall = (random: Random): string => {
  const array = randomArray(random)
  const member = `"transactions"${BLANKS[random.below(BLANKS.length)]}:${array}`
  const rest = '"extraData":"0x\\u0030é","gasUsed":"0x1"'
  const payloads = [
    `{${rest},${member}}`,
    `{${member},${rest}}`,
    `{${member},"transactions":["0x07"]}`,
    `{"transactions":["0x07"],${member}}`,
    `{"extraData":"\\"transactions\\":[","more":{${member}}}`,
    `{"a\\"transactions":${array}}`,
    `{"transactions":"${array}"}`,
  ]
  const payload = payloads[random.below(3) === 0 ? random.below(payloads.length) : random.below(2)]
  const method = random.below(6) === 0 ? 'engine_forkchoiceUpdatedV3' : 'engine_newPayloadV4'
  const params = random.below(8) === 0 ? `[7,${payload}]` : `[${payload},[],null]`
  const members = [`"jsonrpc":"2.0"`, `"id":1`, `"method":"${method}"`, `"params":${params}`]
  const call = `{${(random.below(2) === 0 ? members : members.reverse()).join(',')}}`
  return random.below(10) === 0 ? `[${call}]` : call
}

/** The text with a byte of it taken out, doubled, or another one. */
const damaged = (text: string, random: Random): string => {
  const at = random.below(text.length)
  const others = '"\\,:[]{}x0 g'
  const put = [text.slice(at, at + 1).repeat(2), '', others[random.below(others.length)]!][random.below(3)]!
  return `${text.slice(0, at)}${put}${text.slice(at + 1)}`
}

describe('the body of a request', () => {
  it('is what JSON.parse makes of it, however it comes and whatever is wrong with it', () => {
    const random = new Random(17_000_000)
    let packed = 0
    let unread = 0
    for (let n = 0; n < 1500; n++) {
      const text = random.below(2) === 0 ? randomCall(random) : damaged(randomCall(random), random)
      const value = readInPieces(text, random, 100 + random.below(200))
      if (value !== undefined && transactionsOf(value) instanceof PackedHex) packed++
      if (value === undefined) unread++
      expect(plainOf(value), text).toStrictEqual(plainOf(parseJson(text)))
    }
    expect(packed).toBeGreaterThan(300)
    expect(unread).toBeGreaterThan(100)
  })

  it('has the transactions of a payload as bytes, and those of all else as they are', () => {
    const random = new Random(1)
    const call = (method: string, payload: object) => JSON.stringify({ method, params: [payload] })
    const transactions = Array.from({ length: 3000 }, (_, i) => `0x${`${i}`.padStart(2 * (i % 200), '0')}`).map(
      (text) => (text.length % 2 === 0 ? text : `${text}0`),
    )
    const read = readInPieces(call('engine_newPayloadV4', { transactions }), random, 1 << 12)
    const found = transactionsOf(read)
    expect(found).toBeInstanceOf(PackedHex)
    expect(stringsOf(found as PackedHex)).toStrictEqual(transactions)
    for (const text of [
      call('engine_forkchoiceUpdatedV3', { transactions }),
      call('engine_newPayloadV4', { transactions: [...transactions, '0x1'] }),
      call('engine_newPayloadV4', { transactions: [...transactions, 7] }),
      call('engine_newPayloadV4', { more: { transactions } }),
    ])
      expect(readInPieces(text, random, 1 << 12)).toStrictEqual(JSON.parse(text))
    // Shorter than is worth it.
    const short = new RequestBody(0)
    short.push(Buffer.from(call('engine_newPayloadV4', { transactions: ['0x07'] })))
    expect(transactionsOf(short.parse())).toStrictEqual(['0x07'])
  })
})

describe('byte strings of JSON', () => {
  it('are left where one is longer than what is read at a time', () => {
    const items = (digits: number) => Buffer.from(`"0x${'ab'.repeat(digits / 2)}"]`)
    const within = new HexReader(1 << 17)
    expect(within.push(items(1 << 17))).toBe((1 << 17) + 5)
    expect(within.finish().bytes.length).toBe(1 << 16)
    expect(new HexReader(1 << 19).push(items(1 << 19))).toBe(-1)
  })

  it('are told where they end, and what is none of them', () => {
    const reader = new HexReader(64)
    expect(reader.push(Buffer.from('"0x0aFf" , "0x'))).toBeUndefined()
    expect(reader.push(Buffer.from('"] , more'))).toBe(2)
    expect(stringsOf(reader.finish())).toStrictEqual(['0x0aff', '0x'])
    for (const text of [']', '"0x0"]', '"0X00"]', '"00"]', '"0x0g"]', '"0x00",]', '"0x00" "0x00"]', '"0x00"}', 'null]'])
      expect(new HexReader(64).push(Buffer.from(`${text}   `)), text).toBe(-1)
  })
})
