import { createZipf, permutation, type Random } from '../random.ts'

/**
 * Who pays whom. People are numbered: 0 .. `senders` - 1 own ether and tokens, up to `funded` - 1 own tokens, the rest
 * up to `people` - 1 own nothing yet.
 */
export interface Traffic {
  readonly senders: number
  readonly funded: number
  readonly people: number
  /** Fills the payers and payees of the next block. */
  pairs(from: Uint32Array, to: Uint32Array): void
}

/** Makes the traffic of `blocks` blocks of `size` payments. */
export type TrafficPattern = (size: number, blocks: number, random: Random) => Traffic

/** One payment in FRESH goes to someone who has never been paid. */
const FRESH = 10

/** Hands out payees: nine in ten from `existing` people in random order, one in ten someone new. */
const createPayees = (size: number, firstExisting: number, firstFresh: number, random: Random) => {
  let fresh = firstFresh
  return (to: Uint32Array) => {
    const order = permutation(size, random)
    for (let i = 0; i < size; i++) to[i] = order[i]! % FRESH === 0 ? fresh++ : firstExisting + order[i]!
  }
}

const freshPerBlock = (size: number) => Math.ceil(size / FRESH)

/** Every payment has a payer and a payee of its own. */
export const independentTraffic: TrafficPattern = (size, blocks, random) => {
  const payees = createPayees(size, size, 2 * size, random)
  return {
    senders: size,
    funded: 2 * size,
    people: 2 * size + blocks * freshPerBlock(size),
    pairs: (from, to) => {
      from.set(permutation(size, random))
      payees(to)
    },
  }
}

/** One payer, as in an airdrop or an exchange's withdrawals. */
export const hotSenderTraffic: TrafficPattern = (size, blocks, random) => {
  const payees = createPayees(size, 1, 1 + size, random)
  return {
    senders: 1,
    funded: 1 + size,
    people: 1 + size + blocks * freshPerBlock(size),
    pairs: (from, to) => {
      from.fill(0)
      payees(to)
    },
  }
}

/** One payee, as in deposits to an exchange. */
export const hotRecipientTraffic: TrafficPattern = (size, _blocks, random) => ({
  senders: size,
  funded: size + 1,
  people: size + 1,
  pairs: (from, to) => {
    from.set(permutation(size, random))
    to.fill(size)
  },
})

/** Payers and payees both follow Zipf's law over as many people as payments; no account pays itself. */
export const zipfTraffic: TrafficPattern = (size, _blocks, random) => {
  const people = Math.max(2, size)
  const draw = createZipf(people, random)
  return {
    senders: people,
    funded: people,
    people,
    pairs: (from, to) => {
      for (let i = 0; i < size; i++) {
        const payer = draw()
        let payee = draw()
        while (payee === payer) payee = draw()
        from[i] = payer
        to[i] = payee
      }
    },
  }
}
