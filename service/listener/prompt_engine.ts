import type { ChoiceWait } from '../metrics.ts'
import {
  type EngineCalls,
  type ForkchoiceReply,
  type ForkchoiceState,
  isSameChoice,
  type PayloadAttributes,
} from '../node/engine_types.ts'

/** Told of each fork choice that was answered: what it waited for, and how many milliseconds. */
export type ChoiceListener = (wait: ChoiceWait, elapsedMs: number) => void

/** What the node has chosen, as far as this thread knows. */
class KnownChoice {
  #chosen: ForkchoiceState | undefined
  /** Choices that the node has been asked to make, and has not answered. */
  #underway = 0

  /** Whether the node has made this choice, and no other one is to come before it. */
  has(asked: ForkchoiceState): boolean {
    return this.#underway === 0 && this.#chosen !== undefined && isSameChoice(asked, this.#chosen)
  }

  /** Asks the node for a choice. */
  async make(asked: ForkchoiceState, ask: () => Promise<ForkchoiceReply>): Promise<ForkchoiceReply> {
    if (this.has(asked)) return ask()
    this.#underway++
    try {
      const reply = await ask()
      this.#chosen = reply.chosen
      return reply
    } catch (thrown) {
      // It may stay made where its attributes are refused.
      this.#chosen = undefined
      throw thrown
    } finally {
      this.#underway--
    }
  }
}

/**
 * The Engine API of a node on the thread that listens. A fork choice that asks for what is chosen already, and for no
 * payload, is answered here, whatever the node's thread is executing. All others go there in the order of their
 * arrival.
 */
export const promptEngine = (engine: EngineCalls, onChoice: ChoiceListener): EngineCalls => {
  const known = new KnownChoice()
  const choose = async (
    version: 1 | 2 | 3,
    state: ForkchoiceState,
    attributes: PayloadAttributes | undefined,
  ): Promise<ForkchoiceReply> => {
    const startedMs = performance.now()
    const answered = (wait: ChoiceWait): void => onChoice(wait, performance.now() - startedMs)
    if (attributes === undefined && known.has(state)) {
      answered('nothing')
      return standing(state)
    }
    let wait: ChoiceWait = 'node'
    try {
      const reply = await known.make(state, () => engine.forkchoiceUpdated(version, state, attributes))
      if (reply.hasWaited) wait = 'payload'
      return reply
    } finally {
      answered(wait)
    }
  }
  const rest = engine as unknown as Readonly<Record<string, (...values: readonly unknown[]) => Promise<unknown>>>
  return new Proxy({} as EngineCalls, {
    get: (_, name) =>
      name === 'forkchoiceUpdated' ? choose : (...values: readonly unknown[]) => rest[String(name)]!(...values),
  })
}

/** The head that stays may stand: the node has said so. */
const standing = (chosen: ForkchoiceState): ForkchoiceReply => ({
  payloadStatus: { status: 'VALID', latestValidHash: chosen.headBlockHash, validationError: undefined },
  payloadId: undefined,
  chosen,
  hasWaited: false,
})
