import { MemoryState } from '../host/state/memory_state.ts'
import type { TraceSubject } from '../host/trace/trace.ts'
import { stateTestBatch } from './run_state_test.ts'
import { type StateTestEntry, stateTestBlockHash } from './state_test.ts'

const ANCESTORS = 256n

/** What an entry executes. Throws TransactionInputError where its bytes are no transaction. */
export const traceSubject = (entry: StateTestEntry): TraceSubject => {
  const { fork, chainId, env, pre } = entry
  const batch = stateTestBatch(entry)
  const state = MemoryState.from(pre)
  for (let n = env.number > ANCESTORS ? env.number - ANCESTORS : 0n; n < env.number; n++) {
    state.setBlockHash(n, stateTestBlockHash(n))
  }
  return { fork, chainId, env, state, batch }
}
