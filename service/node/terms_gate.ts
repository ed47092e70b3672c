import type { Chain } from '../../host/index.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { costOfTerms, hasPassed, type InclusionTerms, rangeFault } from './inclusion_terms.ts'
import { KnownStorage } from './known_accounts.ts'

/** Look-ups that the terms of one transaction may take (op-geth params/conditional_tx_params.go). */
const MOST_COST = 1000

/**
 * Refuses terms that cost too much (-32005), or that no block from the next one on can fulfil, or whose known accounts
 * are others after the head (-32003): codes of op-geth. A range that is still to come is waited for.
 */
export const checkTerms = async (terms: InclusionTerms, chain: Chain): Promise<void> => {
  const cost = costOfTerms(terms)
  if (cost > MOST_COST)
    throw new RpcError(RPC_CODE.limitExceeded, `conditional cost, ${cost}, exceeded max: ${MOST_COST}`)
  const fault = rangeFault(terms)
  if (fault !== undefined) throw rejected(`failed conditional validation: ${fault}`)
  const { head } = chain
  if (hasPassed(terms, head.header))
    throw rejected(`failed header check: no block after number ${head.header.number} can fulfil the constraints`)
  if (terms.knownAccounts.length === 0) return
  const state = (await KnownStorage.read(chain, head.hash, [terms]))?.fault(terms)
  if (state !== undefined) throw rejected(`failed state check: ${state}`)
}

const rejected = (why: string): RpcError => new RpcError(RPC_CODE.transactionRejected, why)
